//! Finds what serves a request.
//!
//! In: a request whose target has one meaning, and the listener it came to. Out: a route with its chain, or
//! the listener's own chain, and whether the request is refused all the same: since an endpoint may
//! read its path as another route's. Never: changes anything.

use std::rc::Rc;

use weir_core::config::Steps;
use weir_core::error::Error;
use weir_core::http::path;

use super::admission::Admitted;
use super::worker::{Binding, Listener, StrictPaths};

/// Where a request goes.
pub struct Routed<'a> {
    /// What serves it. What it is refused with from here on is its chain's to add to.
    pub binding: &'a Rc<Binding>,
    /// It goes no further.
    pub refused: Option<Error>,
}

/// Routes a request.
pub fn route<'a>(listener: &'a Listener, request: &Admitted<'_>) -> Routed<'a> {
    let (head, uri) = (request.head, request.uri());
    // One account for all that follows.
    let steps = Steps::of_a_request();
    let find = |path: &str| listener.find(&request.target.host, path, uri.query(), head, &steps);
    let binding = match find(uri.path()) {
        Ok(binding) => binding,
        Err(error) => return Routed { binding: &listener.unrouted, refused: Some(error.into()) },
    };
    if listener.strict_paths == StrictPaths::Nowhere {
        return Routed { binding, refused: None };
    }
    let Err(ambiguous) = path::strict::check(head.uri.path(), uri.path()) else {
        return Routed { binding, refused: None };
    };
    // Some endpoint may take it for another route's.
    let may_be_read_so = || {
        let is_open = |read: &String| find(read).is_ok_and(|binding| !binding.is_strict());
        let read = path::strict::readings(head.uri.path(), uri.path());
        !read.is_some_and(|read| read.iter().all(is_open))
    };
    let everywhere = listener.strict_paths == StrictPaths::Everywhere;
    let refused = everywhere || binding.is_strict() || may_be_read_so();
    Routed { binding, refused: refused.then(|| Error::request(400, ambiguous.as_str())) }
}
