//! A body with variables, where braces are common: JSON, scripts, style sheets.
//!
//! In: the text as configured, and its type. Out: the body, with what variables give escaped for
//! that type. Never: takes a brace for a variable that cannot be one.

use weir_sdk::{Request, Result, Template, TemplateError};

/// Text and variables in turn.
pub struct Body {
    parts: Vec<Part>,
    escape: Escape,
}

enum Part {
    Text(String),
    Variable(Template),
}

/// How the value of a variable is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    Nothing,
    Json,
    Markup,
}

// === impl Escape ===

impl Escape {
    /// For a lower-case media type.
    pub fn of(kind: &str) -> Self {
        if kind.contains("json") {
            Self::Json
        } else if kind.contains("html") || kind.contains("xml") || kind.contains("svg") {
            Self::Markup
        } else {
            Self::Nothing
        }
    }

    fn push(self, text: &str, out: &mut String) {
        for c in text.chars() {
            match (self, c) {
                (Self::Json, '"') => out.push_str("\\\""),
                (Self::Json, '\\') => out.push_str("\\\\"),
                (Self::Json, c) if c < ' ' => {
                    const DIGITS: &[u8; 16] = b"0123456789abcdef";
                    out.push_str("\\u00");
                    out.push(DIGITS[c as usize >> 4].into());
                    out.push(DIGITS[c as usize & 15].into());
                }
                (Self::Markup, '<') => out.push_str("&lt;"),
                (Self::Markup, '>') => out.push_str("&gt;"),
                (Self::Markup, '&') => out.push_str("&amp;"),
                (Self::Markup, '"') => out.push_str("&quot;"),
                (Self::Markup, '\'') => out.push_str("&#39;"),
                (_, c) => out.push(c),
            }
        }
    }
}

// === impl Body ===

impl Body {
    /// Takes a text apart. `{name}` is a variable, and an unknown one is an error; `{{` is a brace,
    /// and `}}` ends it; every other brace is itself.
    pub fn parse(source: &str, escape: Escape) -> Result<Self> {
        let mut parts = Vec::new();
        let mut text = String::new();
        // For each open brace, whether it was doubled.
        let mut open = Vec::new();
        let mut rest = source;
        while let Some(brace) = rest.find(['{', '}']) {
            text.push_str(&rest[..brace]);
            let (this, after) = rest[brace..].split_at(1);
            if this == "}" {
                let doubled = open.pop().unwrap_or(false);
                rest = after.strip_prefix('}').filter(|_| doubled).unwrap_or(after);
                text.push('}');
            } else if let Some(after) = after.strip_prefix('{') {
                open.push(true);
                text.push('{');
                rest = after;
            } else if let Some(end) = variable(after) {
                let (name, after) = after.split_at(end);
                let variable: Template = ["{", name, "}"]
                    .concat()
                    .parse()
                    .map_err(|error: TemplateError| error.told())?;
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Variable(variable));
                rest = after.strip_prefix('}').unwrap_or(after);
            } else {
                open.push(false);
                text.push('{');
                rest = after;
            }
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self { parts, escape })
    }

    /// The text, if it has no variable.
    pub fn into_static(mut self) -> Result<String, Self> {
        match self.parts.as_mut_slice() {
            [] => Ok(String::new()),
            [Part::Text(text)] => Ok(std::mem::take(text)),
            _ => Err(self),
        }
    }

    /// The body for this request.
    pub fn render(&self, request: &Request) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Variable(variable) => {
                    self.escape.push(&variable.render_str(request), &mut out)
                }
            }
        }
        out
    }
}

/// Where the name of a variable ends that begins here, if one can: a lower-case letter first, and
/// nothing that belongs to a language with braces.
fn variable(text: &str) -> Option<usize> {
    let end = text.find(|c: char| c.is_whitespace() || "\"{}():;,<>=[]".contains(c))?;
    let named = text.starts_with(|first: char| first.is_ascii_lowercase());
    (named && text[end..].starts_with('}')).then_some(end)
}
