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
use super::told;
use super::tree::{self, Node, Table, Value};
use super::write_only::{Steps, WriteOnly};

pub(super) const MASK: &str = "***";

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

/// Whether a text is nothing but variables and what joins them: `{client.address}|{request.path}`.
pub(super) fn is_template(text: &str) -> bool {
    let mut rest = text;
    let mut any = false;
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, after)) = behind.split_once('}') else { return false };
        let named = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if before.chars().any(char::is_alphanumeric) || !name.chars().all(named) {
            return false;
        }
        (rest, any) = (after, true);
    }
    any && !rest.chars().any(char::is_alphanumeric)
}

/// Whether a word of the key's name is one that secrets go by, or holds one that nothing else does.
pub(super) fn sounds_secret(name: &str) -> bool {
    const WORDS: [&str; 23] = [
        "auth", "bearer", "cookie", "cookies", "dsn", "hash", "hmac", "jwk", "jwks", "key", "keys",
        "otp", "pass", "pin", "private", "psk", "pw", "pwd", "salt", "session", "sig", "user",
        "users",
    ];
    const PARTS: [&str; 12] = [
        "accesskey",
        "apikey",
        "authoriz",
        "credential",
        "passphrase",
        "passwd",
        "password",
        "privatekey",
        "secret",
        "sessionid",
        "signature",
        "token",
    ];
    // `sessionId` is two words.
    let mut spaced = String::with_capacity(name.len() + 4);
    let mut lower = false;
    for c in name.chars() {
        if lower && c.is_ascii_uppercase() {
            spaced.push(' ');
        }
        lower = c.is_ascii_lowercase();
        spaced.push(c.to_ascii_lowercase());
    }
    let name = name.to_ascii_lowercase();
    let mut words = spaced.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| WORDS.contains(&word)) || PARTS.iter().any(|part| name.contains(part))
}

/// Whether a text is a secret by what it is: credentials of a scheme (RFC 9110, 11.4), a token in
/// the compact form of JSON (RFC 7515, 7.1) or with the prefix of one who gives tokens, or pairs of
/// which one has a name that secrets go by.
pub(super) fn looks_secret(text: &str) -> bool {
    const SCHEMES: [&str; 13] = [
        "apikey",
        "aws4-hmac-sha256",
        "basic",
        "bearer",
        "digest",
        "dpop",
        "gnap",
        "hmac",
        "mutual",
        "negotiate",
        "ntlm",
        "scram-sha-256",
        "token",
    ];
    let scheme = text.trim_start().split_once(' ').is_some_and(|(scheme, rest)| {
        !rest.trim().is_empty() && SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme))
    });
    let token = text.starts_with("eyJ") && text.matches('.').count() >= 2;
    scheme || token || has_given_token(text) || has_pair(text)
}

/// Whether a word of a text begins as tokens of well-known services do, which say so for this.
fn has_given_token(text: &str) -> bool {
    /// Prefix, and the least that is behind it.
    const PREFIXES: [(&str, usize); 20] = [
        ("AKIA", 12),
        ("ASIA", 12),
        ("AIza", 12),
        ("SG.", 16),
        ("dop_v1_", 1),
        ("ghp_", 1),
        ("gho_", 1),
        ("ghu_", 1),
        ("ghs_", 1),
        ("ghr_", 1),
        ("github_pat_", 1),
        ("glpat-", 1),
        ("hvs.", 1),
        ("npm_", 8),
        ("pypi-", 16),
        ("rk_live_", 1),
        ("sk-", 16),
        ("sk_live_", 1),
        ("sk_test_", 1),
        ("xox", 8),
    ];
    let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)));
    words.any(|word| {
        let rest = |prefix| word.strip_prefix(prefix).map_or(0, str::len);
        PREFIXES.iter().any(|(prefix, least)| rest(*prefix) >= *least)
    })
}

/// Whether a text has `name=value`, `name: value` or `"name":"value"` with such a name; what begins
/// with a brace is a variable, or has pairs of its own.
fn has_pair(text: &str) -> bool {
    text.match_indices(['=', ':']).any(|(at, sign)| {
        let before = text.get(..at).unwrap_or_default();
        let behind = text.get(at + 1..).unwrap_or_default();
        let named = before.trim_end();
        let quoted = named.ends_with(['"', '\'']);
        // `host:port`, and what stands before `://`, is no pair.
        if sign == ":" && !quoted && !behind.starts_with(char::is_whitespace) {
            return false;
        }
        let name = named.trim_end_matches(['"', '\'']);
        let start = name.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)));
        let name = name.get(start.map_or(0, |start| start + 1)..).unwrap_or_default();
        let value = behind.trim_start().trim_start_matches(['"', '\'', '\\']);
        let ends = |c: char| c.is_whitespace() || "{&;,".contains(c);
        !value.is_empty() && !value.starts_with(ends) && sounds_secret(name)
    })
}
