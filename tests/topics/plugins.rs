//! What comes with the proxy, each as its users meet it.

mod access;
mod credentials;
mod examples;
mod replies;
mod rewriting;
mod worst;

use weir_tests::{Answer, Origin, Proxy, request};

/// A proxy with one plugin before an origin that shows what it saw.
struct Setup {
    proxy: Proxy,
    origin: Origin,
}

impl Setup {
    /// `table` is what stands in `[plugins.it]` beside `component`.
    fn new(component: &str, table: &str) -> Setup {
        Setup::with_origin(component, table, Origin::echo())
    }

    fn with_origin(component: &str, table: &str, origin: Origin) -> Setup {
        let proxy = Proxy::start(&format!(
            r#"
[listeners.web]
bind = "127.0.0.1:0"
[routes.all]
match = {{ path = "/*" }}
plugins = ["it"]
upstream = "origin"
[upstreams.origin]
endpoints = ["{}"]
[plugins.it]
component = "{component}"
{table}
"#,
            origin.url()
        ));
        Setup { proxy, origin }
    }

    fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        request(self.proxy.address("web"), method, path, fields, b"")
    }

    fn get(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, fields)
    }
}
