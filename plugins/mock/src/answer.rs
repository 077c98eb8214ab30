//! A reply as configured: what is the same each time is made once.

use std::collections::BTreeMap;

use weir_sdk::{
    Duration, Error, FieldName, FieldValue, Problems, Reply, Request, Result, Template,
};

use crate::body::{Body, Escape};

/// What a configuration says about one reply.
pub struct Parts {
    pub status: Option<u16>,
    pub headers: BTreeMap<FieldName, Template>,
    pub body: Option<String>,
    pub delay: Option<Duration>,
}

/// A reply, and what in it depends on the request.
pub struct Answer {
    /// Everything that is the same each time.
    fixed: Reply,
    headers: Vec<(FieldName, Template)>,
    body: Option<Body>,
}

/// What the contract allows a reply to wait.
const MAX_DELAY_MILLIS: u128 = 300_000;

// === impl Answer ===

impl Answer {
    pub fn new(parts: Parts) -> Result<Self> {
        let status = parts.status.unwrap_or(200);
        let mut problems = Problems::new();
        if !(200..=599).contains(&status) {
            problems.add(Error::new(format!("{status} is not in 200 to 599")).at("status"));
        }
        let mut fixed = Reply::new(status);
        if let Some(delay) = parts.delay {
            if delay.as_millis() > MAX_DELAY_MILLIS {
                let error = Error::new("this delay is longer than 5 minutes");
                problems.add(error.help("at most \"5m\"").at("delay"));
            }
            fixed = fixed.delay(*delay);
        }

        let text = parts.body.unwrap_or_default();
        let mut kind = None;
        let mut headers = Vec::new();
        for (name, value) in parts.headers {
            let place = |error: Error| error.at(&name).at("headers");
            if !FieldValue::is_legal(value.source().as_bytes()) {
                problems.add(place(Error::new("the value has control characters")));
                continue;
            }
            let Some(name) = problems.take(name.clone().writable().map_err(place)) else {
                continue;
            };
            if &*name == "content-type" {
                kind = Some(value.source().to_ascii_lowercase());
            }
            match value.as_static() {
                Some(value) => fixed = fixed.header(&*name, value),
                None => headers.push((name, value)),
            }
        }
        if kind.is_none() && !text.is_empty() {
            let guess = guess(&text);
            fixed = fixed.header("content-type", guess);
            kind = Some(guess.into());
        }
        let body = Body::parse(&text, Escape::of(kind.as_deref().unwrap_or_default()))
            .map_err(|error| error.at("body"));
        let body = match problems.take(body).map(Body::into_static) {
            Some(Ok(text)) => {
                fixed = fixed.body(text);
                None
            }
            Some(Err(body)) => Some(body),
            None => None,
        };
        problems.or(Self { fixed, headers, body })
    }

    /// The reply to this request.
    pub fn reply(&self, request: &Request) -> Reply {
        let mut reply = self.fixed.clone();
        for (name, value) in &self.headers {
            let mut value = value.render(request).into_owned();
            // Variables can hold what a field cannot, a decoded line break for one.
            for byte in &mut value {
                if !FieldValue::is_legal(&[*byte]) {
                    *byte = b' ';
                }
            }
            reply = reply.header(&**name, value);
        }
        if let Some(body) = &self.body {
            reply = reply.body(body.render(request));
        }
        reply
    }
}

/// The type of a body that comes without one.
fn guess(text: &str) -> &'static str {
    match text.trim_start().as_bytes().first() {
        Some(b'[') => "application/json",
        // A brace may be doubled, or begin a variable.
        Some(b'{') if !text.trim_start()[1..].starts_with(|c: char| c.is_ascii_lowercase()) => {
            "application/json"
        }
        Some(b'<') => "text/html; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    }
}
