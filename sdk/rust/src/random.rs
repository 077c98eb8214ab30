//! Randomness fit for secrets and identifiers (`wasi:random`). Needs no grant; a test seeds it
//! with [`testing::Plugin::seed`](crate::testing::Plugin::seed).

use crate::host;

/// Bytes that nobody can guess.
pub fn bytes(count: usize) -> Vec<u8> {
    host::random::get_random_bytes(count as u64)
}

/// An array of bytes that nobody can guess. Allocates nothing.
pub fn array<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    for chunk in out.chunks_mut(8) {
        let word = u64().to_le_bytes();
        for (to, from) in chunk.iter_mut().zip(word) {
            *to = from;
        }
    }
    out
}

/// A number that nobody can guess.
pub fn u64() -> u64 {
    host::random::get_random_u64()
}
