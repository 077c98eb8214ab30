//! The fake in place of the contract's imports: the same names and types as in `host/calls.rs`.
//!
//! In: calls of the SDK. Out: what the proxy would answer. Never: touches a real proxy.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::SystemTime;

use weir_bounds::{quota, reply};

pub(crate) use super::calling as outbound;
use super::exchange::Inner;
use super::state;
use crate::Tls;
use crate::bindings::imports::weir::plugin::types::{BodyError, HeaderError};

/// The request under way.
pub struct Request(pub(crate) Rc<RefCell<Inner>>);

/// The response under way.
pub struct Response(pub(crate) Rc<RefCell<Inner>>);

type Lines = Vec<(String, Vec<u8>)>;
type Changed = Result<(), HeaderError>;

pub fn now() -> SystemTime {
    state::current().borrow().now
}

/// What the proxy says of the plugin's limits, if the test had it say something.
pub mod environment {
    pub fn get_environment() -> Vec<(String, String)> {
        crate::testing::state::current().borrow().environment.clone()
    }
}

// === impl Request ===

impl Request {
    pub fn method(&self) -> String {
        self.0.borrow().request.method.clone()
    }

    pub fn set_method(&self, method: &str) -> Changed {
        self.0.borrow_mut().set_method(method)
    }

    pub fn scheme(&self) -> String {
        self.0.borrow().request.scheme.clone()
    }

    pub fn authority(&self) -> String {
        self.0.borrow().request.authority.clone()
    }

    pub fn set_authority(&self, authority: &str) -> Changed {
        self.0.borrow_mut().set_authority(authority)
    }

    pub fn path_with_query(&self) -> String {
        self.0.borrow().request.path_with_query.clone()
    }

    pub fn set_path_with_query(&self, value: &str) -> Changed {
        self.0.borrow_mut().set_path_with_query(value)
    }

    pub fn field(&self, name: &str) -> Option<Vec<u8>> {
        self.0.borrow().request.head.whole(name)
    }

    pub fn field_line(&self, name: &str) -> Option<Vec<u8>> {
        self.0.borrow().request.head.first(name).map(<[u8]>::to_vec)
    }

    pub fn field_lines(&self, name: &str) -> Vec<Vec<u8>> {
        let inner = self.0.borrow();
        inner.request.head.all(name).map(<[u8]>::to_vec).collect()
    }

    pub fn fields(&self) -> Lines {
        self.0.borrow().request.head.lines()
    }

    pub fn set_field(&self, name: &str, value: &[u8]) -> Changed {
        self.0.borrow_mut().request_head()?.set(name, value)
    }

    pub fn append_field(&self, name: &str, value: &[u8]) -> Changed {
        self.0.borrow_mut().request_head()?.append(name, value)
    }

    pub fn remove_field(&self, name: &str) -> Changed {
        self.0.borrow_mut().request_head()?.remove(name)
    }

    pub fn client_address(&self) -> String {
        self.0.borrow().request.client.address.clone()
    }

    pub fn client_port(&self) -> u16 {
        self.0.borrow().request.client.port
    }

    pub fn client_tls(&self) -> Option<Tls> {
        self.0.borrow().request.client.tls.clone()
    }

    pub fn route(&self) -> String {
        self.0.borrow().request.route.clone()
    }

    pub fn attribute(&self, key: &str) -> Option<String> {
        self.0.borrow().request.attributes.get(key).cloned()
    }

    pub fn set_attribute(&self, key: &str, value: &str) {
        self.0.borrow_mut().set_attribute(key, value);
    }

    pub fn read_body(&self, limit: u64) -> Result<Vec<u8>, BodyError> {
        let inner = self.0.borrow();
        inner.assert_held();
        read(&inner.request.body, limit.min(inner.request.body_limit))
    }

