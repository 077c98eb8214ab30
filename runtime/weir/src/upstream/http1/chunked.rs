//! The chunked transfer coding of a response (RFC 9112, 7.1).
//!
//! In: bytes as they come. Out: the pieces of the body, then its trailers. Never: takes a line end
//! other than CRLF, or a size line or trailers without a bound.

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};
use httparse::Status;
use weir_core::http::trailer;

/// Most bytes of all chunk extensions of a body together, and of its trailers.
const MAX_OVERHEAD: usize = 16 << 10;
/// The longest line that only gives a size: 16 digits and CRLF.
const MAX_SIZE_LINE: usize = 18;
/// Most field lines of the trailers.
const MAX_TRAILERS: usize = 64;

/// Where in the coding the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size,
    /// Bytes of the chunk that are still to come.
    Data(u64),
    /// The CRLF after a chunk.
    AfterData,
    Trailers,
    End,
}

/// One body that is being read.
#[derive(Debug)]
pub struct Chunked {
    place: Place,
    extensions: usize,
}

/// What the bytes gave.
#[derive(Debug)]
pub enum Decoded {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    /// More bytes are needed.
    Partial,
}

impl Chunked {
    pub fn new() -> Chunked {
        Chunked { place: Place::Size, extensions: 0 }
    }

    pub fn is_at_end(&self) -> bool {
        self.place == Place::End
    }

    /// Takes the next piece off `bytes`. A chunk that ends with what is here is followed to the
    /// next one, so that the end of the body is known together with its last piece.
    pub fn decode(&mut self, bytes: &mut Bytes) -> Result<Decoded, &'static str> {
        loop {
            match self.place {
                Place::Data(left) if bytes.is_empty() && left > 0 => return Ok(Decoded::Partial),
                Place::Data(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let data = bytes.split_to(here);
                    self.place = match left - here as u64 {
                        0 => Place::AfterData,
                        left => Place::Data(left),
                    };
                    if self.place == Place::AfterData {
                        // What is wrong behind it is found again when more is asked for.
                        let _ = self.skip_to_data(bytes);
                    }
                    return Ok(Decoded::Data(data));
                }
                Place::Trailers => return self.trailers(bytes),
                Place::End => return Ok(Decoded::End),
                Place::Size | Place::AfterData => {
                    if !self.skip_to_data(bytes)? {
                        return Ok(Decoded::Partial);
                    }
                }
            }
        }
    }

    /// Reads what stands between two chunks, and the end where no trailers come before it. Whether
    /// it is all there.
    fn skip_to_data(&mut self, bytes: &mut Bytes) -> Result<bool, &'static str> {
        if self.place == Place::AfterData {
            match bytes.get(..2) {
                Some(b"\r\n") => bytes.advance(2),
                None if b"\r\n".starts_with(bytes) => return Ok(false),
                _ => return Err("a chunk is longer than its size"),
            }
            self.place = Place::Size;
        }
        // The parser takes no digits at all for a zero.
        if !bytes.first().is_none_or(u8::is_ascii_hexdigit) {
            return Err("a chunk has no size");
        }
        let (line, size) = match httparse::parse_chunk_size(bytes) {
            Ok(Status::Complete(found)) => found,
            Ok(Status::Partial) if self.extensions + bytes.len() <= MAX_OVERHEAD => {
                return Ok(false);
            }
            Ok(Status::Partial) => return Err("chunk extensions are too long"),
            Err(_) => return Err("a chunk's size is not hexadecimal, or too large"),
        };
        if memchr::memchr(b'\n', &bytes[..line]) != Some(line - 1) {
            return Err("a line feed within a chunk's extensions");
        }
        self.extensions += line.saturating_sub(MAX_SIZE_LINE);
        if self.extensions > MAX_OVERHEAD {
            return Err("chunk extensions are too long");
        }
        bytes.advance(line);
        self.place = if size > 0 { Place::Data(size) } else { Place::Trailers };
        if size == 0 && bytes.starts_with(b"\r\n") {
            bytes.advance(2);
            self.place = Place::End;
        }
        Ok(true)
    }

    fn trailers(&mut self, bytes: &mut Bytes) -> Result<Decoded, &'static str> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_TRAILERS];
        let (length, fields) = match httparse::parse_headers(bytes, &mut fields) {
            Ok(Status::Complete(found)) => found,
            Ok(Status::Partial) if bytes.len() <= MAX_OVERHEAD => return Ok(Decoded::Partial),
            Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Err("the trailers are too long");
            }
            Err(_) => return Err("malformed trailers"),
        };
        let lines = &bytes[..length];
        if memchr::memchr_iter(b'\n', lines).any(|at| at == 0 || lines[at - 1] != b'\r') {
            return Err("malformed trailers: a line feed alone");
        }
        let mut trailers = HeaderMap::new();
        for field in fields {
            let name = HeaderName::from_bytes(field.name.as_bytes());
            let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value));
            let (Ok(name), Ok(value)) = (name, value) else { return Err("malformed trailers") };
            if trailer::may_pass(&name) {
                trailers.append(name, value);
            }
        }
        bytes.advance(length);
        self.place = Place::End;
        Ok(if trailers.is_empty() { Decoded::End } else { Decoded::Trailers(trailers) })
    }
}
