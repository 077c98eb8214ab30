//! The response as a plugin sees it.
//!
//! In: nothing. Out: its parts, each by one host call.
//! Never: keeps a copy of the head; the proxy keeps the message.

use crate::FieldValue;
use crate::error::{BodyError, HeaderError};
use crate::host;
use crate::request::{lines, refused, values};

/// The response on its way to the client. Good until the hook returns.
pub struct Response {
    pub(crate) host: host::Response,
}

// === impl Response ===

impl Response {
    /// That of the hook that runs.
    #[cfg(target_family = "wasm")]
    pub(crate) fn current() -> Self {
        Self { host: host::Response }
    }

    /// The status code, 200 to 599.
    pub fn status(&self) -> u16 {
        self.host.status()
    }

    /// Changes the status code. 200 to 599; others are refused as invalid syntax.
    pub fn set_status(&mut self, status: u16) -> Result<(), HeaderError> {
        refused(":status", self.host.set_status(status))
    }

    /// First line of the field: all of one that has a single value, such as `location`; of one that
    /// is a list take [`field`](Self::field). The name is matched without regard to case.
    pub fn header(&self, name: &str) -> Option<FieldValue> {
        self.host.field_line(name).map(FieldValue::from)
    }

    /// As [`header`](Self::header), as text; `None` also where it is not UTF-8.
    pub fn header_str(&self, name: &str) -> Option<String> {
        String::from_utf8(self.host.field_line(name)?).ok()
    }

    /// Every value of the field, in order.
    pub fn header_values(&self, name: &str) -> Vec<FieldValue> {
        values(self.host.field_lines(name))
    }

    /// The whole field: its lines joined by commas (RFC 9110, 5.3). Not for `set-cookie`, whose lines
    /// are no list.
    pub fn field(&self, name: &str) -> Option<FieldValue> {
        self.host.field(name).map(FieldValue::from)
    }

    /// The whole head, in order of first appearance; names are lower-case.
    pub fn headers(&self) -> Vec<(String, FieldValue)> {
        lines(self.host.fields())
    }

    /// Replaces every value of the field by this one.
    pub fn set_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HeaderError> {
        refused(name, self.host.set_field(name, value.as_ref()))
    }

    /// Adds one more field line.
    pub fn append_header(
        &mut self,
        name: &str,
        value: impl AsRef<[u8]>,
    ) -> Result<(), HeaderError> {
        refused(name, self.host.append_field(name, value.as_ref()))
    }

    /// Removes every value of the field; fine if there is none.
    pub fn remove_header(&mut self, name: &str) -> Result<(), HeaderError> {
        refused(name, self.host.remove_field(name))
    }

    /// Reads the whole body, waiting for it, and keeps it for sending. `limit` in bytes.
    ///
    /// A plugin that calls this anywhere becomes suspendable, which costs about 0.2 µs a hook.
    pub fn read_body(&mut self, limit: u64) -> Result<Vec<u8>, BodyError> {
        self.host.read_body(limit).map_err(BodyError::from)
    }

    /// Replaces the body and fixes `content-length`.
    pub fn set_body(&mut self, body: impl AsRef<[u8]>) {
        self.host.set_body(body.as_ref());
    }
}
