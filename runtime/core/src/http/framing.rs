//! A strict reading of HTTP/1.1 requests on the wire (RFC 9112), before the parser sees them.
//!
//! In: the bytes of a connection as they are read, in any pieces. Out: how much of them may be
//! passed on, or the first [`Violation`]. Request smuggling lives on what two parsers read
//! differently, so whatever the RFC calls an error is one here, although a tolerant parser would go
//! on. Never: copies a head that arrives in one piece, looks into a body of known length, or changes
//! a byte itself.
//!
//! The guard follows the messages of a connection: head, body by `Content-Length` or in chunks, next
//! head. Behind a request that asks for another protocol it waits to be told how it was answered: to
//! stop ([`FramingGuard::release`]), or to go on ([`FramingGuard::resume`]).

mod frames;
mod glimpse;
mod head;
mod response;
mod target;
mod violation;

use memchr::memchr3;

pub use self::frames::Frames;
pub use self::glimpse::{glimpse, reduced};
use self::head::Head;
pub use self::response::{BodyLength, MAX_RESPONSE_BYTES, MAX_RESPONSE_FIELDS, response_length};
pub use self::target::{encode_query, respell};
pub use self::violation::Violation;

/// Limits of a head, or of a trailer section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Request line, field lines and line ends, in bytes.
    pub bytes: usize,
    /// Field lines.
    pub fields: usize,
}

/// A chunk's size and extensions, in bytes.
const MAX_CHUNK_LINE: usize = 1024;
/// What is kept of the buffer for lines that came in pieces.
const KEEP: usize = 1024;

/// Watches the request side of one HTTP/1 connection.
#[derive(Debug)]
pub struct FramingGuard {
    limits: HeadLimits,
    state: State,
    head: Head,
    /// The begin of a line whose end has not come yet.
    held: Vec<u8>,
    /// Bytes of this head, trailer section or chunk line so far, with what is held.
    used: usize,
    /// Field lines of this head or trailer section so far.
    fields: usize,
    /// Heads that came to their end, all of them right.
    heads: u32,
    /// The last of them must be spelled otherwise.
    respell: bool,
    /// The last of them asks for another protocol, and it is not known what came of that.
    waits: bool,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a request line; empty lines are skipped (RFC 9112, 2.2).
    Start,
    Fields,
    /// A body: so many bytes to come.
    Length(u64),
    ChunkSize,
    /// A chunk: so many bytes to come.
    ChunkData(u64),
    /// The CR, then the LF, after a chunk.
    ChunkCr,
    ChunkLf,
    Trailers,
    /// Another protocol: not looked at.
    Released,
}

/// How much of an input may be passed on as it is, and what is behind that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspected {
    /// Bytes at the begin of the input.
    pub clean: usize,
    pub then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing: all is clean.
    End,
    /// The begin of a head, or more of one, whose end has not come.
    Head,
    /// A head, or its rest, that ends so far into the input: right but for its target, see
    /// [`respell`]. What follows was not looked at.
    Respell(usize),
    /// What may be another protocol's, behind a request that asks for it: not looked at before that is
    /// answered (RFC 9110, 7.8).
    Wait,
    /// What is refused: with the head that it is in. The connection is lost: the guard must not be
    /// asked again.
    Refused(Violation),
}

/// One line, or what came instead.
enum Line {
    /// Complete, with so many bytes of the input up to and with its end.
    Whole(usize),
    /// Its end is not in the input.
    Part,
    /// Wrong; seen after so many bytes of the input.
    Bad(Violation, usize),
}

impl FramingGuard {
    /// Before the first request of a connection.
    pub fn new(limits: HeadLimits) -> Self {
        FramingGuard {
            limits,
            state: State::Start,
            head: Head::default(),
            held: Vec::new(),
            used: 0,
            fields: 0,
            heads: 0,
            respell: false,
            waits: false,
        }
    }

    /// From now on these limits hold.
    pub fn bound(&mut self, limits: HeadLimits) {
        self.limits = limits;
    }

