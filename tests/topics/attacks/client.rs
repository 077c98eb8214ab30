//! Clients that send what is no request, that wait, or that want more than their part.

mod containment;
mod desync;
mod framing;
mod gone;
mod limits;
mod patterns;
mod pipelines;
mod resets;
mod seats;
mod shares;
mod stalled;
mod turns;
mod uploads;
mod waiting;

use weir_tests::Origin;

/// Two plugins, each at a route of its own: what is done to one must cost the other nothing.
#[derive(Default)]
struct Neighbours<'a> {
    /// Lines of `[server]`.
    server: &'a str,
    /// Where the listener is bound; any free port of this machine without it.
    bind: Option<&'a str>,
    /// The name of the first plugin and of its route, and the segment of its path.
    name: &'a str,
    /// Lines of its table.
    table: &'a str,
    /// More lines of the other's, which marks its responses.
    mark: &'a str,
}

impl Neighbours<'_> {
    fn toml(&self, origin: &Origin) -> String {
        let Neighbours { server, bind, name, table, mark } = self;
        format!(
            r#"
        [server]
        trusted_proxies = ["127.0.0.1"]
        {server}
        [listeners.web]
        bind = "{}"
        [plugins.{name}]
        {table}
        [plugins.mark]
        component = "headers"
        config = {{ response = {{ set = {{ x-other = "fine" }} }} }}
        {mark}
        [routes.{name}]
        match = {{ path = "/{name}" }}
        plugins = ["{name}"]
        upstream = "origin"
        [routes.other]
        match = {{ path = "/*" }}
        plugins = ["mark"]
        upstream = "origin"
        [upstreams.origin]
        endpoints = ["{}"]
        "#,
            bind.unwrap_or("127.0.0.1:0"),
            origin.url(),
        )
    }
}
