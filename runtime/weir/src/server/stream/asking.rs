//! Telling a client that closed its side and listens from one that closed its socket and is gone.
//!
//! Both sent FIN, and nothing else until something is sent to them: a closed socket answers any byte
//! with RST. In: what the codec writes, and when a question is due. Out: questions, which every client
//! takes and which mean nothing. Over HTTP/1 they are the first bytes of the answer that is waited for,
//! said ahead one by one, for it begins as any other does, whatever it will be; over HTTP/2 a frame
//! of a type that nobody knows, which is ignored (RFC 9113, 4.1). Never: a byte between those of a
//! message or frame; another byte than the codec writes, over HTTP/1.

use std::io;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

/// How every answer begins (RFC 9112, 4), interim ones included.
const BEGIN: &[u8] = b"HTTP/1.";

/// Without a payload, of a type that is kept free for such (draft-bishop-httpbis-grease), on no
/// stream.
const FRAME: &[u8] = &[0, 0, 0, 0x2a, 0, 0, 0, 0, 0];

/// The first question comes so long after the client was found to have closed its side; each next one
/// after twice as long.
const FIRST: Duration = Duration::from_millis(750);
/// Whose place is wanted is asked at once, but not again within this.
const AT_LEAST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(64);

/// What was asked on one connection.
#[derive(Debug)]
pub(super) struct Asking {
    multiplexed: bool,
    due: Instant,
    pause: Duration,
    asked: Option<Instant>,
    /// How much of [`BEGIN`] the client has.
    said: usize,
    /// Of a frame: what the client does not have.
    rest: &'static [u8],
}

impl Asking {
    pub(super) fn new(multiplexed: bool, now: Instant) -> Asking {
        let due = now + FIRST;
        Asking { multiplexed, due, pause: AT_LEAST, asked: None, said: 0, rest: &[] }
    }

    /// What is to be written now, if anything. `wanted`: somebody has need of the place.
    pub(super) fn question(&self, now: Instant, wanted: bool) -> Option<&'static [u8]> {
        let rested = |asked: Instant| now.saturating_duration_since(asked) >= AT_LEAST;
        if now < self.due && !(wanted && self.asked.is_none_or(rested)) {
            return None;
        }
        match self.multiplexed {
            true if self.rest.is_empty() => Some(FRAME),
            true => None,
            false => BEGIN.get(self.said..=self.said),
        }
    }

    /// So much of the question was written.
    pub(super) fn asked(&mut self, question: &'static [u8], written: usize, now: Instant) {
        self.asked = Some(now);
        self.due = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST);
        match self.multiplexed {
            true => self.rest = question.get(written..).unwrap_or_default(),
            false => self.said += written,
        }
    }

    /// Writes what the codec has, but for what was said ahead of it.
    ///
    /// # Errors
    /// Where that is something else, and those of the stream.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        mut write: impl FnMut(&[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        while !self.rest.is_empty() {
            match ready!(write(self.rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.rest = self.rest.get(written..).unwrap_or_default(),
            }
        }
        let said = BEGIN.get(..self.said).unwrap_or_default();
        let Some(left) = bytes.strip_prefix(said) else {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        };
        let written = ready!(write(left))?;
        self.said = 0;
        Poll::Ready(Ok(written + said.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::clock;

    const SECOND: Duration = Duration::from_secs(1);

    /// Asks whenever it is due up to `until`, every quarter of a second.
    fn ask(asking: &mut Asking, start: Instant, until: Duration) -> Vec<(u128, &'static [u8])> {
        let mut questions = Vec::new();
        let mut passed = Duration::ZERO;
        while passed <= until {
            let now = start + passed;
            if let Some(question) = asking.question(now, false) {
                asking.asked(question, question.len(), now);
                questions.push((passed.as_millis(), question));
            }
            passed += SECOND / 4;
        }
        questions
    }

    #[test]
    fn an_answer_that_was_said_ahead_comes_out_as_it_is() {
        let start = clock::now();
        let mut asking = Asking::new(false, start);
        let questions = ask(&mut asking, start, 300 * SECOND);
        let at: Vec<u128> = questions.iter().map(|(at, _)| *at).collect();
        assert_eq!(at, [750, 1750, 3750, 7750, 15750, 31750, 63750]);
        let mut out: Vec<u8> = questions.iter().flat_map(|(_, text)| text.to_vec()).collect();
        for part in [&b"HTTP/1.0 200 OK\r\n"[..], b"\r\n"] {
            let mut left = part;
            while !left.is_empty() {
                let written = asking.write(left, |bytes| {
                    out.extend_from_slice(&bytes[..1]);
                    Poll::Ready(Ok(1))
                });
                let Poll::Ready(Ok(written)) = written else { panic!("{written:?}") };
                left = &left[written..];
            }
        }
        assert_eq!(out, b"HTTP/1.0 200 OK\r\n\r\n");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let start = clock::now();
        let mut asking = Asking::new(false, start);
        assert_eq!(ask(&mut asking, start, SECOND).len(), 1);
        let written = asking.write(b"junk", |_| Poll::Ready(Ok(4)));
        assert!(matches!(written, Poll::Ready(Err(_))));
    }

    #[test]
    fn frames_are_whole_before_the_codec_goes_on() {
        let start = clock::now();
        let mut asking = Asking::new(true, start);
        assert_eq!(asking.question(start, false), None);
        let question = asking.question(start, true).expect("its place is wanted");
        asking.asked(question, 4, start);
        assert_eq!(asking.question(start + SECOND / 2, true), None);
        assert!(asking.write(b"next", |_| Poll::Pending).is_pending());
        let mut out = question[..4].to_vec();
        let written = asking.write(b"next", |bytes| {
            out.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        });
        assert!(matches!(written, Poll::Ready(Ok(4))));
        assert_eq!(out, [question, b"next"].concat());
        assert_eq!(ask(&mut asking, start, 10 * SECOND).len(), 3, "after 1, 3 and 7 seconds");
    }
}