    /// Looks at the next bytes of the connection. The result does not depend on where the stream is
    /// cut into inputs.
    pub fn inspect(&mut self, input: &[u8]) -> Inspected {
        let (mut at, mut clean) = (0, 0);
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            if self.waits && self.is_between() {
                return Inspected { clean: at, then: Then::Wait };
            }
            let taken = match self.state {
                State::Start if self.used == 0 => self.head(rest),
                State::Length(left) => Ok(self.skip(left, rest, State::Start, State::Length)),
                State::ChunkData(left) => {
                    Ok(self.skip(left, rest, State::ChunkCr, State::ChunkData))
                }
                State::ChunkCr | State::ChunkLf => self.chunk_end(rest),
                State::Released => Ok(rest.len()),
                _ => self.line(rest),
            };
            match taken {
                Ok(taken) => at += taken,
                Err(violation) => return Inspected { clean, then: Then::Refused(violation) },
            }
            if self.respell {
                self.respell = false;
                return Inspected { clean, then: Then::Respell(at) };
            }
            if !self.is_in_head() || self.is_between() {
                clean = at;
            }
        }
        Inspected { clean, then: if clean == at { Then::End } else { Then::Head } }
    }

    /// Stops looking: what follows is another protocol, after a 101, or a 2xx to CONNECT. To be
    /// called before the bytes that follow are read.
    pub fn release(&mut self) {
        self.state = State::Released;
        self.held = Vec::new();
    }

    /// The request that asked for another protocol was answered in this one.
    pub fn resume(&mut self) {
        self.waits = false;
    }

    /// Whether no byte of a next request has come: the connection is idle as far as reading goes.
    pub fn is_between(&self) -> bool {
        self.state == State::Start && self.used == 0
    }

    /// How many requests were let through so far, counted by their heads; wraps.
    pub fn heads(&self) -> u32 {
        self.heads
    }

    /// How many of them came to their end.
    pub fn whole(&self) -> u32 {
        match self.is_in_head() || self.state == State::Released {
            true => self.heads,
            false => self.heads.wrapping_sub(1),
        }
    }

    /// Whether a head is being read, or was refused.
    pub fn is_in_head(&self) -> bool {
        matches!(self.state, State::Start | State::Fields)
    }

    /// Passes over bytes that are not looked at.
    fn skip(&mut self, left: u64, rest: &[u8], then: State, more: fn(u64) -> State) -> usize {
        let here = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - here as u64;
        self.state = if left == 0 { then } else { more(left) };
        here
    }

    /// The two bytes after a chunk.
    fn chunk_end(&mut self, rest: &[u8]) -> Result<usize, Violation> {
        self.state = match (self.state, rest.first()) {
            (State::ChunkCr, Some(b'\r')) => State::ChunkLf,
            (State::ChunkLf, Some(b'\n')) => State::ChunkSize,
            _ => return Err(Violation::ChunkEnd),
        };
        Ok(1)
    }

    /// Takes a head that is here as a whole and has nothing wrong with it, which is the usual case,
    /// or else the first line of it.
    fn head(&mut self, rest: &[u8]) -> Result<usize, Violation> {
        match Head::whole(rest, self.limits) {
            Some((head, taken)) => {
                self.end_head(head);
                Ok(taken)
            }
            None => self.line(rest),
        }
    }

    /// Takes one line, or holds its begin. Says how many bytes of `rest` that were.
    fn line(&mut self, rest: &[u8]) -> Result<usize, Violation> {
        match find_end(rest, self.held.last() == Some(&b'\r')) {
            Line::Bad(violation, seen) => {
                self.count(seen)?;
                Err(violation)
            }
            Line::Part => {
                self.count(rest.len())?;
                self.held.extend_from_slice(rest);
                Ok(rest.len())
            }
            Line::Whole(taken) => {
                self.count(taken)?;
                if self.held.is_empty() {
                    self.take_line(&rest[..taken - 2])?;
                } else {
                    let mut held = std::mem::take(&mut self.held);
                    held.extend_from_slice(&rest[..taken]);
                    self.take_line(&held[..held.len() - 2])?;
                    if held.capacity() <= KEEP {
                        held.clear();
                        self.held = held;
                    }
                }
                Ok(taken)
            }
        }
    }

    /// Adds to what is counted, up to the limit.
    fn count(&mut self, bytes: usize) -> Result<(), Violation> {
        self.used += bytes;
        match self.state {
            State::ChunkSize if self.used > MAX_CHUNK_LINE => Err(Violation::ChunkExtension),
            State::ChunkSize => Ok(()),
            _ if self.used > self.limits.bytes => Err(Violation::TooLarge),
            _ => Ok(()),
        }
    }

    /// Reads a line without its end.
    fn take_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        match self.state {
            State::Start if line.is_empty() => {}
            State::Start => {
                self.head = Head::request_line(line)?;
                self.state = State::Fields;
            }
            State::Fields if line.is_empty() => self.end_head(self.head),
            State::Fields => {
                self.count_field()?;
                self.head.field(line)?;
            }
            State::ChunkSize => match chunk_size(line)? {
                0 => self.begin(State::Trailers),
                size => self.begin(State::ChunkData(size)),
            },
            State::Trailers if line.is_empty() => self.begin(State::Start),
            State::Trailers => {
                self.count_field()?;
                head::trailer(line)?;
            }
            State::Length(_)
            | State::ChunkData(_)
            | State::ChunkCr
            | State::ChunkLf
            | State::Released => {}
        }
        Ok(())
    }

    fn end_head(&mut self, head: Head) {
        self.heads = self.heads.wrapping_add(1);
        self.respell = head.respell;
        self.waits = head.switches;
        self.begin(head.body());
    }

    fn begin(&mut self, state: State) {
        self.state = state;
        self.used = 0;
        self.fields = 0;
    }

    fn count_field(&mut self) -> Result<(), Violation> {
        self.fields += 1;
        if self.fields > self.limits.fields { Err(Violation::TooManyFields) } else { Ok(()) }
    }
}

/// Finds the end of the line that goes on in `rest`; `after_cr`: the byte before was a CR.
#[inline]
fn find_end(rest: &[u8], after_cr: bool) -> Line {
    if after_cr {
        return match rest.first() {
            Some(b'\n') => Line::Whole(1),
            _ => Line::Bad(Violation::BareCr, 1),
        };
    }
    let Some(at) = memchr3(b'\r', b'\n', 0, rest) else { return Line::Part };
    match (rest[at], rest.get(at + 1)) {
        (b'\r', Some(b'\n')) => Line::Whole(at + 2),
        (b'\r', Some(_)) => Line::Bad(Violation::BareCr, at + 2),
        (b'\r', None) => Line::Part,
        (b'\n', _) => Line::Bad(Violation::BareLf, at + 1),
        _ => Line::Bad(Violation::Nul, at + 1),
    }
}

/// `chunk-size [ chunk-ext ]` (RFC 9112, 7.1), without white space after the size.
fn chunk_size(line: &[u8]) -> Result<u64, Violation> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, extensions) = line.split_at(digits);
    if digits.is_empty() || digits.len() > 16 || !matches!(extensions.first(), None | Some(b';')) {
        return Err(Violation::ChunkSize);
    }
    if extensions.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(Violation::ChunkExtension);
    }
    Ok(digits.iter().fold(0, |size, digit| {
        size << 4 | u64::from((*digit as char).to_digit(16).unwrap_or_default())
    }))
}

#[cfg(test)]
mod tests;
