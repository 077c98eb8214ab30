//! The frames of an HTTP/2 client: fragments in targets, and whether its requests are whole.
//!
//! In: the bytes that a client sends, in any pieces. Out: the same, but for each `#` of a `:path`,
//! which becomes a `>`. The codec behind cuts a fragment off without a word, so that the request
//! would act on another resource than it names; a `>` has no place in a target, so that it is
//! malformed (RFC 9113, 8.1.1) and its stream reset. And whether every request that began has come to
//! its end, which the codec tells only whoever reads it. Never: changes a length, so that the tables
//! of both sides stay the same; keeps a table, or a byte.
//!
//! What is not seen: a `:path` whose name is taken from the dynamic table, which no client has a
//! reason for: the static one has it.

mod unended;

use unended::Unended;

/// The preface (RFC 9113, 3.4).
const PREFACE: usize = 24;
const HEAD: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
/// The bits of a stream's identifier.
const STREAM: u32 = u32::MAX >> 1;

/// `:path`, as it is and in Huffman's code.
const PATH: &[u8] = b":path";
const PATH_ENCODED: &[u8] = &[0xb9, 0x58, 0xd3, 0x3f];

/// Codes of each length (RFC 7541, appendix B). They are canonical: those of a length follow each
/// other, behind all shorter ones. `#` and `>` are the two of twelve bits.
const COUNT: [u32; 31] = [
    0, 0, 0, 0, 0, 10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19,
    29, 0, 4,
];
const FIRST: [u32; 31] = {
    let mut first = [0; 31];
    let mut length = 1;
    while length < 31 {
        first[length] = (first[length - 1] + COUNT[length - 1]) << 1;
        length += 1;
    }
    first
};

/// Follows the frames of a connection.
#[derive(Debug)]
pub struct Frames {
    place: Place,
    head: [u8; HEAD],
    block: Block,
    unended: Unended,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// So many bytes that are not looked at, then a frame.
    Skip(usize),
    /// So many bytes of a frame's head are there.
    Head(usize),
    /// The length of the padding, in a payload of so many bytes.
    PadLength(usize),
    /// So many bytes before a block, of so many, and padding.
    Before(usize, usize, usize),
    Block(usize, usize),
}

/// Follows a block of fields (RFC 7541, 6).
#[derive(Debug, Default)]
struct Block {
    step: Step,
    /// Of a string: bytes to come, or what is known of their number.
    left: usize,
    shift: u32,
    encoded: bool,
    is_path: bool,
    name: [u8; 5],
    /// Bits of a code that is not complete.
    code: u32,
    bits: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Step {
    #[default]
    Field,
    /// More of an index; whether a value follows.
    Index(bool),
    NameLength,
    NameLengthMore,
    /// So many bytes of it were read.
    Name(usize),
    ValueLength,
    ValueLengthMore,
    Value,
    /// The codec will say what is wrong.
    Broken,
}

impl Default for Frames {
    fn default() -> Self {
        let place = Place::Skip(PREFACE);
        Frames { place, head: [0; HEAD], block: Block::default(), unended: Unended::default() }
    }
}

impl Frames {
    /// Whether every request that began has come to its end, as far as is known.
    pub fn are_whole(&self) -> bool {
        self.unended.is_none()
    }

    /// Looks at the next bytes of the connection.
    pub fn inspect(&mut self, mut bytes: &mut [u8]) {
        loop {
            let here = bytes.len();
            let Some(first) = bytes.first_mut() else { return };
            let mut taken = 1;
            self.place = match self.place {
                Place::Skip(0) => {
                    taken = 0;
                    Place::Head(0)
                }
                Place::Skip(left) => {
                    taken = left.min(here);
                    Place::Skip(left - taken)
                }
                Place::Head(have) => {
                    self.head[have.min(HEAD - 1)] = *first;
                    if have + 1 < HEAD { Place::Head(have + 1) } else { self.begin() }
                }
                Place::PadLength(length) => {
                    let padding = usize::from(*first);
                    self.before(length.saturating_sub(1 + padding), padding)
                }
                Place::Before(0, block, padding) => {
                    taken = 0;
                    Place::Block(block, padding)
                }
                Place::Before(left, block, padding) => Place::Before(left - 1, block, padding),
                Place::Block(0, padding) => {
                    taken = 0;
                    Place::Skip(padding)
                }
                Place::Block(left, padding) => {
                    taken = self.block.skip(left.min(here));
                    if taken == 0 {
                        self.block.read(first);
                        taken = 1;
                    }
                    Place::Block(left - taken, padding)
                }
            };
            bytes = bytes.get_mut(taken..).unwrap_or_default();
        }
    }

