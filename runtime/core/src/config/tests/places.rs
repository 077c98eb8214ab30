//! Bad configurations, each refused at its place.

use crate::config::cases::run;

use super::*;

#[test]
fn bad_configurations_are_refused_at_their_place() {
    let files = [
        include_str!("../cases/syntax.toml"),
        include_str!("../cases/server.toml"),
        include_str!("../cases/listeners.toml"),
        include_str!("../cases/plugins.toml"),
        include_str!("../cases/routes.toml"),
        include_str!("../cases/upstreams.toml"),
        include_str!("../cases/sources.toml"),
    ];
    let problems = |source: &Source, environment: &Environment, built_ins: &[&str]| {
        load(source, environment, built_ins).err().into_iter().flatten().collect()
    };
    let count = run(&files, problems);
    assert!(count >= 60, "{count} cases");
}
