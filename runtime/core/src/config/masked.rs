//! The effective configuration for people.
//!
//! In: the tree as it was read, and the schemas that plugins give of their tables. Out: the same as
//! JSON, defaults included, with `***` for what is a secret or may be one. Never: shows what came from
//! `${…}` or an environment variable, what a schema calls `writeOnly`, what a header or parameter is
//! matched with, the user information of a URL, or what stands under a key that is named like a
//! secret in a table that is not Weir's own.

use serde_json::{Map, Value as Json};

use super::keys::{self, Key, Kind};
use super::place::Place;
use super::secret::{MASK, is_template, looks_secret, sounds_secret};
use super::told;
use super::tree::{self, Node, Table, Value};
use super::write_only::{Steps, WriteOnly};

/// The tree, where `schema_of` gives the schema of a plugin's table by the plugin's name.
pub(super) fn masked(root: &Node, schema_of: &dyn Fn(&str) -> Option<Json>) -> Json {
    match &root.value {
        Value::Table(root) => Masking { schema_of }.table(root, keys::ROOT),
        _ => Json::Null,
    }
}

struct Masking<'a> {
    schema_of: &'a dyn Fn(&str) -> Option<Json>,
}

impl Masking<'_> {
    /// A table of Weir's own.
    fn table(&self, table: &Table, keys: &[Key]) -> Json {
        let mut out = Map::new();
        let nowhere = Place::Whole("".into());
        for key in keys.iter().filter(|key| !table.contains_key(key.name)) {
            // An empty default is none.
            if let Some(default) = tree::parse_value(&nowhere, key.default) {
                out.insert(key.name.to_owned(), self.value(&default, &key.kind));
            }
        }
        for (name, entry) in table {
            let kind = keys.iter().find(|key| key.name == name).map_or(&Kind::Any, |key| &key.kind);
            out.insert(name.clone(), self.value(&entry.node, kind));
        }
        Json::Object(out)
    }

    fn value(&self, node: &Node, kind: &Kind) -> Json {
        match (&node.value, kind) {
            (Value::Table(table), Kind::Table(keys)) => self.table(table, keys),
            (Value::Table(table), Kind::Named(keys)) if std::ptr::eq(*keys, keys::PLUGIN) => {
                table.iter().map(|(name, entry)| (name.clone(), self.plugin(name, entry))).collect()
            }
            (Value::Table(table), Kind::Named(keys)) => table
                .iter()
                .map(|(name, entry)| (name.clone(), self.value(&entry.node, &Kind::Table(keys))))
                .collect(),
            (Value::Table(_) | Value::Array(_), Kind::TextOr(kind)) => self.value(node, kind),
            (Value::Table(table), Kind::Map(Kind::TextOr(Kind::Table(keys))))
                if std::ptr::eq(*keys, keys::VALUE) =>
            {
                table.iter().map(|(name, entry)| (name.clone(), matched(&entry.node))).collect()
            }
            (Value::Array(items), Kind::List(kind)) => {
                items.iter().map(|item| self.value(item, kind)).collect()
            }
            (Value::Table(_) | Value::Array(_), _) => foreign(node, &WriteOnly::nothing(), false),
            _ => leaf(node, false),
        }
    }

    /// A plugin's table: Weir's own keys, and under `config` what the plugin's schema tells.
    fn plugin(&self, name: &str, entry: &tree::Entry) -> Json {
        let mut shown = self.value(&entry.node, &Kind::Table(keys::PLUGIN));
        let config = entry.node.as_table().and_then(|table| table.get("config"));
        if let (Some(config), Some(shown)) = (config, shown.get_mut("config")) {
            let (document, steps) = ((self.schema_of)(name), Steps::default());
            *shown = match &document {
                Some(document) => foreign(&config.node, &WriteOnly::of(document, &steps), false),
                // Nobody says which of it is secret.
                None => foreign(&config.node, &WriteOnly::nothing(), true),
            };
        }
        shown
    }
}

/// What a header or a parameter has to be: it may be a key that callers share.
fn matched(node: &Node) -> Json {
    match &node.value {
        Value::Table(table) => {
            table.iter().map(|(name, entry)| (name.clone(), matched(&entry.node))).collect()
        }
        Value::Boolean(flag) => (*flag).into(),
        _ => MASK.into(),
    }
}

/// A value in a table that is not Weir's own.
fn foreign(node: &Node, schema: &WriteOnly<'_>, secret: bool) -> Json {
    let secret = secret || schema.is_write_only();
    match &node.value {
        Value::Table(table) => table
            .iter()
            .map(|(name, entry)| {
                let template =
                    matches!(&entry.node.value, Value::String(text) if is_template(text));
                let secret = secret || sounds_secret(name) && !template;
                (name.clone(), foreign(&entry.node, &schema.member(name), secret))
            })
            .collect(),
        Value::Array(items) => {
            let item = |(at, item)| foreign(item, &schema.item(at), secret);
            items.iter().enumerate().map(item).collect()
        }
        _ => leaf(node, secret),
    }
}

fn leaf(node: &Node, secret: bool) -> Json {
    let from_outside = node.written.is_some() || matches!(node.place, Place::Variable(_));
    match &node.value {
        _ if from_outside => MASK.into(),
        // A name makes no secret of what is on or off.
        Value::Boolean(b) => (*b).into(),
        _ if secret => MASK.into(),
        Value::String(text) if looks_secret(text) => MASK.into(),
        Value::String(text) | Value::Datetime(text) => without_user(text).into(),
        Value::Integer(n) => (*n).into(),
        Value::Float(n) => (*n).into(),
        Value::Array(_) | Value::Table(_) | Value::Broken => Json::Null,
    }
}

/// A text whose URLs have no user and password (RFC 3986, 3.2.1).
fn without_user(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, behind) = rest.split_at(at + 3);
        out.push_str(before);
        let end = behind.find(char::is_whitespace).unwrap_or(behind.len());
        let (url, behind) = behind.split_at(end);
        match told::user_of(url) {
            Some(user) => out.extend([MASK, url.get(user..).unwrap_or_default()]),
            None => out.push_str(url),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}
