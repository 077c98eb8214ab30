//! The plainest configuration: one listener `web`, one route `all`, one upstream `origin`.
//!
//! In: endpoints, and lines of TOML for the tables a test is about. Out: a proxy, or the text for
//! tests that change it later.

use std::fmt::Write as _;

use crate::{Origin, Proxy};

/// A configuration in the making.
#[derive(Default)]
pub struct Setup {
    server: String,
    listener: String,
    plugins: String,
    chain: Vec<String>,
    route: String,
    upstream: String,
    endpoints: Vec<String>,
}

impl Setup {
    /// Everything goes to this origin.
    pub fn to(origin: &Origin) -> Setup {
        Setup::to_url(origin.url())
    }

    /// Everything goes to this endpoint.
    pub fn to_url(url: impl Into<String>) -> Setup {
        Setup { endpoints: vec![url.into()], ..Setup::default() }
    }

    /// One more endpoint.
    pub fn and(mut self, url: impl Into<String>) -> Setup {
        self.endpoints.push(url.into());
        self
    }

    /// Lines of `[server]`; one worker unless they say otherwise.
    pub fn server(mut self, lines: &str) -> Setup {
        let _ = writeln!(self.server, "{lines}");
        self
    }

    /// Lines of `[listeners.web]`.
    pub fn listener(mut self, lines: &str) -> Setup {
        let _ = writeln!(self.listener, "{lines}");
        self
    }

    /// Lines of `[routes.all]`.
    pub fn route(mut self, lines: &str) -> Setup {
        let _ = writeln!(self.route, "{lines}");
        self
    }

    /// Lines of `[upstreams.origin]`.
    pub fn upstream(mut self, lines: &str) -> Setup {
        let _ = writeln!(self.upstream, "{lines}");
        self
    }

    /// A plugin at the chain's end: a built-in under its own name.
    pub fn plugin(mut self, name: &str, config: &str) -> Setup {
        let _ =
            writeln!(self.plugins, "[plugins.{name}]\ncomponent = {name:?}\nconfig = {config}\n");
        self.chain.push(name.to_owned());
        self
    }

    pub fn toml(&self) -> String {
        let Setup { server, listener, plugins, chain, route, upstream, endpoints } = self;
        let workers = if server.contains("workers") { "" } else { "workers = 1\n" };
        format!(
            "[server]\n{workers}{server}\n\
             [listeners.web]\nbind = \"127.0.0.1:0\"\n{listener}\n\
             {plugins}\n\
             [routes.all]\nupstream = \"origin\"\nplugins = {chain:?}\n{route}\n\
             [upstreams.origin]\nendpoints = {endpoints:?}\n{upstream}\n"
        )
    }

    /// # Panics
    /// Where the configuration is wrong.
    pub fn start(&self) -> Proxy {
        Proxy::start(&self.toml())
    }
}
