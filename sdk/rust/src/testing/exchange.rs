//! One exchange in the fake proxy, and what became of it.
//!
//! In: the messages of a test, and what the plugin does to them. Out: what upstream and client
//! would see. Never: hides a mistake of the test; asking for a reply that is none panics.

use std::cell::{Ref, RefCell};
use std::rc::Rc;

use weir_bounds::quota::{self, client_share};
use weir_bounds::{attributes, authority, target};

use super::head::Head;
use super::message::{FakeRequest, FakeResponse};
use crate::bindings::imports::weir::plugin::types::HeaderError;
use crate::config::is_token;
use crate::{BodyError, Error, FieldValue, Reply, Result, Verdict};

/// The messages under way; what request and response point to.
pub struct Inner {
    pub(crate) request: FakeRequest,
    pub(crate) response: FakeResponse,
    /// Whether the request was sent on, so that its head is fixed.
    pub(crate) read_only: bool,
}

/// What became of a request. It panics, with what happened instead, where a test asks for
/// something that did not happen.
pub struct Exchange {
    pub(crate) inner: Rc<RefCell<Inner>>,
    pub(crate) outcome: Result<Verdict>,
    pub(crate) entered: Vec<String>,
}

/// The request as the upstream would see it.
pub struct Forwarded<'a>(Ref<'a, FakeRequest>);

/// The response as the client would see it.
pub struct Answer<'a>(Ref<'a, FakeResponse>);

// === impl Inner ===

impl Inner {
    pub(crate) fn request_head(&mut self) -> Result<&mut Head, HeaderError> {
        self.writable()?;
        Ok(&mut self.request.head)
    }

    pub(crate) fn set_method(&mut self, method: &str) -> Result<(), HeaderError> {
        self.writable()?;
        if !is_token(method) {
            return Err(HeaderError::InvalidSyntax);
        }
        if method == "CONNECT" {
            return Err(HeaderError::Forbidden);
        }
        self.request.method = method.into();
        Ok(())
    }

    pub(crate) fn set_authority(&mut self, authority: &str) -> Result<(), HeaderError> {
        self.writable()?;
        if !authority::is_legal(authority) {
            return Err(HeaderError::InvalidSyntax);
        }
        self.request.authority = authority.into();
        Ok(())
    }

    pub(crate) fn set_path_with_query(&mut self, value: &str) -> Result<(), HeaderError> {
        self.writable()?;
        if !target::is_legal(value, &self.request.method) {
            return Err(HeaderError::InvalidSyntax);
        }
        self.request.path_with_query = value.into();
        Ok(())
    }

    pub(crate) fn set_attribute(&mut self, key: &str, value: &str) {
        let set = &mut self.request.attributes;
        set.insert(key.into(), value.into());
        let bytes: usize = set.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert!(
            set.len() <= attributes::MAX && bytes <= attributes::MAX_BYTES,
            "trap: an exchange has at most 64 attributes of 16 KiB in all"
        );
    }

    /// What a body that the plugin set, or read, has to be: there is a quota, and one client's share.
    pub(crate) fn assert_held(&self) {
        let length = |body: &Result<Vec<u8>, BodyError>| body.as_ref().map_or(0, Vec::len);
        let kept = length(&self.request.body) + length(&self.response.body);
        assert!(
            kept <= client_share(quota::DEFAULT),
            "trap: bodies of {kept} bytes are more than one client may have of `limits.quota`"
        );
    }

    fn writable(&self) -> Result<(), HeaderError> {
        if self.read_only {
            return Err(HeaderError::Forbidden);
        }
        Ok(())
    }
}

// === impl Exchange ===

impl Exchange {
    /// What the plugin decided, or its error.
    pub fn outcome(&self) -> &Result<Verdict> {
        &self.outcome
    }

    /// Whether the request goes on.
    pub fn is_forwarded(&self) -> bool {
        matches!(self.outcome, Ok(Verdict::Forward))
    }

    /// The plugin's own reply.
    ///
    /// # Panics
    /// If the request was forwarded, or the plugin failed.
    #[track_caller]
    pub fn reply(&self) -> &Reply {
        match &self.outcome {
            Ok(Verdict::Respond(reply)) => reply,
            other => panic!("the plugin gave no reply but {other:?}"),
        }
    }

    /// The plugin's error.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn error(&self) -> &Error {
        match &self.outcome {
            Err(error) => error,
            Ok(verdict) => panic!("the plugin did not fail but gave {verdict:?}"),
        }
    }

    /// The request as the upstream would see it.
    ///
    /// # Panics
    /// If the plugin replied or failed.
    #[track_caller]
    pub fn forwarded(&self) -> Forwarded<'_> {
        match &self.outcome {
            Ok(Verdict::Forward) => Forwarded(Ref::map(self.inner.borrow(), |it| &it.request)),
            other => panic!("the plugin did not forward but gave {other:?}"),
        }
    }

    /// The response as the client would see it: the upstream's, or the plugin's reply.
    ///
    /// # Panics
    /// If the plugin failed.
    #[track_caller]
    pub fn response(&self) -> Answer<'_> {
        match &self.outcome {
            Ok(_) => Answer(Ref::map(self.inner.borrow(), |it| &it.response)),
            Err(error) => panic!("there is no response, the plugin failed: {error}"),
        }
    }

    /// An attribute as it is now.
    pub fn attribute(&self, key: &str) -> Option<String> {
        self.inner.borrow().request.attributes.get(key).cloned()
    }
}

// === impl Forwarded ===

impl Forwarded<'_> {
    /// The method.
    pub fn method(&self) -> &str {
        &self.0.method
    }

    /// Host and port the upstream would see.
    pub fn authority(&self) -> &str {
        &self.0.authority
    }

    /// Path and query.
    pub fn path_with_query(&self) -> &str {
        &self.0.path_with_query
    }

    /// First value of the field, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        text(self.0.head.first(name))
    }

    /// Every value of the field.
    pub fn header_values(&self, name: &str) -> Vec<FieldValue> {
        self.0.head.all(name).map(FieldValue::from).collect()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.0.body.as_deref().unwrap_or_default()
    }
}

// === impl Answer ===

impl Answer<'_> {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// First value of the field, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        text(self.0.head.first(name))
    }

    /// Every value of the field.
    pub fn header_values(&self, name: &str) -> Vec<FieldValue> {
        self.0.head.all(name).map(FieldValue::from).collect()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.0.body.as_deref().unwrap_or_default()
    }
}

#[track_caller]
fn text(value: Option<&[u8]>) -> Option<&str> {
    value.map(|value| match std::str::from_utf8(value) {
        Ok(text) => text,
        Err(_) => panic!("the value is no UTF-8: use `header_values`"),
    })
}
