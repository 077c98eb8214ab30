//! How texts are in a guest's memory.
//!
//! In: a text. Out: the same as a guest has it. Never: reads one: [`memory`](super::memory) does.

use serde::{Deserialize, Serialize};

/// Set in the length of a text that may be in Latin-1, where it is in UTF-16.
pub const WIDE: u32 = 1 << 31;

/// How texts are in memory.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    #[default]
    Utf8,
    Utf16,
    /// Latin-1, or UTF-16 where the length says so.
    Compact,
}

impl Encoding {
    /// Bytes of a text, and its length as a guest counts.
    pub fn encode(self, text: String) -> (Vec<u8>, u32) {
        if self == Encoding::Utf8 {
            let bytes = text.into_bytes();
            let length = bytes.len() as u32;
            return (bytes, length);
        }
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let tag = if self == Encoding::Compact { WIDE } else { 0 };
        let length = (bytes.len() / 2) as u32 | tag;
        (bytes, length)
    }

    /// What a text's place is a multiple of.
    pub fn align(self) -> u32 {
        if self == Encoding::Utf8 { 1 } else { 2 }
    }
}
