//! One token: its parts, its signature, its claims (RFC 7515, 7.1).
//!
//! In: the token's bytes. Out: what it says, if it is good but for the time.
//! Never: reads claims before the signature was found good.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::algorithm::Algorithm;
use crate::claims::Expected;
use crate::keys::Keys;
use crate::refusal::Refusal;
use crate::verified::Verified;

/// The JOSE header, as far as it matters.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    kid: Option<String>,
    /// Extensions that must be understood: none is.
    crit: Option<IgnoredAny>,
}

/// Verifies everything but the time.
pub fn verify(
    token: &[u8],
    keys: &Keys,
    expected: &Expected,
    scratch: &mut Vec<u8>,
) -> Result<Verified, Refusal> {
    let (signed, signature) = split_last(token).ok_or(Refusal::Malformed)?;
    let (header, payload) = split_last(signed).ok_or(Refusal::Malformed)?;

    decode(header, scratch)?;
    let header: Header = serde_json::from_slice(scratch).map_err(|_| Refusal::Malformed)?;
    if header.crit.is_some() {
        return Err(Refusal::Malformed);
    }
    let algorithm = Algorithm::named(&header.alg).ok_or(Refusal::Algorithm)?;
    let kid = header.kid;

    decode(signature, scratch)?;
    keys.verify(algorithm, kid.as_deref(), signed, scratch)?;

    decode(payload, scratch)?;
    expected.check(scratch)
}

/// What stands before and behind the last dot. A dot too many is no base64url, so it is found.
fn split_last(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = text.iter().rposition(|byte| *byte == b'.')?;
    Some((text.get(..dot)?, text.get(dot + 1..)?))
}

/// Decodes base64url without padding into `out`, which keeps its capacity.
fn decode(text: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    out.clear();
    URL_SAFE_NO_PAD.decode_vec(text, out).map_err(|_| Refusal::Malformed)
}
