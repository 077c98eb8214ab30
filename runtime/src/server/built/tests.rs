//! Plugins that cannot be used, in the same table as every other bad configuration.

use super::*;
use crate::config::cases;
use crate::config::{Environment, Source, load};
use crate::wasm::{BUILT_INS, HostOptions};

#[test]
fn plugins_that_cannot_be_used_are_refused_at_their_place() {
    let host = Host::new(HostOptions { built_ins: BUILT_INS, ..HostOptions::default() });
    let host = host.expect("an engine");
    let problems = |source: &Source, environment: &Environment, built_ins: &[&str]| {
        let built = load(source, environment, built_ins).and_then(|config| {
            Built::new(config, &host, &Metrics::new(), &mut Numbers::default(), None)
        });
        built.err().into_iter().flatten().collect()
    };
    let count = cases::run(&[include_str!("cases.toml")], problems);
    assert!(count >= 16, "{count} cases");
}
