//! A value of another type than its key wants.
//!
//! In: a kind and the node that is not of it. Out: what was expected, what was found, and how it
//! would be written. Never: quotes what [may not be told](super::told).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::keys::{Key, Kind};
use super::problem::Fault;
use super::tree::{Node, Value};

/// What a value should be, as messages name it; of Weir's own keys and of plugins'.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    Text,
    Flag,
    Whole,
    Number,
    Duration,
    Size,
    /// One of these, as they are written.
    OneOf(Vec<String>),
    List,
    Table,
    Either(Vec<Wanted>),
    Anything,
}

/// `None` for a node that was complained of before.
pub(super) fn fault(kind: &Kind, node: &Node, secret: bool) -> Option<Fault> {
    if matches!(node.value, Value::Broken) {
        return None;
    }
    let wanted = Wanted::from(kind);
    let message = format!("expected {wanted}, found {}", node.described(secret));
    let secret = secret || node.is_secret();
    let hint = || hint_of(kind, node).or_else(|| wanted.hint(node));
    Some(Fault { message, hint: if secret { None } else { hint() }, secret })
}

/// What only the definition of a key knows.
fn hint_of(kind: &Kind, node: &Node) -> Option<String> {
    match (kind, &node.value) {
        (_, Value::String(_)) if node.written.is_some() => None,
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

// === impl Wanted ===

impl Wanted {
    /// How to write what was most likely meant.
    pub(super) fn hint(&self, node: &Node) -> Option<String> {
        let quotes = |text: &dyn fmt::Display| Some(format!("put it in quotes: \"{text}\""));
        let number = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
        match (self, &node.value) {
            (_, Value::String(_)) if node.written.is_some() => None,
            (Wanted::Duration, Value::Integer(n)) => {
                Some(format!("with a unit: \"{n}s\" or \"{n}ms\""))
            }
            (Wanted::Duration, Value::Float(n)) => Some(format!("with a unit: \"{n}s\"")),
            (Wanted::Duration, Value::String(_)) => Some(weir_units::duration::WRITTEN.to_owned()),
            (Wanted::Size, Value::Integer(n)) => Some(format!("with a unit: \"{n}B\"")),
            (Wanted::Size, Value::String(_)) => Some(weir_units::size::WRITTEN.to_owned()),
            (Wanted::Whole, Value::String(text)) if text.parse::<i64>().is_ok() => {
                Some("write it without quotes".to_owned())
            }
            (Wanted::Number, Value::String(text)) if number(text) => {
                Some("write it without quotes".to_owned())
            }
            (Wanted::Flag, Value::String(text)) if matches!(text.as_str(), "true" | "false") => {
                Some("write it without quotes".to_owned())
            }
            (Wanted::Flag, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "1" => Some("write true".to_owned()),
                "no" | "off" | "0" => Some("write false".to_owned()),
                _ => None,
            },
            (Wanted::Flag, Value::Integer(n @ (0 | 1))) => Some(format!("write {}", *n == 1)),
            (Wanted::Whole, Value::Float(n)) if n.is_finite() => {
                Some(format!("without a fraction: {:.0}", n))
            }
            (Wanted::List, Value::String(_)) => Some("put it in brackets: [\"…\"]".to_owned()),
            _ if !self.takes_text() => None,
            (_, Value::Integer(n)) => quotes(n),
            (_, Value::Float(n)) => quotes(n),
            (Wanted::Text, Value::Boolean(b)) => quotes(b),
            _ => None,
        }
    }

    fn takes_text(&self) -> bool {
        match self {
            Wanted::Text => true,
            Wanted::OneOf(choices) => choices.iter().any(|choice| choice.starts_with('"')),
            Wanted::Either(all) => all.iter().any(Wanted::takes_text),
            _ => false,
        }
    }
}

impl From<&Kind> for Wanted {
    fn from(kind: &Kind) -> Wanted {
        match kind {
            Kind::Text => Wanted::Text,
            Kind::Flag => Wanted::Flag,
            Kind::Integer(..) => Wanted::Whole,
            Kind::Duration(..) => Wanted::Duration,
            Kind::Size(..) => Wanted::Size,
            Kind::OneOf(choices) => {
                Wanted::OneOf(choices.iter().map(|choice| format!("{choice:?}")).collect())
            }
            Kind::List(_) => Wanted::List,
            Kind::Table(_) | Kind::Named(_) | Kind::Map(_) => Wanted::Table,
            Kind::TextOr(kind) => Wanted::Either(vec![Wanted::Text, Wanted::from(*kind)]),
            Kind::Any => Wanted::Anything,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wanted::Text => "a string",
            Wanted::Flag => "true or false",
            Wanted::Whole => "a whole number",
            Wanted::Number => "a number",
            Wanted::Duration => "a duration such as \"10s\"",
            Wanted::Size => "a size such as \"64KiB\"",
            Wanted::OneOf(choices) => return alternatives(f, choices),
            Wanted::List => "a list",
            Wanted::Table => "a table",
            Wanted::Either(all) => return alternatives(f, all),
            Wanted::Anything => "a value",
        })
    }
}

/// `a, b or c`
fn alternatives<T: fmt::Display>(f: &mut fmt::Formatter<'_>, all: &[T]) -> fmt::Result {
    for (i, one) in all.iter().enumerate() {
        let before = match i {
            0 => "",
            i if i + 1 == all.len() => " or ",
            _ => ", ",
        };
        write!(f, "{before}{one}")?;
    }
    Ok(())
}
