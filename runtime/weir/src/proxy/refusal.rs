//! A request that was refused before it could be read.
//!
//! In: what the guard of an HTTP/1.1 connection found, and what can be told of the request. Out: the
//! same, when the stand-in that hyper was given for it comes to be served: so every refusal of a proxy's
//! listener has the one form, the log line and the counts of any other answer. Never: more than one on
//! a connection, for nothing behind it is read.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use http::request::Parts;
use weir_core::error::Error;

use crate::net::Activity;

/// A request that was not admitted: why, and its head for the log.
#[derive(Debug)]
pub struct Refused {
    pub error: Error,
    pub head: Parts,
}

/// Where a connection's refused request waits for its turn. Shared as an upgraded connection must
/// be able to be sent; all of it stays on one worker.
#[derive(Debug, Default)]
pub struct Refusal {
    /// Which request of the connection it is, counted from 1; 0: none is.
    number: AtomicU32,
    refused: Mutex<Option<Box<Refused>>>,
}

impl Refusal {
    /// The connection's request of this number is refused.
    pub fn leave(&self, number: u32, refused: Refused) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(refused));
        self.number.store(number, Relaxed);
    }

    /// The refused request, if it is the one whose exchange began last on its connection. What its client
    /// goes on sending does not destroy the answer.
    #[inline]
    pub fn take(&self, activity: &Activity) -> Option<Box<Refused>> {
        match self.number.load(Relaxed) {
            0 => None,
            number if number == activity.begun() => {
                activity.expect_more();
                self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
            }
            _ => None,
        }
    }
}

/// What hyper reads in the place of a refused request: one whose answer is framed as the refused
/// one's must be.
pub fn stand_in(head: &Parts) -> &'static [u8] {
    match (head.method == http::Method::HEAD, head.version == http::Version::HTTP_10) {
        (false, false) => b"GET / HTTP/1.1\r\n\r\n",
        (false, true) => b"GET / HTTP/1.0\r\n\r\n",
        (true, false) => b"HEAD / HTTP/1.1\r\n\r\n",
        (true, true) => b"HEAD / HTTP/1.0\r\n\r\n",
    }
}
