//! Requests of an HTTP/2 client that have begun and not ended.
//!
//! In: the head of each frame (RFC 9113, 4.1). Out: whether there are any. Never: keeps more than
//! [`MOST`]; decides what a frame is worth: that is the codec's.

use super::HEADERS;

const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const END_STREAM: u8 = 0x1;

/// More than these are not kept apart: far more than a client may have.
const MOST: usize = 1 << 10;

#[derive(Debug, Default)]
pub(super) struct Unended {
    streams: Vec<u32>,
    /// Each new stream is above this.
    last: u32,
    /// There were too many to be kept apart.
    lost: bool,
}

impl Unended {
    pub(super) fn frame(&mut self, kind: u8, flags: u8, stream: u32) {
        let ends = flags & END_STREAM != 0;
        match kind {
            HEADERS if stream > self.last => {
                self.last = stream;
                if !ends {
                    self.begin(stream);
                }
            }
            HEADERS | DATA if ends => self.end(stream),
            RST_STREAM => self.end(stream),
            _ => {}
        }
    }

    pub(super) fn is_none(&self) -> bool {
        self.streams.is_empty() && !self.lost
    }

    fn begin(&mut self, stream: u32) {
        match self.streams.len() < MOST {
            true => self.streams.push(stream),
            false => self.lost = true,
        }
    }

    fn end(&mut self, stream: u32) {
        if let Ok(at) = self.streams.binary_search(&stream) {
            self.streams.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_end_with_a_flag_of_theirs_or_a_reset() {
        let mut unended = Unended::default();
        for (kind, flags, stream, whole) in [
            (4, 1, 0, true),
            (HEADERS, 4 | END_STREAM, 1, true),
            (HEADERS, 4, 3, false),
            (DATA, 0, 3, false),
            (HEADERS, 4, 5, false),
            (DATA, END_STREAM, 3, false),
            // Trailers.
            (HEADERS, 4 | END_STREAM, 5, true),
            (HEADERS, 4, 7, false),
            (RST_STREAM, 0, 7, true),
            // Of requests that have ended nothing is heard.
            (RST_STREAM, 0, 1, true),
            (DATA, 0, 1, true),
            (HEADERS, 4, 1, true),
        ] {
            unended.frame(kind, flags, stream);
            assert_eq!(unended.is_none(), whole, "{kind} {flags} {stream}");
        }
    }

    #[test]
    fn no_more_are_kept_than_there_may_be() {
        let mut unended = Unended::default();
        for stream in 0..1_000_000 {
            unended.frame(HEADERS, 4, 2 * stream + 1);
        }
        assert!(unended.streams.len() == MOST && !unended.is_none());
    }
}
