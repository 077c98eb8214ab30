//! The request as a plugin sees it.
//!
//! In: nothing. Out: its parts, each by one host call.
//! Never: keeps a copy of the head; the proxy keeps the message.

use std::net::IpAddr;

use crate::bindings::imports::weir::plugin::types;
use crate::error::{BodyError, HeaderError};
use crate::host;
use crate::{Client, FieldValue, Target, Tls};

/// The request on its way to the upstream. Good until the hook returns.
///
/// Every method is a call into the proxy (some 100 ns), so keep what you use twice. Changes need
/// `&mut`: in a response hook the request is read-only, and the compiler says so.
pub struct Request {
    pub(crate) host: host::Request,
}

// === impl Request ===

impl Request {
    /// That of the hook that runs.
    #[cfg(target_family = "wasm")]
    pub(crate) fn current() -> Self {
        Self { host: host::Request }
    }

    /// What the host says to changes where the types allow none: the conformance guest asks.
    #[doc(hidden)]
    pub fn changes_past_their_time(&self) -> [Result<(), HeaderError>; 6] {
        [
            refused("x-in", self.host.set_field("x-in", b"a")),
            refused("x-in", self.host.append_field("x-in", b"a")),
            refused("x-in", self.host.remove_field("x-in")),
            refused(":method", self.host.set_method("PUT")),
            refused(":authority", self.host.set_authority("a")),
            refused(":path", self.host.set_path_with_query("/a")),
        ]
    }

    /// The method, e.g. `GET`. Case matters.
    pub fn method(&self) -> String {
        self.host.method()
    }

    /// Changes the method that the upstream sees.
    pub fn set_method(&mut self, method: &str) -> Result<(), HeaderError> {
        refused(":method", self.host.set_method(method))
    }

    /// `http` or `https`: how the client spoke to the proxy.
    pub fn scheme(&self) -> String {
        self.host.scheme()
    }

    /// Host and optional port the request is for (`:authority`, else `Host`).
    pub fn authority(&self) -> String {
        self.host.authority()
    }

    /// The authority without its port, lower-case; brackets of an IPv6 address stay.
    pub fn host(&self) -> String {
        let mut authority = self.host.authority();
        if let Some(at) = port_colon(&authority) {
            authority.truncate(at);
        }
        authority.make_ascii_lowercase();
        authority
    }

    /// Changes the authority that the upstream sees as `Host` or `:authority`.
    pub fn set_authority(&mut self, authority: &str) -> Result<(), HeaderError> {
        refused(":authority", self.host.set_authority(authority))
    }

    /// Path and query exactly as they will be forwarded, e.g. `/a/b?c=d`.
    pub fn path_with_query(&self) -> String {
        self.host.path_with_query()
    }

    /// Path and query, taken apart. One call for [`path`](Self::path), [`query`](Self::query) and
    /// every parameter.
    pub fn target(&self) -> Target {
        Target::new(self.host.path_with_query())
    }

    /// The path without the query, not decoded.
    pub fn path(&self) -> String {
        let mut path = self.host.path_with_query();
        if let Some(at) = path.find('?') {
            path.truncate(at);
        }
        path
    }

    /// First value of a query parameter, decoded. See [`Target::parameter`].
    pub fn query(&self, name: &str) -> Option<String> {
        self.target().parameter(name).map(|value| value.into_owned())
    }

    /// Takes every query parameter of this name out of what is forwarded; the others stay as they
    /// are. One call where there is none, two where there is.
    pub fn remove_query(&mut self, name: &str) -> Result<(), HeaderError> {
        match self.target().without(name) {
            Some(rest) => self.set_path_with_query(&rest),
            None => Ok(()),
        }
    }

    /// Changes path and query. The route was chosen before and stays. Must start with `/` (or be
    /// `*` for OPTIONS).
    pub fn set_path_with_query(&mut self, value: &str) -> Result<(), HeaderError> {
        refused(":path", self.host.set_path_with_query(value))
    }

    /// First line of the field: all of one that has a single value, such as `origin`; of one that
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

    /// The whole field: its lines joined by commas (RFC 9110, 5.3), those of `cookie` by
    /// semicolons (RFC 9113, 8.2.3). Empty lines add nothing.
    ///
    /// ```
    /// # use weir_sdk::{NoConfig, Plugin, Request, Result, Verdict, testing};
    /// # struct Tags;
    /// # impl Plugin for Tags {
    /// #     type Config = NoConfig;
    /// #     fn configure(_: NoConfig) -> Result<Self> { Ok(Tags) }
    /// fn on_request(&self, request: &mut Request) -> Result<Verdict> {
    ///     let tags = request.field("x-tags").unwrap_or_default();
    ///     request.set_header("x-all-tags", &tags)?;
    ///     Ok(Verdict::Forward)
    /// }
    /// # }
    /// let request = testing::request("GET", "/").header("x-tags", "a").header("x-tags", "b, c");
    /// let mut proxy = testing::Plugin::<Tags>::configure(weir_sdk::serde_json::json!({}))?;
    /// assert_eq!(proxy.request(request).forwarded().header("x-all-tags"), Some("a, b, c"));
    /// # Ok::<(), weir_sdk::Error>(())
    /// ```
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

    /// First cookie of this name, as it was sent (RFC 6265, 4.2); `None` also where it is not
    /// UTF-8.
    pub fn cookie(&self, name: &str) -> Option<String> {
        cookies(&self.host.field_lines("cookie"))
            .find(|(key, _)| *key == name.as_bytes())
            .and_then(|(_, value)| String::from_utf8(value.into()).ok())
    }

    /// Every cookie of this name, in the order in which they were sent.
    pub fn cookies(&self, name: &str) -> Vec<FieldValue> {
        cookies(&self.host.field_lines("cookie"))
            .filter(|(key, _)| *key == name.as_bytes())
            .map(|(_, value)| value.into())
            .collect()
    }

