//! Good configurations, and the parts of [`super::load`] that are not a single value.

mod bounds;
mod broken;
mod collected;
mod guards;
mod keys_and_certificates;
mod log_files;
mod places;
mod scalars;
mod secrets;
mod sources;
mod threat_model;
mod written;

use std::time::Duration;

use super::*;

fn text(toml: &str) -> Source {
    Source::Text { name: "weir.toml".into(), text: toml.into() }
}

fn load_text(toml: &str) -> Result<Config, Problems> {
    load(&text(toml), &Environment::default(), &["cors", "request-id"])
}

/// The example that CONFIG.md of the design opens with, as far as this build goes.
const TYPICAL: &str = r#"
[server]
workers = 2
grace = "1m30s"
admin = "127.0.0.1:9901"

[listeners.web]
bind = "0.0.0.0:8080"
plugins = ["request-id"]

[plugins.request-id]
component = "request-id"

[plugins.edge-cors]
component = "cors"
config = { allow_origins = ["https://app.example.com"], max_age = "1h" }

[routes.api]
match = { host = "API.example.com", path = "/v1/*", methods = ["GET", "POST"], headers = { x-beta = "1" }, query = { v = { regex = "2|3" } } }
plugins = ["edge-cors"]
upstream = [{ to = "users", weight = 90 }, { to = "users-next", weight = 10 }]
timeout = "20s"

[upstreams.users]
endpoints = ["http://127.0.0.1:9001", { url = "https://[::1]", weight = 2 }]
balance = "least-request"
health = { path = "/health", interval = "250ms" }

[upstreams.users-next]
endpoints = ["http://next.internal"]
host = "endpoint"
"#;

#[test]
fn the_typical_configuration_is_read() {
    let config = load_text(TYPICAL).unwrap();
    assert_eq!(config.server.grace, Duration::from_secs(90));
    assert_eq!(config.listeners[0].plugins, [1], "plugins are sorted by name");
    assert_eq!(
        &*config.plugins[0].config,
        r#"{"allow_origins":["https://app.example.com"],"max_age":"1h"}"#
    );
    assert_eq!(&*config.plugins[0].place, "weir.toml:14:1");
    let route = &config.routes[0];
    assert_eq!(route.matches.host, Some(HostMatch::Exact("api.example.com".into())));
    assert!(matches!(&route.matches.path, Some(PathMatch::Below(path)) if path == "/v1/"));
    assert_eq!(route.upstreams[1], WeightedUpstream { upstream: 1, weight: 10 });
    let ValueMatch::Regex(regex) = &route.matches.query[0].1 else { panic!("a regex") };
    assert!(regex.is_match("3") && !regex.is_match("33"), "both ends are anchored");
    let users = &config.upstreams[0];
    assert_eq!(
        users.endpoints[1],
        Endpoint { tls: true, host: "::1".into(), port: 443, weight: 2 }
    );
    assert_eq!(users.health.as_ref().unwrap().interval, Duration::from_millis(250));
    assert_eq!(config.warnings, []);
}

#[test]
fn every_problem_is_reported_at_once_and_in_order() {
    let problems =
        load_text("[listeners.web]\nbind = \"8080\"\n[routes.api]\nupsteam = \"a\"\ntimeout = 5\n")
            .unwrap_err();
    assert_eq!(
        problems.to_string(),
        "weir.toml:2:8: error: listeners.web.bind: \"8080\" is not an address to listen on; \
           hint: an address and a port, \"0.0.0.0:8080\" or \"[::]:8080\", or \"unix:/run/weir.sock\"\n\
         weir.toml:4:1: error: unknown key \"upsteam\" in [routes.api]; \
           hint: did you mean \"upstream\"?\n\
         weir.toml:5:11: error: routes.api.timeout: expected a duration such as \"10s\", found the integer 5; \
           hint: with a unit: \"5s\" or \"5ms\""
    );
}
