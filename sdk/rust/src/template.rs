//! Texts with variables in braces, such as `{client.address}`.
//!
//! In: the text as configured. Out: parsed once, rendered per exchange.
//! Never: fails to render; a fact that an exchange lacks is empty.

#[cfg(test)]
mod tests;
mod variable;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::{Error, Request, Schema};
use variable::Variable;

/// A text with variables in braces; `{{` and `}}` are braces.
///
/// | variable | gives |
/// |---|---|
/// | `{client.address}`, `{client.port}` | the peer |
/// | `{request.id}` | the exchange's identifier |
/// | `{request.method}`, `{request.scheme}` | `GET`, `https` |
/// | `{request.host}` | the authority without its port |
/// | `{request.path}`, `{request.query}` | as they are forwarded, not decoded |
/// | `{request.query.NAME}` | first value of a query parameter, decoded |
/// | `{request.header.NAME}` | a field as a whole, its lines joined by commas |
/// | `{request.cookie.NAME}` | first cookie of this name |
/// | `{attribute.KEY}` | what a plugin left |
/// | `{route}` | the route's name |
///
/// ```
/// let key: weir_sdk::Template = "{route}:{client.address}".parse()?;
/// let error = "{client.adress}".parse::<weir_sdk::Template>().unwrap_err();
/// assert!(error.to_string().starts_with("unknown variable `{client.adress}`: known are"));
/// # assert!(key.as_static().is_none());
/// # Ok::<(), weir_sdk::TemplateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    shape: Shape,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// No such variable.
    Unknown {
        /// What stood between the braces.
        variable: String,
    },
    /// A brace that nothing opens or closes.
    Unbalanced {
        /// Offset of the brace in bytes.
        at: usize,
    },
}

/// The shapes that render differently, cheapest first.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// No variable.
    Static(String),
    /// One variable and nothing else.
    Single(Variable),
    /// Anything else.
    Parts(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable),
}

// === impl Template ===

impl Template {
    /// A template that is this text, without any variable; braces mean themselves.
    pub fn literal(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { source: text.replace('{', "{{").replace('}', "}}"), shape: Shape::Static(text) }
    }

    /// The text, if it has no variable.
    pub fn as_static(&self) -> Option<&str> {
        match &self.shape {
            Shape::Static(text) => Some(text),
            _ => None,
        }
    }

    /// The text as it was configured.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text for this exchange, for a header field. What the exchange lacks is empty. Copies
    /// nothing where there is no variable, or nothing but one.
    pub fn render(&self, request: &Request) -> Cow<'_, [u8]> {
        match &self.shape {
            Shape::Static(text) => Cow::Borrowed(text.as_bytes()),
            Shape::Single(variable) => Cow::Owned(variable.value(request).unwrap_or_default()),
            Shape::Parts(parts) => {
                let mut out = Vec::with_capacity(self.source.len() + 32);
                for part in parts {
                    match part {
                        Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                        Part::Variable(variable) => {
                            out.extend(variable.value(request).unwrap_or_default())
                        }
                    }
                }
                Cow::Owned(out)
            }
        }
    }

    /// As [`render`](Self::render), for keys, paths and bodies; bytes that are no UTF-8 become
    /// U+FFFD.
    pub fn render_str(&self, request: &Request) -> Cow<'_, str> {
        text(self.render(request))
    }

    /// As [`render_str`](Self::render_str), but `None` if the exchange lacks any of the variables:
    /// a key of nothing would be one that strangers share.
    pub fn render_complete(&self, request: &Request) -> Option<Cow<'_, str>> {
        match &self.shape {
            Shape::Static(text) => Some(Cow::Borrowed(text)),
            Shape::Single(variable) => Some(text(Cow::Owned(variable.value(request)?))),
            Shape::Parts(parts) => {
                let mut out = Vec::with_capacity(self.source.len() + 32);
                for part in parts {
                    match part {
                        Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                        Part::Variable(variable) => out.extend(variable.value(request)?),
                    }
                }
                Some(text(Cow::Owned(out)))
            }
        }
    }
}

/// Parses a text; `{{` is a brace.
impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(source: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(brace) = rest.find(['{', '}']) {
            let at = source.len() - rest.len() + brace;
            text.push_str(&rest[..brace]);
            let after = &rest[brace..];
            rest = if let Some(after) = after.strip_prefix("{{") {
                text.push('{');
                after
            } else if let Some(after) = after.strip_prefix("}}") {
                text.push('}');
                after
            } else {
                let (name, after) = after
                    .strip_prefix('{')
                    .and_then(|after| after.split_once('}'))
                    .ok_or(TemplateError::Unbalanced { at })?;
                let variable = Variable::named(name)
                    .ok_or_else(|| TemplateError::Unknown { variable: name.into() })?;
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Variable(variable));
                after
            };
        }
        text.push_str(rest);

        let shape = if parts.is_empty() {
            Shape::Static(text)
        } else {
            if !text.is_empty() {
                parts.push(Part::Text(text));
            }
            match parts.as_slice() {
                [Part::Variable(only)] => Shape::Single(only.clone()),
                _ => Shape::Parts(parts),
            }
        };
        Ok(Self { source: source.into(), shape })
    }
}

impl Default for Template {
    fn default() -> Self {
        Self::literal("")
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        text.parse::<Self>().map_err(|error| serde::de::Error::custom(error.told()))
    }
}

impl serde::Serialize for Template {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.source)
    }
}

impl Schema for Template {
    fn members(out: &mut String) {
        out.push_str(r#""type":"string","format":"weir-template""#);
    }
}

// === impl TemplateError ===

impl TemplateError {
    /// For the operator: what is wrong, and what to write instead.
    pub fn told(&self) -> Error {
        match self {
            Self::Unknown { variable } => Error::new(format!("unknown variable `{{{variable}}}`"))
                .help(format!("known are {} (a brace itself is `{{{{`)", variable::KNOWN)),
            Self::Unbalanced { at } => {
                let error = Error::new(format!("the brace at offset {at} has no partner"));
                error.help("a brace itself is `{{` or `}}`")
            }
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { variable } => write!(
                f,
                "unknown variable `{{{variable}}}`: known are {} (a brace itself is `{{{{`)",
                variable::KNOWN
            ),
            Self::Unbalanced { at } => write!(
                f,
                "the brace at offset {at} has no partner: a brace itself is `{{{{` or `}}}}`"
            ),
        }
    }
}

impl std::error::Error for TemplateError {}

fn text(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
    }
}
