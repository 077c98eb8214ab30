//! Texts and lists on their way into a guest, which makes room for them one after another.
//!
//! In: what a function gives. Out: what room is wanted next, and, once that was made, what is in it. Never:
//! writes into room that is not the guest's, or gives a part of an answer as the whole.
//!
//! The [glue](super::glue) asks: an answer wants room as long as it is not [`NOTHING`].

use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method};
use wasmtime::{Error, Result};

use super::encoding::Encoding;
use super::memory::{self, SPAN, Span};

/// Room wanted: alignment and bytes, in the two halves. None: 0.
pub type Wanted = u64;

pub const NOTHING: Wanted = 0;
/// Where what is empty is.
const SOMEWHERE: u32 = 8;
/// Where it stands behind what says that it is there.
const PAYLOAD: u32 = 4;

/// Pieces of an answer that was begun.
#[derive(Debug, Default)]
pub struct Answer {
    /// With where the place and the length of each are written.
    pieces: Vec<(Slot, Piece)>,
    /// How many were given.
    given: usize,
    /// Where the list is whose elements follow it.
    list: u32,
}

#[derive(Debug)]
struct Piece {
    data: Data,
    /// In elements or units.
    length: u32,
    align: u32,
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    At(u32),
    /// So far into the list that came first.
    InList(u32),
}

/// Bytes, or a text.
#[derive(Debug)]
pub enum Data {
    Field(HeaderValue),
    FieldName(HeaderName),
    Method(Method),
    Target(PathAndQuery),
    Bytes(Vec<u8>),
    Shared(Arc<Vec<u8>>),
    Name(Arc<str>),
    Static(&'static str),
}

impl Data {
    fn as_slice(&self) -> &[u8] {
        match self {
            Data::Field(value) => value.as_bytes(),
            Data::FieldName(name) => name.as_str().as_bytes(),
            Data::Method(method) => method.as_str().as_bytes(),
            Data::Target(target) => target.as_str().as_bytes(),
            Data::Bytes(bytes) => bytes,
            Data::Shared(bytes) => bytes,
            Data::Name(name) => name.as_bytes(),
            Data::Static(text) => text.as_bytes(),
        }
    }
}

impl From<String> for Data {
    fn from(text: String) -> Data {
        Data::Bytes(text.into_bytes())
    }
}

impl Answer {
    /// # Errors
    /// Where one is under way: the guest calls while it makes room for it.
    pub fn check_idle(&self) -> Result<()> {
        if self.pieces.is_empty() {
            return Ok(());
        }
        Err(Error::msg("the guest calls the host while it makes room for an answer"))
    }

    /// Bytes, whose place and length are to stand at `slot`.
    pub fn bytes(&mut self, memory: &mut [u8], slot: u32, data: Data) -> Result<Wanted> {
        self.begin(memory, slot, Piece::bytes(data))
    }

    /// A list of numbers of four bytes, likewise.
    pub fn numbers(&mut self, memory: &mut [u8], slot: u32, numbers: &[u32]) -> Result<Wanted> {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.records(memory, slot, bytes, numbers.len())
    }

    /// A list of so many records of numbers, the largest of four bytes, likewise.
    pub fn records(
        &mut self,
        memory: &mut [u8],
        slot: u32,
        bytes: Vec<u8>,
        length: usize,
    ) -> Result<Wanted> {
        let (data, length) = (Data::Bytes(bytes), length as u32);
        self.begin(memory, slot, Piece { data, length, align: 4 })
    }

    /// A text, likewise.
    pub fn text(
        &mut self,
        memory: &mut [u8],
        slot: u32,
        data: Data,
        encoding: Encoding,
    ) -> Result<Wanted> {
        self.begin(memory, slot, Piece::text(data, encoding))
    }

    /// `option<list<u8>>`
    pub fn maybe_bytes(
        &mut self,
        memory: &mut [u8],
        to: u32,
        data: Option<Data>,
    ) -> Result<Wanted> {
        memory::write(memory, to, &[u8::from(data.is_some())])?;
        match data {
            Some(data) => self.bytes(memory, to.wrapping_add(PAYLOAD), data),
            None => Ok(NOTHING),
        }
    }