    pub fn set_body(&self, body: &[u8]) {
        let mut inner = self.0.borrow_mut();
        assert!(!inner.read_only, "trap: `set_body` on a request that was sent already");
        inner.request.body = Ok(body.to_vec());
        inner.assert_held();
    }

    pub fn limit_body(&self, limit: u64) {
        let mut inner = self.0.borrow_mut();
        assert!(!inner.read_only, "trap: `limit_body` on a request that was sent already");
        let request = &mut inner.request;
        request.body_limit = request.body_limit.min(limit);
    }
}

// === impl Response ===

impl Response {
    pub fn status(&self) -> u16 {
        self.0.borrow().response.status
    }

    pub fn set_status(&self, status: u16) -> Changed {
        if !reply::is_status(status) {
            return Err(HeaderError::InvalidSyntax);
        }
        self.0.borrow_mut().response.status = status;
        Ok(())
    }

    pub fn field(&self, name: &str) -> Option<Vec<u8>> {
        self.0.borrow().response.head.whole(name)
    }

    pub fn field_line(&self, name: &str) -> Option<Vec<u8>> {
        self.0.borrow().response.head.first(name).map(<[u8]>::to_vec)
    }

    pub fn field_lines(&self, name: &str) -> Vec<Vec<u8>> {
        let inner = self.0.borrow();
        inner.response.head.all(name).map(<[u8]>::to_vec).collect()
    }

    pub fn fields(&self) -> Lines {
        self.0.borrow().response.head.lines()
    }

    pub fn set_field(&self, name: &str, value: &[u8]) -> Changed {
        self.0.borrow_mut().response.head.set(name, value)
    }

    pub fn append_field(&self, name: &str, value: &[u8]) -> Changed {
        self.0.borrow_mut().response.head.append(name, value)
    }

    pub fn remove_field(&self, name: &str) -> Changed {
        self.0.borrow_mut().response.head.remove(name)
    }

    pub fn read_body(&self, limit: u64) -> Result<Vec<u8>, BodyError> {
        let inner = self.0.borrow();
        inner.assert_held();
        read(&inner.response.body, limit)
    }

    pub fn set_body(&self, body: &[u8]) {
        let mut inner = self.0.borrow_mut();
        inner.response.body = Ok(body.to_vec());
        inner.assert_held();
    }
}

fn read(body: &Result<Vec<u8>, crate::BodyError>, limit: u64) -> Result<Vec<u8>, BodyError> {
    let limit = limit.min(quota::DEFAULT_MEMORY as u64);
    match body {
        Ok(bytes) if bytes.len() as u64 > limit => Err(BodyError::TooLarge),
        Ok(bytes) => Ok(bytes.clone()),
        Err(crate::BodyError::TooLarge) => Err(BodyError::TooLarge),
        Err(crate::BodyError::Incomplete) => Err(BodyError::Incomplete),
        Err(crate::BodyError::Timeout) => Err(BodyError::Timeout),
    }
}

/// `weir:plugin/log`.
pub mod log {
    use weir_bounds::log::{MAX_BYTES, MAX_FIELDS, MAX_LINES};

    use super::state::{LogLine, current};
    use crate::log::Level;

    pub fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
        let state = current();
        let mut state = state.borrow_mut();
        state.lines += 1;
        if state.lines > MAX_LINES {
            return;
        }
        let mut room = MAX_BYTES;
        let mut cut = |text: &str| {
            let text = &text[..text.floor_char_boundary(room)];
            room -= text.len();
            text.to_owned()
        };
        let message = cut(message);
        let fields = fields.iter().take(MAX_FIELDS);
        let fields = fields.map(|(name, value)| (cut(name), cut(value))).collect();
        state.logs.push(LogLine { level, message, fields });
    }
}

/// `weir:plugin/metrics`.
pub mod metrics {
    use super::state::current;

    pub fn count(name: &str, labels: &[(&str, &str)], by: u64) {
        current().borrow_mut().metrics.count(name, labels, by);
    }

