//! Looking things up in the tree by path: where a key stands, and what may be shown of it.
//!
//! In: the tree as it was read. Out: places for those who find problems later (a plugin's own
//! configuration is checked by its component; see [`super::finding`]), and the effective
//! configuration without secrets.
//! Never: gives a secret away, not even to `Debug`.

use std::fmt;
use std::path::Path;

use serde_json::Value as Json;

use super::excerpt::Excerpts;
use super::masked;
use super::path::{join, steps};
use super::place::Place;
use super::problem::Problem;
use super::tree::{Node, Value};

/// Where every key of a [`super::Config`] stands.
#[derive(Clone)]
pub struct Places {
    root: Node,
    pub(super) excerpts: Excerpts,
}

/// A value, and where its key stands.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub key: &'a Place,
    pub node: &'a Node,
}

impl Places {
    pub(crate) fn new(root: Node, excerpts: Excerpts) -> Places {
        Places { root, excerpts }
    }

    /// The place of the value at `plugins.edge-cors.config.allow_origins[0]`; of its nearest parent
    /// that exists, where it does not.
    pub fn of(&self, path: &str) -> Place {
        self.nearest(&steps(path)).0.node.place.clone()
    }

    /// A problem with the value that keys and indices lead to; the message is put behind the path.
    pub fn problem_at(&self, keys: &[&str], message: &str, hint: &str) -> Problem {
        self.problem_with(keys, hint, |_| message.to_owned())
    }

    /// A problem with the file that keys and indices lead to the name of, which `message` gets as it may
    /// be told: as it was written, if there was `${…}` in it.
    pub fn problem_of_file(
        &self,
        keys: &[&str],
        file: &Path,
        hint: &str,
        message: impl FnOnce(&str) -> String,
    ) -> Problem {
        self.problem_with(keys, hint, |node| message(&node.shown_path(file)))
    }

    fn problem_with(
        &self,
        keys: &[&str],
        hint: &str,
        message: impl FnOnce(&Node) -> String,
    ) -> Problem {
        let mut steps = Vec::new();
        let mut path = String::new();
        for key in keys {
            path = match self.nearest(&steps).0.node.value {
                Value::Array(_) => format!("{path}[{key}]"),
                _ => join(&path, key),
            };
            steps.push((*key).to_owned());
        }
        let node = self.nearest(&steps).0.node;
        let message = format!("{path}: {}", message(node));
        let mut problem = Problem::new(node.place.clone(), path, message).with_hint(hint);
        self.excerpts.add_to(&mut problem);
        problem
    }

    /// The value that steps lead to, or the last one on the way, and how many steps that were.
    pub(super) fn nearest(&self, steps: &[String]) -> (Found<'_>, usize) {
        let mut found = Found { key: &self.root.place, node: &self.root };
        for (depth, step) in steps.iter().enumerate() {
            let next = match &found.node.value {
                Value::Table(table) => {
                    let entry = table.get(step).or_else(|| {
                        // A plugin may tell of a field's name in lower case.
                        let alike = |(key, _): &(&String, _)| key.eq_ignore_ascii_case(step);
                        table.iter().find(alike).map(|(_, entry)| entry)
                    });
                    entry.map(|entry| Found { key: &entry.key, node: &entry.node })
                }
                Value::Array(items) => step
                    .parse::<usize>()
                    .ok()
                    .and_then(|i| items.get(i))
                    .map(|node| Found { key: &node.place, node }),
                _ => None,
            };
            match next {
                Some(next) => found = next,
                None => return (found, depth),
            }
        }
        (found, steps.len())
    }

    /// The effective configuration without its secrets; see [`super::masked()`].
    pub(super) fn masked(&self, schema_of: &dyn Fn(&str) -> Option<Json>) -> Json {
        masked::masked(&self.root, schema_of)
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Places { .. }")
    }
}