    /// `option<string>`
    pub fn maybe_text(
        &mut self,
        memory: &mut [u8],
        to: u32,
        data: Option<Data>,
        encoding: Encoding,
    ) -> Result<Wanted> {
        memory::write(memory, to, &[u8::from(data.is_some())])?;
        match data {
            Some(data) => self.text(memory, to.wrapping_add(PAYLOAD), data, encoding),
            None => Ok(NOTHING),
        }
    }

    /// Several texts, each with where its place and length are to stand.
    pub fn texts(
        &mut self,
        memory: &mut [u8],
        texts: Vec<(u32, Data)>,
        encoding: Encoding,
    ) -> Result<Wanted> {
        for (slot, data) in texts {
            self.text(memory, slot, data, encoding)?;
        }
        Ok(self.pieces.first().map_or(NOTHING, |(_, piece)| piece.wanted()))
    }

    /// A list whose elements have each so many of these texts or bytes, in their order: `is_text` says of
    /// each of an element's whether it is a text.
    pub fn list(
        &mut self,
        memory: &mut [u8],
        slot: u32,
        elements: Vec<Data>,
        is_text: &[bool],
        encoding: Encoding,
    ) -> Result<Wanted> {
        const EACH: usize = SPAN as usize;
        let mut list = vec![0; elements.len() * EACH];
        let length = (elements.len() / is_text.len().max(1)) as u32;
        let mut pieces = Vec::new();
        for (number, (data, is_text)) in
            elements.into_iter().zip(is_text.iter().cycle()).enumerate()
        {
            let slot = number * EACH;
            if data.as_slice().is_empty() {
                list[slot..slot + 4].copy_from_slice(&SOMEWHERE.to_le_bytes());
                continue;
            }
            let piece = if *is_text { Piece::text(data, encoding) } else { Piece::bytes(data) };
            pieces.push((Slot::InList(slot as u32), piece));
        }
        let list = Piece { data: Data::Bytes(list), length, align: 4 };
        let wanted = self.begin(memory, slot, list)?;
        if wanted != NOTHING {
            self.pieces.append(&mut pieces);
        }
        Ok(wanted)
    }

    /// Fills the room that was made for the next piece.
    pub fn give(&mut self, memory: &mut [u8], at: u32) -> Result<Wanted> {
        let Some((slot, piece)) = self.pieces.get(self.given) else {
            return Err(Error::msg("there is no answer to give"));
        };
        if !at.is_multiple_of(piece.align) {
            return Err(Error::msg("the guest's allocator gives room that is not aligned"));
        }
        memory::write(memory, at, piece.data.as_slice())?;
        let slot = match slot {
            Slot::At(slot) => *slot,
            Slot::InList(offset) => self.list.wrapping_add(*offset),
        };
        Span { at, length: piece.length }.write(memory, slot)?;
        if self.given == 0 {
            self.list = at;
        }
        self.given += 1;
        match self.pieces.get(self.given) {
            Some((_, next)) => Ok(next.wanted()),
            None => {
                self.clear();
                Ok(NOTHING)
            }
        }
    }

    /// Gives up what is under way.
    pub fn clear(&mut self) {
        self.pieces.clear();
        self.given = 0;
    }

    fn begin(&mut self, memory: &mut [u8], slot: u32, piece: Piece) -> Result<Wanted> {
        if piece.data.as_slice().is_empty() {
            Span { at: SOMEWHERE, length: 0 }.write(memory, slot)?;
            return Ok(NOTHING);
        }
        let wanted = piece.wanted();
        self.pieces.push((Slot::At(slot), piece));
        Ok(wanted)
    }
}

impl Piece {
    fn bytes(data: Data) -> Piece {
        Piece { length: data.as_slice().len() as u32, data, align: 1 }
    }

    fn text(data: Data, encoding: Encoding) -> Piece {
        if encoding == Encoding::Utf8 {
            return Piece::bytes(data);
        }
        let text = String::from_utf8_lossy(data.as_slice()).into_owned();
        let (bytes, length) = encoding.encode(text);
        Piece { data: Data::Bytes(bytes), length, align: encoding.align() }
    }

    fn wanted(&self) -> Wanted {
        Wanted::from(self.align) << 32 | self.data.as_slice().len() as u64
    }
}
