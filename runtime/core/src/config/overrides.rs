//! `WEIR__LISTENERS__WEB__BIND=…`: keys by their path, from the environment.
//!
//! In: the tree as written. Out: the tree with keys replaced or added, whose place is the variable.
//! Never: guesses between two keys: what is there wins over what could be.

use super::environment::{Environment, PREFIX};
use super::keys::{self, Kind};
use super::path::join;
use super::place::Place;
use super::problem::Problem;
use super::report::Report;
use super::tree::{self, Entry, Node, Table, Value};

/// Applies every variable that starts with `WEIR__`, in order of their names.
pub(crate) fn apply(root: &mut Node, environment: &Environment, report: &Report) {
    for (name, text) in environment.starting_with(PREFIX) {
        let place = Place::Variable(name.into());
        let segments: Vec<&str> = name[PREFIX.len()..].split("__").collect();
        if segments.iter().any(|segment| segment.is_empty()) {
            report.problem(
                Problem::new(place, "", "this name has an empty part").with_hint(
                    "join the parts of a path with two underscores: WEIR__SERVER__GRACE",
                ),
            );
            continue;
        }
        if let Err((path, found)) = set(root, &Kind::Table(keys::ROOT), "", &segments, text, &place)
        {
            let message = format!("{path} is {found} and has nothing below it");
            report.problem(
                Problem::new(place, path, message).with_hint(
                    "override the value itself, or a key of a table that is written out",
                ),
            );
        }
    }
}

/// Walks down and sets; the error is the path at which it goes no further, and what stands there.
fn set(
    node: &mut Node,
    kind: &Kind,
    path: &str,
    segments: &[&str],
    text: &str,
    place: &Place,
) -> Result<(), (String, String)> {
    let Some((segment, rest)) = segments.split_first() else {
        *node = value(text, kind, place);
        return Ok(());
    };
    let found = node.described(false);
    match &mut node.value {
        Value::Table(table) => {
            let name = matching(table, kind, segment);
            let below = kind_below(kind, &name);
            let entry = table.entry(name.clone()).or_insert_with(|| Entry {
                key: place.clone(),
                node: Node::new(place.clone(), Value::Table(Table::new())),
            });
            set(&mut entry.node, below, &join(path, &name), rest, text, place)
        }
        Value::Array(items) => {
            let index = segment.parse::<usize>().ok().filter(|index| *index <= items.len());
            let index = index.ok_or_else(|| (path.to_owned(), found))?;
            if index == items.len() {
                items.push(Node::new(place.clone(), Value::Table(Table::new())));
            }
            let below = match kind {
                Kind::List(kind) | Kind::TextOr(Kind::List(kind)) => kind,
                _ => &Kind::Any,
            };
            match items.get_mut(index) {
                Some(item) => set(item, below, &format!("{path}[{index}]"), rest, text, place),
                None => Ok(()),
            }
        }
        _ => Err((path.to_owned(), found)),
    }
}

/// The key meant: one that is there, else one that is defined, else the segment in lower case.
fn matching(table: &Table, kind: &Kind, segment: &str) -> String {
    let fold = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let wanted = fold(segment);
    let defined = match kind {
        Kind::Table(keys) | Kind::TextOr(Kind::Table(keys)) => *keys,
        _ => &[],
    };
    let known = table.keys().map(String::as_str).chain(defined.iter().map(|key| key.name));
    known.into_iter().find(|name| fold(name) == wanted).map_or(wanted.clone(), str::to_owned)
}

fn kind_below(kind: &Kind, name: &str) -> &'static Kind {
    match kind {
        Kind::Table(keys) | Kind::TextOr(Kind::Table(keys)) => {
            let keys: &'static [keys::Key] = keys;
            keys.iter().find(|key| key.name == name).map_or(&Kind::Any, |key| &key.kind)
        }
        Kind::Named(keys) => named(keys),
        Kind::Map(kind) => kind,
        _ => &Kind::Any,
    }
}

/// What stands under a name of a section, as a kind of its own.
fn named(keys: &'static [keys::Key]) -> &'static Kind {
    static SECTIONS: [Kind; 4] = [
        Kind::Table(keys::LISTENER),
        Kind::Table(keys::PLUGIN),
        Kind::Table(keys::ROUTE),
        Kind::Table(keys::UPSTREAM),
    ];
    let same = |kind: &&Kind| matches!(kind, Kind::Table(table) if std::ptr::eq(*table, keys));
    SECTIONS.iter().find(same).unwrap_or(&Kind::Any)
}

/// The text as TOML where that fits the key, else as a string.
fn value(text: &str, kind: &Kind, place: &Place) -> Node {
    let parsed = tree::parse_value(place, text).filter(|node| fits(node, kind));
    parsed.unwrap_or_else(|| Node::new(place.clone(), Value::String(text.to_owned())))
}

fn fits(node: &Node, kind: &Kind) -> bool {
    match kind {
        Kind::Text | Kind::Duration(..) | Kind::Size(..) | Kind::OneOf(_) => {
            matches!(node.value, Value::String(_))
        }
        Kind::Flag => matches!(node.value, Value::Boolean(_)),
        Kind::Integer(..) => matches!(node.value, Value::Integer(_)),
        Kind::List(_) => matches!(node.value, Value::Array(_)),
        Kind::Table(_) | Kind::Named(_) | Kind::Map(_) => matches!(node.value, Value::Table(_)),
        Kind::TextOr(kind) => matches!(node.value, Value::String(_)) || fits(node, kind),
        Kind::Any => true,
    }
}