    /// A frame's head is complete.
    fn begin(&mut self) -> Place {
        let [a, b, c, kind, flags, stream @ ..] = self.head;
        self.unended.frame(kind, flags, u32::from_be_bytes(stream) & STREAM);
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        match kind {
            HEADERS if length > 0 && flags & PADDED != 0 => Place::PadLength(length),
            HEADERS => self.before(length, 0),
            CONTINUATION => Place::Block(length, 0),
            _ => Place::Skip(length),
        }
    }

    /// A block of HEADERS begins, behind its priority.
    fn before(&self, length: usize, padding: usize) -> Place {
        let priority = if self.head[4] & PRIORITY != 0 { 5 } else { 0 };
        Place::Before(priority.min(length), length.saturating_sub(priority), padding)
    }
}

impl Block {
    /// How many of so many bytes are not worth looking at.
    fn skip(&mut self, here: usize) -> usize {
        if self.step != Step::Value || self.is_path {
            return 0;
        }
        let skipped = self.left.min(here);
        self.take(skipped);
        skipped
    }

    fn read(&mut self, byte: &mut u8) {
        match self.step {
            Step::Field => self.field(*byte),
            Step::Index(literal) if *byte & 0x80 == 0 => {
                self.step = if literal { Step::ValueLength } else { Step::Field };
            }
            Step::Index(_) | Step::Broken => {}
            Step::NameLength => self.length(*byte, Step::NameLengthMore, Step::Name(0)),
            Step::NameLengthMore => self.length_more(*byte, Step::Name(0)),
            Step::Name(have) => {
                if let Some(place) = self.name.get_mut(have) {
                    *place = *byte;
                }
                self.left = self.left.saturating_sub(1);
                self.step = Step::Name(have + 1);
                if self.left == 0 {
                    let path = if self.encoded { PATH_ENCODED } else { PATH };
                    self.is_path = have + 1 == path.len() && self.name.starts_with(path);
                    self.step = Step::ValueLength;
                }
            }
            Step::ValueLength => self.length(*byte, Step::ValueLengthMore, Step::Value),
            Step::ValueLengthMore => self.length_more(*byte, Step::Value),
            Step::Value => {
                match self.encoded {
                    true => self.decode(byte),
                    false if *byte == b'#' => *byte = b'>',
                    false => {}
                }
                self.take(1);
            }
        }
    }

    /// The first byte of a field's representation.
    fn field(&mut self, byte: u8) {
        let (prefix, literal) = match byte {
            0x80.. => (0x7f, false),
            0x40.. => (0x3f, true),
            0x20.. => (0x1f, false),
            _ => (0xf, true),
        };
        let index = byte & prefix;
        // Two entries of the static table have the name.
        self.is_path = literal && matches!(index, 4 | 5);
        self.step = match (index, literal) {
            (index, literal) if index == prefix => Step::Index(literal),
            (0, true) => Step::NameLength,
            (_, true) => Step::ValueLength,
            (_, false) => Step::Field,
        };
    }

    /// The first byte of a string.
    fn length(&mut self, byte: u8, more: Step, then: Step) {
        self.encoded = byte & 0x80 != 0;
        (self.left, self.shift) = (usize::from(byte & 0x7f), 0);
        (self.code, self.bits) = (0, 0);
        self.step = if self.left == 0x7f { more } else { then };
        self.if_empty();
    }

    fn length_more(&mut self, byte: u8, then: Step) {
        if self.shift > 21 {
            self.step = Step::Broken;
            return;
        }
        self.left += usize::from(byte & 0x7f) << self.shift;
        self.shift += 7;
        if byte & 0x80 == 0 {
            self.step = then;
        }
    }

    fn if_empty(&mut self) {
        match self.step {
            Step::Name(_) if self.left == 0 => self.step = Step::ValueLength,
            Step::Value => self.take(0),
            _ => {}
        }
    }

    /// So many bytes of a value are over.
    fn take(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
        if self.left == 0 {
            self.step = Step::Field;
        }
    }

    /// Finds `#` among codes, and makes it the one beside it.
    fn decode(&mut self, byte: &mut u8) {
        for place in (0..8).rev() {
            self.code = self.code << 1 | u32::from(*byte >> place & 1);
            self.bits += 1;
            let (Some(first), Some(count)) = (FIRST.get(self.bits), COUNT.get(self.bits)) else {
                self.step = Step::Broken;
                return;
            };
            let Some(at) = self.code.checked_sub(*first).filter(|at| at < count) else { continue };
            if (self.bits, at) == (12, 0) {
                *byte |= 1 << place;
            }
            (self.code, self.bits) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests;
