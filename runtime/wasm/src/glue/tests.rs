//! What glue is made.

use super::*;
use crate::digest::digest;
use crate::tests::guest::request_filter;

/// Artifacts are kept over versions of Weir: where this fails, what glue is made has changed, and so has to
/// [`VERSION`], along with this.
#[test]
fn what_is_made_has_its_version() {
    let component = request_filter("(i32.const 256)");
    let plan = Plan::of(&component).expect("a plan");
    let glue: Vec<u8> =
        plan.lowering().flat_map(|of| lower(&plan, of)).chain(lift(&plan)).collect();
    assert_eq!(
        (VERSION, digest(&glue).as_str()),
        (1, "d95a3f687115ea0a4518498d5a5fa32007edab8dec208408ad602323514d3e56")
    );
}
