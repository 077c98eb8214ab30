//! What glue is made.

use super::*;
use crate::digest::digest;
use crate::tests::guest::request_filter;

/// Artifacts are kept over versions of Weir: where this fails, what glue is made or how a plan is written has
/// changed, and so has to [`VERSION`], along with this.
#[test]
fn what_is_made_has_its_version() {
    let component = request_filter("(i32.const 256)");
    let plan = Plan::of(&component).expect("a plan");
    let glue: Vec<u8> =
        plan.lowering().flat_map(|of| lower(&plan, of)).chain(lift(&plan)).collect();
    let plan = serde_json::to_vec(&plan).expect("JSON");
    let all = [glue, plan].concat();
    assert_eq!(
        (VERSION, digest(&all).as_str()),
        (4, "a5ed9b1d689ba2bac67a6f1f12cf431cab2f3386aba6a92dc4ba1a2a04cbe932")
    );
}
