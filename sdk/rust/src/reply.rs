//! A response that a plugin gives by itself, and the choice between it and going on.
//!
//! In: what the author says. Out: the `reply` and `verdict` of the contract.
//! Never: checks the fields; the proxy does, and treats an illegal one as the plugin's error.

use std::time::Duration;

use serde::Serialize;

use crate::bindings::imports::weir::plugin::types;

/// What happens to a request after [`on_request`](crate::Plugin::on_request).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Hand the request to the next plugin, then to the upstream.
    Forward,
    /// Answer now; the upstream is not called. Plugins that already saw the request see this
    /// response too.
    Respond(Reply),
}

/// A response that a plugin answers by itself.
///
/// ```
/// use std::time::Duration;
/// use weir_sdk::Reply;
/// let reply = Reply::new(503)
///     .header("retry-after", "120")
///     .body("come back later")
///     .delay(Duration::from_millis(250));
/// assert_eq!(reply.status, 503);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599. Anything else is an error of the plugin.
    pub status: u16,
    /// Field lines in order. Illegal or forbidden ones are an error of the plugin.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Sent with its `content-length`; left out for HEAD, 204 and 304.
    pub body: Vec<u8>,
    /// How long the proxy waits before it sends the reply. At most 5 minutes, counted in whole
    /// milliseconds. No guest is held meanwhile.
    pub delay: Duration,
}

// === impl Reply ===

impl Reply {
    /// A reply with this status, no fields and no body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delay: Duration::ZERO }
    }

    /// A reply with a body of `text/plain; charset=utf-8`.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status).header("content-type", "text/plain; charset=utf-8").body(text.into())
    }

    /// A reply with a body of `application/json`. A value that cannot be written as JSON (a map
    /// with keys that are no strings) gives `null`.
    pub fn json(status: u16, value: impl Serialize) -> Self {
        Self::new(status)
            .header("content-type", "application/json")
            .body(serde_json::to_vec(&value).unwrap_or_else(|_| b"null".to_vec()))
    }

    /// A reply that says what is wrong, as `application/problem+json` (RFC 9457).
    pub fn problem(status: u16, title: &str, detail: &str) -> Self {
        #[derive(Serialize)]
        struct Problem<'a> {
            status: u16,
            title: &'a str,
            detail: &'a str,
        }
        let problem = Problem { status, title, detail };
        Self { headers: Vec::new(), ..Self::json(status, problem) }
            .header("content-type", "application/problem+json")
    }

    /// A redirect: this status and a `location`.
    pub fn redirect(status: u16, location: impl AsRef<[u8]>) -> Self {
        Self::new(status).header("location", location)
    }

    /// Adds a field line.
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets how long the proxy waits before it sends the reply.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

impl From<Reply> for types::Reply {
    fn from(reply: Reply) -> Self {
        Self {
            status: reply.status,
            fields: reply.headers,
            body: reply.body,
            delay_millis: u32::try_from(reply.delay.as_millis()).unwrap_or(u32::MAX),
        }
    }
}

impl From<Reply> for Verdict {
    fn from(reply: Reply) -> Self {
        Self::Respond(reply)
    }
}

/// `Some` answers now, `None` forwards.
impl From<Option<Reply>> for Verdict {
    fn from(reply: Option<Reply>) -> Self {
        reply.map_or(Self::Forward, Self::Respond)
    }
}
