//! The streams of an HTTP/2 connection, as far as its activity counts them.
//!
//! In: requests, answers and uploads as they begin and end. Out: whether all that is under way has come
//! as a whole, or has an answer. Never: knows one stream from another.

use std::sync::atomic::Ordering::Relaxed;

use super::Activity;

impl Activity {
    /// A stream's request came.
    pub fn begin_stream(&self) {
        self.unanswered_streams.fetch_add(1, Relaxed);
    }

    /// Its response's head is there, or there will be none.
    pub fn answer_stream(&self) {
        self.unanswered_streams.fetch_sub(1, Relaxed);
    }

    /// A stream's request has a body.
    pub fn begin_upload(&self) {
        self.uploads.fetch_add(1, Relaxed);
    }

    /// It came to its end, or nobody reads on.
    pub fn end_upload(&self) {
        self.uploads.fetch_sub(1, Relaxed);
    }

    /// Whether there are streams under way, and all have come as a whole.
    pub fn has_whole_streams(&self) -> bool {
        self.exchanges() > 0 && self.uploads.load(Relaxed) == 0
    }

    /// Whether one of them has no answer.
    pub fn has_unanswered_streams(&self) -> bool {
        self.unanswered_streams.load(Relaxed) > 0
    }
}