    /// Takes every cookie of this name out of what is forwarded; the others stay, in one field
    /// line.
    pub fn remove_cookie(&mut self, name: &str) -> Result<(), HeaderError> {
        self.keep_cookies(|key, _| key != name.as_bytes())
    }

    /// The lines that have cookies.
    pub(crate) fn cookie_lines(&self) -> Vec<Vec<u8>> {
        self.host.field_lines("cookie")
    }

    /// Forwards only the cookies that stay, which is asked of each name and of all that stands with it
    /// between two semicolons.
    pub(crate) fn keep_cookies(
        &mut self,
        stays: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Result<(), HeaderError> {
        let lines = self.cookie_lines();
        let stays = |pair: &&[u8]| stays(cookie(pair).0, pair);
        if cookie_pairs(&lines).all(|pair| stays(&pair)) {
            return Ok(());
        }
        let rest: Vec<&[u8]> = cookie_pairs(&lines).filter(stays).collect();
        if rest.is_empty() {
            self.remove_header("cookie")
        } else {
            self.set_header("cookie", rest.join(b"; ".as_slice()))
        }
    }

    /// The peer that sent the request. Three calls: for one part take that alone.
    pub fn client(&self) -> Client {
        let (address, port) = (self.client_address(), self.client_port());
        Client { address, port, tls: self.client_tls() }
    }

    /// The peer's address, without port or brackets; empty for a Unix socket.
    pub fn client_address(&self) -> String {
        self.host.client_address()
    }

    /// The same as a type; `None` for a Unix socket.
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.client_address().parse().ok()
    }

    /// The peer's port; 0 for a Unix socket or where a trusted proxy named none.
    pub fn client_port(&self) -> u16 {
        self.host.client_port()
    }

    /// Facts of the TLS connection that the proxy terminated; absent on plaintext.
    pub fn client_tls(&self) -> Option<Tls> {
        self.host.client_tls()
    }

    /// Name of the route that matched.
    pub fn route(&self) -> String {
        self.host.route()
    }

    /// The proxy's identifier of this exchange, or what a plugin made it: `request.id`.
    pub fn id(&self) -> String {
        self.attribute("request.id").unwrap_or_default()
    }

    /// A fact that a plugin left, e.g. `auth.subject`.
    pub fn attribute(&self, key: &str) -> Option<String> {
        self.host.attribute(key)
    }

    /// Leaves a fact for other plugins, for upstream choice and for the access log, and carries
    /// state from a plugin's request hook to its response hook.
    ///
    /// At most 64 of them, 16 KiB in all; one more ends the plugin with a trap.
    pub fn set_attribute(&self, key: &str, value: &str) {
        self.host.set_attribute(key, value);
    }

    /// Reads the whole body, waiting for it, and keeps it for forwarding. `limit` in bytes; more than
    /// the plugin's memory is too large in any case. What is kept counts against `limits.quota` until it
    /// is sent; beyond it the plugin is ended with a trap.
    ///
    /// A hook that gives this error back (`?`) has not failed: the client is told 413, or 408 or 400
    /// where its body did not come, and the plugin's `on_failure` decides as ever.
    ///
    /// A plugin that calls this anywhere becomes suspendable, which costs about 0.2 µs a hook.
    pub fn read_body(&mut self, limit: u64) -> Result<Vec<u8>, BodyError> {
        self.host.read_body(limit).map_err(BodyError::from)
    }

    /// Replaces the body and fixes `content-length`.
    pub fn set_body(&mut self, body: impl AsRef<[u8]>) {
        self.host.set_body(body.as_ref());
    }

    /// Lets the body have at most `limit` bytes, whether it announces its length or not.
    ///
    /// A longer one is answered with 413, unless a response has begun, and the upstream never gets
    /// all of it. Of several limits the lowest counts. It holds from the hook's end on: a hook that
    /// fails has set none.
    pub fn limit_body(&mut self, limit: u64) {
        self.host.limit_body(limit);
    }
}

/// What stands between semicolons, but for what is empty. Cookies need not be UTF-8, and a line
/// with one that is not has others.
pub(crate) fn cookie_pairs(lines: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    lines
        .iter()
        .flat_map(|line| line.split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !pair.is_empty())
}

/// Name and value of a pair; quotes around the value are not part of it. A pair without `=` is a
/// name to most who read it, so it has no value here.
fn cookie(pair: &[u8]) -> (&[u8], &[u8]) {
    let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    let (name, value) = pair.split_at(at);
    let value = value.strip_prefix(b"=").unwrap_or(value).trim_ascii();
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    (name.trim_ascii(), inner.unwrap_or(value))
}

pub(crate) fn cookies(lines: &[Vec<u8>]) -> impl Iterator<Item = (&[u8], &[u8])> {
    cookie_pairs(lines).map(cookie)
}

/// Where the port of an authority begins, if it has one.
fn port_colon(authority: &str) -> Option<usize> {
    let colon = authority.rfind(':')?;
    let bracket = authority.rfind(']');
    (bracket.is_none_or(|bracket| bracket < colon)).then_some(colon)
}

pub(crate) fn refused(
    field: &str,
    result: Result<(), types::HeaderError>,
) -> Result<(), HeaderError> {
    result.map_err(|error| HeaderError::new(field, error))
}

pub(crate) fn values(values: Vec<Vec<u8>>) -> Vec<FieldValue> {
    values.into_iter().map(FieldValue::from).collect()
}

pub(crate) fn lines(lines: Vec<(String, Vec<u8>)>) -> Vec<(String, FieldValue)> {
    lines.into_iter().map(|(name, value)| (name, FieldValue::from(value))).collect()
}
