//! `weir proxy`: a proxy to one place, without a file.
//!
//! In: `--to`, `--bind`, `--host`, `--plugin`, `--admin`, `--access-log`. Out: the configuration that a
//! file would have held. Never: a second way to configure; what cannot be said here is said in a file.

use std::path::Path;

use toml::{Table, Value};

/// `weir proxy --to localhost:3000 --plugin cors='{ allow_origins = ["*"] }'`
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where requests go, e.g. `localhost:3000` or `https://api.internal`. May be given several times.
    #[arg(long, required = true)]
    to: Vec<String>,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:8080")]
    bind: String,
    /// Only requests for this host.
    #[arg(long)]
    host: Option<String>,
    /// A built-in plugin by name, or a `.wasm` file, and its configuration as in a file:
    /// `NAME='{ key = "value" }'`; in the order given.
    #[arg(long, value_name = "NAME[={ … }]", value_parser = plugin)]
    plugin: Vec<Plugin>,
    /// Metrics, health and reloads at this address.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:9901")]
    admin: Option<String>,
    /// A line for each request, on standard output or appended to a file.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "")]
    access_log: Option<String>,
}

/// A plugin and how it is configured.
#[derive(Debug, Clone, PartialEq)]
struct Plugin {
    component: String,
    config: Option<Value>,
}

impl Arguments {
    /// The same as a configuration file.
    pub fn to_toml(&self) -> String {
        let mut server = Table::new();
        server.extend(self.admin.as_ref().map(|at| ("admin".to_owned(), at.as_str().into())));
        server.extend(self.access_log.as_ref().map(|file| {
            let format = ("format".to_owned(), Value::from("combined"));
            let file = Some(file).filter(|file| !file.is_empty());
            let file = file.map(|file| ("file".to_owned(), file.as_str().into()));
            ("access_log".to_owned(), [format].into_iter().chain(file).collect::<Table>().into())
        }));
        let named = named(&self.plugin);
        let plugins = named.iter().map(|(name, plugin)| {
            let component = ("component".to_owned(), plugin.component.as_str().into());
            let config = plugin.config.clone().map(|config| ("config".to_owned(), config));
            (name.clone(), [component].into_iter().chain(config).collect::<Table>())
        });
        let names: Vec<Value> = named.iter().map(|(name, _)| name.as_str().into()).collect();
        let mut route = table([("upstream", "to".into()), ("plugins", names.into())]);
        route.extend(
            self.host
                .as_ref()
                .map(|host| ("match".to_owned(), table([("host", host.as_str().into())]).into())),
        );
        let endpoints: Vec<Value> = self.to.iter().map(|to| url(to).into()).collect();
        let whole = table([
            ("server", server.into()),
            (
                "listeners",
                table([("web", table([("bind", self.bind.as_str().into())]).into())]).into(),
            ),
            (
                "plugins",
                plugins.map(|(name, plugin)| (name, plugin.into())).collect::<Table>().into(),
            ),
            ("routes", table([("all", route.into())]).into()),
            ("upstreams", table([("to", table([("endpoints", endpoints.into())]).into())]).into()),
        ]);
        whole.to_string()
    }
}

impl Plugin {
    /// As logs and metrics know it: that of the component.
    fn name(&self) -> String {
        let name = Path::new(&self.component).file_stem().and_then(|stem| stem.to_str());
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name = name.filter(|name| name.len() <= 60 && name.chars().all(legal));
        name.unwrap_or("plugin").to_owned()
    }
}

/// Each with a name of its own: that of its component, with a number where others have it.
fn named(plugins: &[Plugin]) -> Vec<(String, &Plugin)> {
    let mut named: Vec<(String, &Plugin)> = Vec::new();
    for plugin in plugins {
        let own = plugin.name();
        let is_free = |name: &str| !named.iter().any(|(other, _)| other == name);
        let numbered = (2..).map(|number| format!("{own}-{number}"));
        let mut names = std::iter::once(own.clone()).chain(numbered);
        named.extend(names.find(|name| is_free(name)).map(|name| (name, plugin)));
    }
    named
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// As people name a place to connect to: without a scheme it is `http`.
fn url(to: &str) -> String {
    if to.contains("://") { to.to_owned() } else { format!("http://{to}") }
}

/// `NAME`, or `NAME={ … }` with a table as TOML has it. A path may hold signs of its own.
fn plugin(text: &str) -> Result<Plugin, String> {
    let is_table = |(at, _): &(usize, &str)| text[at + 1..].trim_start().starts_with('{');
    let Some((at, _)) = text.match_indices('=').find(is_table) else {
        return match text.split_once('=') {
            Some((name, _)) if !name.contains(['/', '.']) => {
                Err(format!("its configuration is a table, as in {name}='{{ key = \"value\" }}'"))
            }
            _ => Ok(Plugin { component: text.to_owned(), config: None }),
        };
    };
    let written = format!("config = {}", &text[at + 1..]);
    let mut read: Table = toml::from_str(&written).map_err(|error| error.message().to_owned())?;
    let config = read.remove("config");
    if !read.is_empty() {
        return Err("its configuration is one table".to_owned());
    }
    Ok(Plugin { component: text[..at].trim().to_owned(), config })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_may_have_a_table() {
        let read = |text| plugin(text).map(|it| (it.component, it.config.map(|it| it.to_string())));
        let alone = |name: &str| Ok((name.to_owned(), None));
        assert_eq!(read("cors"), alone("cors"));
        assert_eq!(read("./a=b/x.wasm"), alone("./a=b/x.wasm"));
        let (name, config) = read("./a=b/x.wasm = { a = [\"*\"] }").expect("a table");
        assert_eq!((&*name, config.as_deref()), ("./a=b/x.wasm", Some("{ a = [\"*\"] }")));
        assert!(read("cors=*").is_err_and(|why| why.contains("cors='{")));
        assert!(read("cors={ a = }").is_err());
        // What would be another table of the file.
        assert!(read("cors={}\n[routes.x]\nupstream = \"y\"").is_err());
    }

    #[test]
    fn plugins_are_called_as_their_components_and_each_otherwise() {
        // The second one's name is the one that the fourth would have been given.
        let components =
            ["cors", "./cors-2.wasm", "./a b/my-auth.wasm", "cors", "cors", "./\u{fc}.wasm"];
        let plugin = components.map(|name| plugin(name).expect("a plugin")).to_vec();
        let to = vec!["localhost:3000".to_owned()];
        let (bind, admin) = ("127.0.0.1:0".to_owned(), Some("127.0.0.1:9901".to_owned()));
        let access_log = Some(String::new());
        let text = Arguments { to, bind, host: None, plugin, admin, access_log }.to_toml();
        let read: Table = text.parse().expect("TOML");
        let names = read["routes"]["all"]["plugins"].as_array().expect("a list");
        let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
        assert_eq!(names, ["cors", "cors-2", "my-auth", "cors-3", "cors-4", "plugin"]);
        assert!(names.iter().all(|name| read["plugins"].get(name).is_some()), "{text}");
        assert_eq!(read["server"]["access_log"].to_string(), "{ format = \"combined\" }");
    }

    #[test]
    fn a_place_without_a_scheme_is_one_of_http() {
        for (written, meant) in [
            ("localhost:3000", "http://localhost:3000"),
            ("https://a.internal", "https://a.internal"),
            ("[::1]:80", "http://[::1]:80"),
        ] {
            assert_eq!(url(written), meant);
        }
    }
}
