//! The guest's memory, as the host sees it.
//!
//! In: where a guest says that something is. Out: what is there, for its price, or a trap that says why
//! not. Never: reads or writes beyond the memory, and never more of it in one call than could be kept.

use std::borrow::Cow;

use wasmtime::{Error, Result};

use super::encoding::{Encoding, WIDE};

/// Bytes of the place and length of a text or list.
pub const SPAN: u32 = 8;
/// What a record costs at least, as so many bytes that are copied.
const RECORD: usize = 256;

/// What reading takes, and how texts are there.
pub trait Reader {
    /// Counts what is handed over at once.
    ///
    /// # Errors
    /// Where it is more than could be kept.
    fn hand_over(&self, bytes: usize) -> Result<()>;
    /// The price of so many bytes.
    ///
    /// # Errors
    /// Where the call had its time.
    fn pay_bytes(&self, bytes: usize) -> Result<()>;
    fn encoding(&self) -> Encoding;
}

/// A text, or a list, in a guest's memory.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub at: u32,
    /// In elements, or units of the encoding.
    pub length: u32,
}

/// A list of guest's records.
#[derive(Debug, Clone, Copy)]
pub struct Records {
    span: Span,
    /// Bytes of each.
    size: u32,
}

/// Bytes of a guest.
pub fn bytes<'m>(memory: &'m [u8], by: &dyn Reader, span: Span) -> Result<&'m [u8]> {
    let length = span.length as usize;
    by.hand_over(length)?;
    within(memory, span.at, length)
}

/// A text of a guest, for its price.
pub fn text<'m>(memory: &'m [u8], by: &dyn Reader, span: Span) -> Result<Cow<'m, str>> {
    let text = match (by.encoding(), span.length & WIDE) {
        (Encoding::Utf8, _) => {
            let bytes = bytes(memory, by, span)?;
            Cow::Borrowed(std::str::from_utf8(bytes).map_err(Error::new)?)
        }
        (Encoding::Compact, 0) => {
            let bytes = bytes(memory, by, span)?;
            by.hand_over(bytes.len())?;
            Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect())
        }
        (Encoding::Compact | Encoding::Utf16, _) => {
            let length = match by.encoding() {
                Encoding::Compact => span.length & !WIDE,
                _ => span.length,
            };
            let length = (length as usize).saturating_mul(2);
            // What it is in UTF-8 may be half as much again.
            by.hand_over(length.saturating_mul(2))?;
            let bytes = within(memory, span.at, length)?;
            let units = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            let text: Result<String, _> = char::decode_utf16(units).collect();
            Cow::Owned(text.map_err(Error::new)?)
        }
    };
    by.pay_bytes(text.len())?;
    Ok(text)
}

/// The same, where a longer one than `most` bytes is a trap.
pub fn short_text<'m>(
    memory: &'m [u8],
    by: &dyn Reader,
    span: Span,
    what: &str,
    most: usize,
) -> Result<Cow<'m, str>> {
    let text = text(memory, by, span)?;
    if text.len() > most {
        return Err(Error::msg(format!("{what} of {} bytes is longer than {most}", text.len())));
    }
    Ok(text)
}

/// A number of four bytes.
pub fn word(memory: &[u8], at: u32) -> Result<u32> {
    Ok(u32::from_le_bytes(array(memory, at)?))
}

pub fn half_word(memory: &[u8], at: u32) -> Result<u16> {
    Ok(u16::from_le_bytes(array(memory, at)?))
}

pub fn byte(memory: &[u8], at: u32) -> Result<u8> {
    Ok(array::<1>(memory, at)?[0])
}

/// The text or list whose place and length are there.
pub fn span(memory: &[u8], at: u32) -> Result<Span> {
    Ok(Span { at: word(memory, at)?, length: word(memory, at.wrapping_add(4))? })
}

/// Writes an answer, or a part of it.
pub fn write(memory: &mut [u8], at: u32, bytes: &[u8]) -> Result<()> {
    let at = at as usize;
    let to = memory.get_mut(at..).and_then(|memory| memory.get_mut(..bytes.len()));
    to.ok_or_else(beyond)?.copy_from_slice(bytes);
    Ok(())
}

impl Span {
    /// Writes where it is and its length.
    pub fn write(self, memory: &mut [u8], to: u32) -> Result<()> {
        let mut bytes = [0; SPAN as usize];
        bytes[..4].copy_from_slice(&self.at.to_le_bytes());
        bytes[4..].copy_from_slice(&self.length.to_le_bytes());
        write(memory, to, &bytes)
    }
}

impl Records {
    /// Those of a list, each of so many bytes.
    pub fn new(memory: &[u8], by: &dyn Reader, span: Span, size: u32) -> Result<Records> {
        let bytes = (span.length as usize).saturating_mul(size as usize);
        by.hand_over(bytes)?;
        // Paid before any is looked at, and by their number: an empty one takes the host as long.
        by.pay_bytes(bytes.max((span.length as usize).saturating_mul(RECORD)))?;
        within(memory, span.at, bytes)?;
        Ok(Records { span, size })
    }

    /// Those of a list of pairs of texts, or of a text and bytes.
    pub fn of_pairs(memory: &[u8], by: &dyn Reader, span: Span) -> Result<Records> {
        Records::new(memory, by, span, 2 * SPAN)
    }

    /// The two of each pair.
    pub fn pairs(self, memory: &[u8]) -> impl Iterator<Item = Result<(Span, Span)>> {
        self.iter().map(|at| Ok((span(memory, at)?, span(memory, at.wrapping_add(SPAN))?)))
    }

    pub fn len(self) -> usize {
        self.span.length as usize
    }

    /// Where each is.
    pub fn iter(self) -> impl ExactSizeIterator<Item = u32> {
        let Records { span, size } = self;
        // No address is beyond the memory, so none wraps; and no list is longer than one can count.
        (0..span.length as usize).map(move |number| span.at.wrapping_add(number as u32 * size))
    }
}

fn within(memory: &[u8], at: u32, length: usize) -> Result<&[u8]> {
    memory.get(at as usize..).and_then(|memory| memory.get(..length)).ok_or_else(beyond)
}

fn array<const N: usize>(memory: &[u8], at: u32) -> Result<[u8; N]> {
    let bytes = memory.get(at as usize..).and_then(|memory| memory.first_chunk());
    bytes.copied().ok_or_else(beyond)
}

#[cold]
fn beyond() -> Error {
    Error::msg("a text, a list or an answer is beyond the guest's memory")
}
