//! `weir proxy`: a proxy to one place, without a file.
//!
//! In: `--to`, `--bind`, `--host`, `--plugin`. Out: the configuration that a file would have held.
//! Never: a second way to configure; what cannot be said here is said in a file.

use std::fmt::Write as _;

/// `weir proxy --to http://127.0.0.1:3000`
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where requests go, e.g. `http://127.0.0.1:3000`. May be given several times.
    #[arg(long, required = true)]
    to: Vec<String>,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:8080")]
    bind: String,
    /// Only requests for this host.
    #[arg(long)]
    host: Option<String>,
    /// A built-in plugin by name, or a `.wasm` file; in the order given.
    #[arg(long)]
    plugin: Vec<String>,
}

impl Arguments {
    /// The same as a configuration file.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let quoted = |value: &str| toml::Value::from(value).to_string();
        let list = |values: &[String]| {
            toml::Value::from(
                values.iter().map(|value| toml::Value::from(value.as_str())).collect::<Vec<_>>(),
            )
            .to_string()
        };
        let names: Vec<String> = (0..self.plugin.len()).map(|at| format!("plugin-{at}")).collect();
        let _ = writeln!(text, "[listeners.web]\nbind = {}", quoted(&self.bind));
        for (name, component) in names.iter().zip(&self.plugin) {
            let _ = writeln!(text, "[plugins.{name}]\ncomponent = {}", quoted(component));
        }
        let _ = writeln!(text, "[routes.all]\nupstream = \"to\"\nplugins = {}", list(&names));
        if let Some(host) = &self.host {
            let _ = writeln!(text, "match = {{ host = {} }}", quoted(host));
        }
        let _ = writeln!(text, "[upstreams.to]\nendpoints = {}", list(&self.to));
        text
    }
}
