//! Pages of memory as small as the system has them.
//!
//! In: nothing. Out: this process, and what it starts, gets no huge pages of its own accord. Never:
//! fails; with huge pages it serves as well, but for a moment now and then.
//!
//! The first touch of a huge page clears two megabytes at once, in the middle of a request: a tenth of
//! a millisecond where memory is at hand, and 5 to 20 ms measured on a virtual machine whose host has
//! to find it first.

use rustix::thread::disable_transparent_huge_pages;

/// For all threads of this process; pages that are huge already stay so.
pub fn keep_small() {
    if let Err(error) = disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "pages: huge ones stay allowed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_are_off() {
        keep_small();
        assert_eq!(rustix::thread::transparent_huge_pages_are_disabled(), Ok(true));
    }
}