    pub fn gauge(name: &str, labels: &[(&str, &str)], value: f64) {
        current().borrow_mut().metrics.gauge(name, labels, value);
    }

    pub fn observe(name: &str, labels: &[(&str, &str)], value: f64) {
        current().borrow_mut().metrics.observe(name, labels, value);
    }
}

/// `weir:plugin/limiter`.
pub mod limiter {
    use super::state::current;
    use crate::limiter::{Bucket, Verdict};

    pub fn take(key: &str, bucket: Bucket, cost: u32) -> Verdict {
        current().borrow_mut().take(key, bucket, cost)
    }

    pub fn enter(key: &str, limit: u32) -> bool {
        current().borrow_mut().enter(key, limit)
    }
}

/// `weir:plugin/store`.
pub mod store {
    use std::time::Duration;

    use weir_bounds::store::{MAX_KEY, MAX_VALUE};

    use super::state::{State, current};
    use crate::bindings::imports::weir::plugin::store::StoreError;

    pub fn get(key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        fits(key, &[])?;
        let state = current();
        let mut state = state.borrow_mut();
        Ok(state.stored(key).map(|entry| entry.value.clone()))
    }

    pub fn set(key: &str, value: &[u8], ttl_millis: Option<u64>) -> Result<(), StoreError> {
        fits(key, value)?;
        insert(&mut current().borrow_mut(), key, value, ttl_millis)
    }

    pub fn delete(key: &str) -> Result<(), StoreError> {
        fits(key, &[])?;
        current().borrow_mut().store.remove(key);
        Ok(())
    }

    pub fn increment(key: &str, by: i64, ttl_millis: Option<u64>) -> Result<i64, StoreError> {
        fits(key, &[])?;
        let state = current();
        let mut state = state.borrow_mut();
        let Some(entry) = state.stored(key) else {
            insert(&mut state, key, by.to_string().as_bytes(), ttl_millis)?;
            return Ok(by);
        };
        let sum = std::str::from_utf8(&entry.value)
            .ok()
            .and_then(|digits| digits.parse::<i64>().ok())
            .ok_or_else(|| StoreError::Unavailable(format!("`{key}` is no number")))?
            .checked_add(by)
            .ok_or_else(|| StoreError::Unavailable(format!("`{key}` would exceed 64 bits")))?;
        entry.value = sum.to_string().into_bytes();
        Ok(sum)
    }

    pub fn set_if_absent(
        key: &str,
        value: &[u8],
        ttl_millis: Option<u64>,
    ) -> Result<bool, StoreError> {
        fits(key, value)?;
        let state = current();
        let mut state = state.borrow_mut();
        if state.stored(key).is_some() {
            return Ok(false);
        }
        insert(&mut state, key, value, ttl_millis)?;
        Ok(true)
    }

    fn fits(key: &str, value: &[u8]) -> Result<(), StoreError> {
        if key.len() > MAX_KEY || value.len() > MAX_VALUE {
            return Err(StoreError::TooLarge);
        }
        Ok(())
    }

    fn insert(
        state: &mut State,
        key: &str,
        value: &[u8],
        ttl_millis: Option<u64>,
    ) -> Result<(), StoreError> {
        let expires = ttl_millis.and_then(|ttl| state.now.checked_add(Duration::from_millis(ttl)));
        let kept = state.keep(key, value, expires);
        kept.map_err(|why| StoreError::Unavailable(why.into()))
    }
}

/// `wasi:random`.
pub mod random {
    use super::state::current;

    pub fn get_random_bytes(len: u64) -> Vec<u8> {
        assert!(len <= 64 << 10, "trap: more than 64 KiB of random bytes at a time");
        let state = current();
        let mut state = state.borrow_mut();
        (0..len).map(|_| (state.random() >> 56) as u8).collect()
    }

    pub fn get_random_u64() -> u64 {
        current().borrow_mut().random()
    }
}
