//! Bytes that a plugin pays for until the last copy of them is gone.
//!
//! In: bytes that outlive the call in which a guest read or gave them, and the room that is held for
//! them: bodies, replies, what transforms make. Out: [`Bytes`], for whoever sends them. Never: lets
//! go of the room before the bytes, however slowly they are sent.

use std::sync::Arc;

use bytes::Bytes;
use weir_core::quota::Held;

/// What bytes cost beyond their number: however few a piece has, it is kept as one.
pub const COST: usize = 192;

struct Kept {
    bytes: Arc<Vec<u8>>,
    _held: Held,
}

/// Ties bytes to the room that is held for them.
pub fn keep(bytes: Arc<Vec<u8>>, held: Held) -> Bytes {
    Bytes::from_owner(Kept { bytes, _held: held })
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
