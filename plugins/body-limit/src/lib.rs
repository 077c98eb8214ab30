//! Refuses requests whose body is too long.
//!
//! In: the `content-length`. Out: 413 up front, or a limit that the proxy holds the body to as it
//! streams. Never: sees a byte of a body.

use weir_sdk::{Plugin, Reply, Request, Result, Size, Verdict};

#[cfg(test)]
mod tests;

/// What the operator writes under `config = { … }`.
#[weir_sdk::config]
struct BodyLimit {
    /// The most bytes a request's body may have, such as "1MiB". "0B" allows no body.
    limit: Size,
}

#[weir_sdk::plugin]
impl Plugin for BodyLimit {
    type Config = Self;

    fn configure(config: Self) -> Result<Self> {
        Ok(config)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        if length(request).is_some_and(|length| length > self.limit.bytes()) {
            return Ok(self.too_large().into());
        }
        // Without a length, or where another plugin puts a longer body in its place.
        request.limit_body(self.limit.bytes());
        Ok(Verdict::Forward)
    }
}

impl BodyLimit {
    fn too_large(&self) -> Reply {
        let detail = format!("the body may have at most {}", self.limit);
        Reply::problem(413, "Content Too Large", &detail)
    }
}

/// The announced length; one beyond 64 bits is as long as can be.
fn length(request: &Request) -> Option<u64> {
    let value = request.header("content-length")?;
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits.then(|| value.as_str()?.parse().ok()).map(|length| length.unwrap_or(u64::MAX))
}
