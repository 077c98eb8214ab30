//! Names and numbers of the fields that tell a client about its limit, as in
//! draft-ietf-httpapi-ratelimit-headers-06: later drafts have one structured field, and fewer readers.
//!
//! In: numbers. Out: their digits, on the stack. Never: allocates.

pub const LIMIT: &str = "ratelimit-limit";
pub const REMAINING: &str = "ratelimit-remaining";
pub const RESET: &str = "ratelimit-reset";

/// The longest number, twice, and a space.
const SIZE: usize = 41;

/// ASCII, at the end of its buffer.
#[derive(Clone, Copy)]
pub struct Digits {
    text: [u8; SIZE],
    start: usize,
}

/// Whole seconds, rounded up: who waits that long has waited enough.
pub fn seconds(millis: u64) -> u64 {
    millis.div_ceil(1_000)
}

/// Two numbers with a space between them.
pub fn join(one: &Digits, other: &Digits) -> Digits {
    let mut out = *other;
    out.push(b' ');
    for byte in one.as_bytes().iter().rev() {
        out.push(*byte);
    }
    out
}

// === impl Digits ===

impl Digits {
    /// The digits of a number.
    pub fn of(mut number: u64) -> Self {
        let mut out = Self { text: [0; SIZE], start: SIZE };
        loop {
            out.push(b'0' + (number % 10) as u8);
            number /= 10;
            if number == 0 {
                return out;
            }
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.text[self.start..]
    }

    /// The same as text. It is ASCII, so the check never fails.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        self.start -= 1;
        self.text[self.start] = byte;
    }
}
