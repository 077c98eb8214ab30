//! Keys as short as the limiter takes them.
//!
//! In: whatever a variable gave, which may be a client's own long text. Out: at most [`MAX_BYTES`].
//! Never: one key for two texts that differ in their beginning; two that differ only further on share
//! one with a chance of one in 2^64.

use std::borrow::Cow;

/// Longest key that the limiter takes.
const MAX_BYTES: usize = 1 << 10;
/// Of a hash in hexadecimal.
const HASH_BYTES: usize = 16;

/// The key itself, or its beginning and a hash of all of it (FNV-1a).
pub(crate) fn short(key: &str) -> Cow<'_, str> {
    if key.len() <= MAX_BYTES {
        return Cow::Borrowed(key);
    }
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
    let start = &key[..key.floor_char_boundary(MAX_BYTES - HASH_BYTES)];
    Cow::Owned(format!("{start}{hash:016x}"))
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, short};

    #[test]
    fn short_keys_stay_and_long_ones_differ() {
        let longest = "k".repeat(MAX_BYTES);
        assert_eq!(short(&longest), longest);
        let long = |end: &str| format!("{}{end}", "é".repeat(MAX_BYTES));
        let (one, two) = (long("a"), long("b"));
        let (one, two) = (short(&one), short(&two));
        assert!(one.len() <= MAX_BYTES && two.len() <= MAX_BYTES);
        assert_ne!(one, two);
        assert_eq!(one, short(&long("a")));
    }
}
