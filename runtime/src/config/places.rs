//! Looking things up in the tree by path: where a key stands, and what may be shown of it.
//!
//! In: the tree as it was read. Out: places for those who find problems later (a plugin's own
//! configuration is checked by its component), and the effective configuration without secrets.
//! Never: gives a secret away, not even to `Debug`.

use std::fmt;

use serde_json::Value as Json;

use super::masked;
use super::problem::{Place, Problem};
use super::tree::{Node, Table, Value};

/// Where every key of a [`super::Config`] stands.
#[derive(Clone)]
pub struct Places {
    root: Node,
    /// By their index in [`super::Config::plugins`].
    plugins: Vec<String>,
}

impl Places {
    pub(crate) fn new(root: Node) -> Places {
        let names = |section: &Table| section.keys().cloned().collect();
        let plugins = root
            .as_table()
            .and_then(|root| root.get("plugins"))
            .and_then(|section| section.node.as_table())
            .map_or_else(Vec::new, names);
        Places { root, plugins }
    }

    /// The place of the value at `plugins.edge-cors.config.allow_origins[0]`; of its nearest parent
    /// that exists, where it does not.
    pub fn of(&self, path: &str) -> Place {
        self.nearest(steps(path))
    }

    /// The same for a JSON pointer (RFC 6901) into the `config` table of a plugin, which is named
    /// by its index in [`super::Config::plugins`].
    pub fn of_plugin_config(&self, plugin: usize, pointer: &str) -> Place {
        let name = self.plugins.get(plugin).map_or("", String::as_str);
        let path = ["plugins", name, "config"].into_iter().map(str::to_owned);
        self.nearest(path.chain(pointer_steps(pointer)))
    }

    /// A problem with a value in the `config` table of a plugin, named as in
    /// [`Self::of_plugin_config`]. `message` must not quote the value: it may be a secret.
    pub fn plugin_config_problem(&self, plugin: usize, pointer: &str, message: &str) -> Problem {
        let mut path = join("plugins", self.plugins.get(plugin).map_or("", String::as_str));
        path = join(&path, "config");
        for step in pointer_steps(pointer) {
            match step.parse::<usize>() {
                Ok(index) => path.push_str(&format!("[{index}]")),
                Err(_) => path = join(&path, &step),
            }
        }
        let message = format!("{path}: {message}");
        Problem::new(self.of_plugin_config(plugin, pointer), path, message)
    }

    fn nearest(&self, steps: impl IntoIterator<Item = String>) -> Place {
        let mut node = &self.root;
        for step in steps {
            let next = match &node.value {
                Value::Table(table) => table.get(&step).map(|entry| &entry.node),
                Value::Array(items) => step.parse::<usize>().ok().and_then(|i| items.get(i)),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node.place.clone()
    }

    /// The effective configuration without its secrets; see [`super::masked`].
    pub(super) fn masked(&self, schema_of: &dyn Fn(&str) -> Option<Json>) -> Json {
        masked::masked(&self.root, schema_of)
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Places { .. }")
    }
}

/// `a.b` for a key below a path; keys that are not bare are quoted.
pub(crate) fn join(path: &str, key: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !key.is_empty() && key.bytes().all(bare) {
        format!("{path}{dot}{key}")
    } else {
        format!("{path}{dot}{key:?}")
    }
}

/// The keys and indices of a JSON pointer.
fn pointer_steps(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

/// The keys and indices of a path as [`join`] writes it.
fn steps(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.trim_start_matches(['.', '[', ']']);
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut step = String::new();
            let mut end = quoted.len();
            let mut chars = quoted.char_indices();
            while let Some((i, c)) = chars.next() {
                match c {
                    '"' => {
                        end = i + 1;
                        break;
                    }
                    '\\' => step.extend(chars.next().map(|(_, c)| c)),
                    c => step.push(c),
                }
            }
            steps.push(step);
            rest = &quoted[end..];
        } else {
            let end = rest.find(['.', '[', ']']).unwrap_or(rest.len());
            if end > 0 {
                steps.push(rest[..end].to_owned());
            }
            rest = &rest[end..];
        }
    }
    steps
}
