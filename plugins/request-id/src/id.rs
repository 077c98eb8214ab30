//! Identifiers: UUIDv7 (RFC 9562, 5.7), ULID and nanoid, written into a buffer on the stack.
//!
//! In: the wall clock once for each identifier, and randomness in blocks. Out: ASCII.
//! Never: repeats one, or gives a smaller one in the same instance (UUIDv7 and ULID), not even when
//! the clock stands still or steps back a little.

use weir_sdk::{clock, random};

/// What an identifier looks like.
#[weir_sdk::config]
#[derive(Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// Time-ordered UUID: `019b76da-a800-7b9c-8e5f-2f1d0c3b4a59`.
    #[default]
    UuidV7,
    /// Time-ordered, 26 characters: `01KDVDNA006P5V3S9QJ8ZC4XTR`.
    Ulid,
    /// Random, 21 characters that need no escape in a URL: `V1StGXR8_Z5jdHi6B-myT`.
    Nanoid,
}

/// An identifier: 21, 26 or 36 bytes of ASCII.
pub struct Id {
    text: [u8; 36],
    length: usize,
}

/// Makes identifiers, one after the other.
pub struct Generator {
    algorithm: Algorithm,
    random: Pool,
    last: Moment,
}

/// Milliseconds of the last identifier, and what it had below them: 12 bits of a counter
/// (UUIDv7), or 80 bits (ULID).
#[derive(Clone, Copy, Default)]
struct Moment {
    millis: u64,
    below: u128,
}

/// Random bytes, fetched in blocks: a call to the proxy for each identifier would double its cost.
/// Empty at first, so that an instance that starts from a snapshot fetches its own.
struct Pool {
    block: Vec<u8>,
    used: usize,
}

/// A clock that stepped back further than this is believed; the order is then lost.
const MAX_STEP_BACK_MILLIS: u64 = 10_000;
const BLOCK: usize = 256;

const HEX: &[u8; 16] = b"0123456789abcdef";
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// === impl Generator ===

impl Generator {
    pub fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, random: Pool { block: Vec::new(), used: 0 }, last: Moment::default() }
    }

    /// The next identifier.
    pub fn next(&mut self) -> Id {
        match self.algorithm {
            Algorithm::UuidV7 => self.uuid(clock::unix_millis()),
            Algorithm::Ulid => self.ulid(clock::unix_millis()),
            Algorithm::Nanoid => self.nanoid(),
        }
    }

    /// 48 bits of time, 4 of version, 12 of a counter that starts anew each millisecond (RFC 9562,
    /// 6.2, method 1), 2 of variant and 62 of randomness.
    fn uuid(&mut self, now: u64) -> Id {
        const COUNTER_BITS: u32 = 12;
        self.last = if self.is_later(now) {
            // The highest bit stays free, so that a millisecond has room for 2,048 at least.
            let counter = u16::from_le_bytes(self.random.take()) >> 5;
            Moment { millis: now, below: counter.into() }
        } else {
            self.last.plus(1, COUNTER_BITS)
        };
        let random = u64::from_le_bytes(self.random.take());
        let high = self.last.millis << 16 | 0x7000 | self.last.below as u64;
        let low = random >> 2 | 1 << 63;

        let mut text = [b'-'; 36];
        let bytes = high.to_be_bytes().into_iter().chain(low.to_be_bytes());
        // Where the two digits of each byte stand between the hyphens.
        let places = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
        for (byte, place) in bytes.zip(places) {
            text[place] = HEX[usize::from(byte >> 4)];
            text[place + 1] = HEX[usize::from(byte & 15)];
        }
        Id { text, length: 36 }
    }

    /// 48 bits of time and 80 of randomness, which grow within a millisecond by a random step.
    fn ulid(&mut self, now: u64) -> Id {
        const RANDOM_BITS: u32 = 80;
        self.last = if self.is_later(now) {
            let high = u16::from_le_bytes(self.random.take());
            let low = u64::from_le_bytes(self.random.take());
            Moment { millis: now, below: u128::from(high) << 64 | u128::from(low) }
        } else {
            let step = u32::from_le_bytes(self.random.take());
            self.last.plus(u128::from(step) + 1, RANDOM_BITS)
        };
        let number = u128::from(self.last.millis) << RANDOM_BITS | self.last.below;

        let mut text = [0; 36];
        for (place, digit) in text.iter_mut().take(26).enumerate() {
            *digit = CROCKFORD[(number >> (125 - 5 * place)) as usize & 31];
        }
        Id { text, length: 26 }
    }

    /// 126 bits of randomness.
    fn nanoid(&mut self) -> Id {
        let random: [u8; 21] = self.random.take();
        let mut text = [0; 36];
        for (digit, byte) in text.iter_mut().zip(random) {
            *digit = URL_SAFE[usize::from(byte & 63)];
        }
        Id { text, length: 21 }
    }

    fn is_later(&self, now: u64) -> bool {
        now > self.last.millis || self.last.millis - now > MAX_STEP_BACK_MILLIS
    }
}

// === impl Moment ===

impl Moment {
    /// The next moment: what does not fit in the bits below goes into the next millisecond.
    fn plus(self, step: u128, bits: u32) -> Self {
        let below = self.below + step;
        Self { millis: self.millis + (below >> bits) as u64, below: below & ((1 << bits) - 1) }
    }
}

// === impl Pool ===

impl Pool {
    /// The next bytes, each given once.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let end = self.used + N;
        let Some(bytes) = self.block.get(self.used..end).and_then(|it| it.try_into().ok()) else {
            self.block = random::bytes(BLOCK);
            self.used = N;
            return self.block.first_chunk().copied().unwrap_or_else(random::array);
        };
        self.used = end;
        bytes
    }
}

// === impl Id ===

impl Id {
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }

    /// The same as text. It is ASCII, so the check never fails.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}
