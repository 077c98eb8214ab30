//! Plugins, certificates and keys that cannot be used, in the same table as every other bad configuration.

#[path = "../../../../core/src/config/cases.rs"]
mod cases;
mod dates;

use std::time::SystemTime;

use weir_bundle::BUILT_INS;
use weir_core::config::{Environment, Held, Problem, Source, read};
use weir_wasm::HostOptions;

use super::*;

#[test]
fn what_cannot_be_used_is_refused_at_its_place() {
    let host = Host::new(HostOptions { built_ins: BUILT_INS, ..HostOptions::default() });
    let host = host.expect("an engine");
    let names: Vec<&str> = BUILT_INS.iter().map(|(name, _)| *name).collect();
    let problems = |source: &Source, environment: &Environment, _: &[&str]| {
        let refused = match read(source, environment, &names, Held::new()) {
            Ok(config) => {
                let (metrics, mut numbers) = (Metrics::new(), Numbers::default());
                build(config, &host, &metrics, &mut numbers, None, &[], SystemTime::now()).err()
            }
            Err(refused) => super::problems(*refused, &host, SystemTime::now()),
        };
        refused.into_iter().flatten().collect()
    };
    let count = cases::run(&[include_str!("cases.toml")], problems);
    assert!(count >= 26, "{count} cases");
}
