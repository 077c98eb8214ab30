//! A value of another type than its key wants.
//!
//! In: a kind and the node that is not of it. Out: what was expected, what was found, and how it
//! would be written. Never: quotes a value that came from `${…}`.

use super::keys::{Key, Kind};
use super::problem::Fault;
use super::tree::{Node, Value};

/// `None` for a node that was complained of before.
pub(super) fn fault(kind: &Kind, node: &Node) -> Option<Fault> {
    if matches!(node.value, Value::Broken) {
        return None;
    }
    let message = format!("expected {}, found {}", expected(kind), node.described());
    Some(Fault { message, hint: hint(kind, node) })
}

fn hint(kind: &Kind, node: &Node) -> Option<String> {
    let quotes = |text: String| Some(format!("put it in quotes: {text:?}"));
    let number = |text: &str| text.parse::<i64>().is_ok();
    let flag = |text: &str| matches!(text, "true" | "false");
    match (kind, &node.value) {
        (_, Value::String(_)) if node.written.is_some() => None,
        (Kind::Duration(..), Value::Integer(n)) => {
            Some(format!("with a unit: \"{n}s\" or \"{n}ms\""))
        }
        (Kind::Size(..), Value::Integer(n)) => Some(format!("with a unit: \"{n}B\"")),
        (Kind::Text | Kind::TextOr(_) | Kind::OneOf(_), Value::Integer(n)) => quotes(n.to_string()),
        (Kind::Text | Kind::TextOr(_) | Kind::OneOf(_), Value::Float(n)) => quotes(n.to_string()),
        (Kind::Text, Value::Boolean(b)) => quotes(b.to_string()),
        (Kind::Integer(..), Value::String(text)) if number(text) => {
            Some("write it without quotes".to_owned())
        }
        (Kind::Flag, Value::String(text)) if flag(text) => {
            Some("write it without quotes".to_owned())
        }
        (Kind::List(Kind::Text | Kind::TextOr(_)), Value::String(_)) => {
            Some("put it in brackets: [\"…\"]".to_owned())
        }
        (Kind::Table(keys), Value::String(text)) => {
            // The one key that such a table cannot do without.
            let required = |key: &&Key| key.says.ends_with("; required");
            let key = keys.first().filter(required)?;
            Some(format!("write {{ {} = {text:?} }}", key.name))
        }
        (Kind::Named(_), Value::Array(_)) => Some(
            "each has a table of its own with its name: [routes.NAME], not [[routes]]".to_owned(),
        ),
        _ => None,
    }
}

/// As messages name a kind.
pub(super) fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Text => "a string".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Integer(..) => "a whole number".to_owned(),
        Kind::Duration(..) => "a duration such as \"10s\"".to_owned(),
        Kind::Size(..) => "a size such as \"64KiB\"".to_owned(),
        Kind::OneOf(choices) => {
            choices.iter().map(|choice| format!("{choice:?}")).collect::<Vec<_>>().join(" or ")
        }
        Kind::List(_) => "a list".to_owned(),
        Kind::Table(_) | Kind::Named(_) | Kind::Map(_) => "a table".to_owned(),
        Kind::TextOr(kind) => format!("a string or {}", expected(kind)),
        Kind::Any => "a value".to_owned(),
    }
}
