//! Looking things up in the tree by path: where a key stands, and what may be shown of it.
//!
//! In: the tree as it was read. Out: places for those who find problems later (a plugin's own
//! configuration is checked by its component; see [`super::finding`]), and the effective
//! configuration without secrets.
//! Never: gives a secret away, not even to `Debug`.

use std::fmt;

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

    /// A problem with the value that keys lead to; the message is put behind the path.
    pub fn problem_at(&self, keys: &[&str], message: &str, hint: &str) -> Problem {
        let steps: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let path = keys.iter().fold(String::new(), |path, key| join(&path, key));
        let place = self.nearest(&steps).0.node.place.clone();
        let problem = Problem::new(place, path.clone(), format!("{path}: {message}"));
        let mut problem = problem.with_hint(hint);
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
