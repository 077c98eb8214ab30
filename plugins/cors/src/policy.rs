//! What a preflight is told of methods and header fields.
//!
//! In: the lists of the configuration. Out: field values, built once, or what the browser asked
//! for where anything is allowed. Never: gives back bytes that no list of names has.

use weir_sdk::{Error, FieldValue, Problems, Result};

/// The answer to one question of a preflight.
pub enum Answer {
    /// No field at all: what is safelisted is allowed.
    Nothing,
    /// This list.
    List(String),
    /// What was asked for. A `*` would not cover `authorization`, nor anything with credentials.
    Echo,
}

// === impl Answer ===

impl Answer {
    pub fn new(names: &[String]) -> Result<Self> {
        let list = list(names)?;
        Ok(match names {
            [] => Self::Nothing,
            _ if names.iter().any(|name| name == "*") => Self::Echo,
            _ => Self::List(list),
        })
    }

    pub fn echoes(&self) -> bool {
        matches!(self, Self::Echo)
    }

    /// The field's value; `asked` is called only if it matters.
    pub fn to(&self, asked: impl FnOnce() -> Option<FieldValue>) -> Option<FieldValue> {
        match self {
            Self::Nothing => None,
            Self::List(list) => Some(list.as_str().into()),
            Self::Echo => asked()
                .filter(|value| value.iter().all(|byte| is_token(*byte) || b", \t".contains(byte))),
        }
    }
}

/// Names, checked and joined by commas.
pub fn list(names: &[String]) -> Result<String> {
    let mut problems = Problems::new();
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() || !name.bytes().all(is_token) {
            let error = Error::new(format!("{name:?} is no name (RFC 9110, 5.6.2)"));
            problems.add(error.help("one in each text").at(at));
        }
    }
    problems.or(names.join(", "))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
