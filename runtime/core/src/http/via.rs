//! `Via` (RFC 9110, section 7.6.3): which proxies a message went through.
//!
//! In: a message's fields and the version it was received with. Out: one more member, and whether
//! a request goes round in circles. Never: makes a value for a message; all are constants.

use http::header::VIA;
use http::{HeaderMap, HeaderValue, Version};

use crate::error::{Error, Kind, Side};

/// The name that stands for us, whichever machine it is.
pub const PSEUDONYM: &str = "weir";
/// How often a request may have passed a Weir before it counts as a loop. Several in a row are
/// usual (edge, cluster, sidecar); so many are not.
pub const MAX_PASSES: usize = 10;

/// Adds ourselves to a request or response that was received with `version`.
pub fn append(headers: &mut HeaderMap, version: Version) {
    headers.append(VIA, member(version));
}

/// Refuses a request that went through Weir [`MAX_PASSES`] times.
///
/// # Errors
///
/// [`Kind::ProxyLoopDetected`], with status 508 (RFC 5842).
pub fn check(headers: &HeaderMap) -> Result<(), Error> {
    if passes(headers) < MAX_PASSES {
        return Ok(());
    }
    let detail = format!(
        "the request went through {PSEUDONYM} {MAX_PASSES} times; see whether an upstream points back at a listener"
    );
    Err(Error::new(Kind::ProxyLoopDetected, Side::Proxy, detail).with_status(508))
}

/// Our member for a version; the protocol name is left out where it is `HTTP`.
pub fn member(version: Version) -> HeaderValue {
    match version {
        Version::HTTP_2 => const { HeaderValue::from_static("2 weir") },
        Version::HTTP_3 => const { HeaderValue::from_static("3 weir") },
        Version::HTTP_11 => const { HeaderValue::from_static("1.1 weir") },
        _ => const { HeaderValue::from_static("1.0 weir") },
    }
}

/// Members that were received by us: `version SP weir [comment]`.
fn passes(headers: &HeaderMap) -> usize {
    let lines = headers.get_all(VIA).iter();
    let members = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    members
        .filter(|member| {
            let mut words = member.split(|byte| matches!(byte, b' ' | b'\t'));
            let mut words = words.by_ref().filter(|word| !word.is_empty()).skip(1);
            words.next().is_some_and(|by| by.eq_ignore_ascii_case(PSEUDONYM.as_bytes()))
        })
        .count()
}

#[cfg(test)]
mod tests;
