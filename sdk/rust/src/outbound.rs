//! Calls to other services by HTTP: origins, and upstreams of the proxy's configuration by their connections,
//! health checks and TLS.
//!
//! Needs `grants = { http = ["https://idp.example.com", "upstream://NAME"] }` for each of them. In hooks and transforms, not in
//! [`configure`](crate::Plugin::configure). A hook that waits holds one of the plugin's `limits.instances`; it waits
//! no longer than the exchange's own time, or `limits.wait` where there is none, as in completion hooks. At most 16 calls at once and 64 in one hook; more are a trap.
//!
//! ```no_run
//! use weir_sdk::outbound::Call;
//! # fn hook(token: &str) -> weir_sdk::Result<bool> {
//! let answer = Call::post("upstream://idp/introspect")
//!     .header("content-type", "application/x-www-form-urlencoded")
//!     .body(format!("token={token}"))
//!     .send()?;
//! # Ok(answer.status() == 200)
//! # }
//! ```

use std::time::Duration;

use crate::FieldValue;
use crate::bindings::imports::weir::plugin::outbound::Request;
pub use crate::error::CallError;
use crate::host;

/// How long a call is waited for where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of an answer's body where nothing is said.
const LIMIT: u32 = 1 << 20;

/// A call to be made.
#[derive(Debug, Clone)]
pub struct Call(Request);

/// What came of a call that was answered, whatever its status. Its head and body are asked of the proxy, which
/// keeps them until the hook ends.
#[derive(Debug)]
pub struct Answer {
    call: u32,
    status: u16,
}

/// Makes these calls at once, and waits for all of them: what comes of each stands in its place.
pub fn send_all(calls: impl IntoIterator<Item = Call>) -> Vec<Result<Answer, CallError>> {
    let requests: Vec<Request> = calls.into_iter().map(|call| call.0).collect();
    let outcomes = host::outbound::send(&requests).into_iter();
    let told = outcomes.map(|outcome| match outcome {
        Ok(answer) => Ok(Answer { call: answer.call, status: answer.status }),
        Err(failure) => Err(failure.into()),
    });
    told.collect()
}

// === impl Call ===

impl Call {
    /// A call of this method to a URL such as `upstream://users/me?full=yes` or
    /// `https://idp.example.com/introspect`.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Call {
        let timeout_millis = u32::try_from(TIMEOUT.as_millis()).unwrap_or(u32::MAX);
        let (fields, body) = Default::default();
        let (method, url) = (method.into(), url.into());
        Call(Request { method, url, fields, body, timeout_millis, limit: LIMIT })
    }

    /// The same with GET.
    pub fn get(url: impl Into<String>) -> Call {
        Call::new("GET", url)
    }

    /// The same with POST.
    pub fn post(url: impl Into<String>) -> Call {
        Call::new("POST", url)
    }

    /// Adds a field line.
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Call {
        self.0.fields.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Call {
        self.0.body = body.into();
        self
    }

    /// How long the answer's last byte is waited for: 5 s if nothing is said, 1 ms to 60 s.
    pub fn timeout(mut self, timeout: Duration) -> Call {
        self.0.timeout_millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        self
    }

    /// The most bytes of the answer's body: 1 MiB if nothing is said. They count against the plugin's quota.
    pub fn limit(mut self, bytes: u32) -> Call {
        self.0.limit = bytes;
        self
    }

    /// Makes the call.
    ///
    /// # Errors
    /// Where there is no answer.
    pub fn send(self) -> Result<Answer, CallError> {
        send_all([self]).pop().unwrap_or(Err(CallError::Broken))
    }
}

// === impl Answer ===

impl Answer {
    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A field as a whole: its lines joined by commas.
    pub fn header(&self, name: &str) -> Option<FieldValue> {
        host::outbound::field(self.call, name).map(FieldValue::from)
    }

    /// All field lines, in order of first appearance.
    pub fn headers(&self) -> Vec<(String, FieldValue)> {
        let lines = host::outbound::fields(self.call).into_iter();
        lines.map(|(name, value)| (name, FieldValue::from(value))).collect()
    }

    /// The body.
    pub fn body(&self) -> Vec<u8> {
        host::outbound::body(self.call)
    }
}
