//! The conformance guest in Rust: shows the behaviour that its configuration, or the request's
//! field `x-behaviour`, names.
//!
//! In: the behaviours of `weir-conformance`. Out: each of them, through the SDK's public API.
//! Never: two behaviours in one exchange.

mod request;
mod response;
mod services;
#[cfg(test)]
mod tests;

use weir_sdk::{
    FieldValue, HeaderError, Plugin, Refusal, Request, Response, Result, Summary, Transform,
    Verdict, bail, log,
};

#[weir_sdk::config]
struct Config {
    /// The behaviour to show, whatever the request asks for.
    behaviour: Option<String>,
}

struct Conformance {
    behaviour: Option<String>,
}

#[weir_sdk::plugin]
impl Plugin for Conformance {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        if config.behaviour.as_deref() == Some("configure_error") {
            bail!("this configuration is refused on purpose");
        }
        Ok(Self { behaviour: config.behaviour })
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        request::on_request(&self.behaviour(request), request)
    }

    fn on_response(&self, request: &Request, response: &mut Response) -> Result {
        response::on_response(&self.behaviour(request), request, response)
    }

    fn on_request_body(&self, request: &Request) -> Option<Box<dyn Transform>> {
        match self.behaviour(request).as_str() {
            "transform_request_body" => Some(Box::new(Upper::default())),
            _ => None,
        }
    }

    fn on_response_body(&self, request: &Request, _: &Response) -> Option<Box<dyn Transform>> {
        match self.behaviour(request).as_str() {
            "transform_response_body" => Some(Box::new(Upper::default())),
            "transform_error" => Some(Box::new(Broken)),
            _ => None,
        }
    }

    fn on_complete(&self, request: &Request, summary: &Summary) {
        if self.behaviour(request) == "completion" {
            log::info!(
                status = summary.status,
                request_bytes = summary.request_bytes,
                response_bytes = summary.response_bytes,
                timed = if summary.duration_micros > 0 { "yes" } else { "no" };
                "completed"
            );
        }
    }
}

/// Upper case, and at the end how many bytes it saw.
#[derive(Default)]
struct Upper {
    seen: usize,
}

/// Fails at the end.
struct Broken;

// === impl Conformance ===

impl Conformance {
    fn behaviour(&self, request: &Request) -> String {
        match &self.behaviour {
            Some(behaviour) => behaviour.clone(),
            None => request.header_str("x-behaviour").unwrap_or_default(),
        }
    }
}

// === impl Upper ===

impl Transform for Upper {
    fn push(&mut self, mut chunk: Vec<u8>) -> Result<Vec<u8>> {
        self.seen += chunk.len();
        chunk.make_ascii_uppercase();
        Ok(chunk)
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        Ok(format!(" {}", self.seen).into_bytes())
    }
}

// === impl Broken ===

impl Transform for Broken {
    fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>> {
        Ok(chunk)
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        bail!("the transform failed on purpose")
    }
}

/// What a change gave, in the contract's words.
fn outcome(result: Result<(), HeaderError>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(error) => match error.reason {
            Refusal::InvalidSyntax => "invalid-syntax",
            Refusal::Forbidden => "forbidden",
            Refusal::SizeExceeded => "size-exceeded",
        },
    }
}

/// The lines whose names begin with `x-in`.
fn lines(head: Vec<(String, FieldValue)>) -> Vec<u8> {
    let lines: Vec<Vec<u8>> = head
        .into_iter()
        .filter(|(name, _)| name.starts_with("x-in"))
        .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
        .collect();
    lines.join(b"|".as_slice())
}

/// Values, one after the other.
fn joined(values: Vec<FieldValue>) -> Vec<u8> {
    let values: Vec<&[u8]> = values.iter().map(FieldValue::as_bytes).collect();
    values.join(b"|".as_slice())
}
