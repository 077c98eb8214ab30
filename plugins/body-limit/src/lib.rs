//! Refuses requests whose body is too long.
//!
//! In: the `content-length`, or the bytes as they stream where there is none. Out: 413 up front,
//! or a body that is cut off. Never: buffers; a chunk goes on as it came.

use weir_sdk::{Plugin, Reply, Request, Result, Size, Transform, Verdict, bail};

#[cfg(test)]
mod tests;

/// What the operator writes under `config = { … }`.
#[weir_sdk::config]
struct BodyLimit {
    /// The most bytes a request's body may have, such as "1MiB". "0B" allows no body.
    limit: Size,
}

/// Counts a body that does not say how long it is.
struct Counter {
    left: u64,
    limit: Size,
}

#[weir_sdk::plugin]
impl Plugin for BodyLimit {
    type Config = Self;

    fn configure(config: Self) -> Result<Self> {
        Ok(config)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        match length(request) {
            Some(length) if length > self.limit.bytes() => Ok(self.too_large().into()),
            _ => Ok(Verdict::Forward),
        }
    }

    fn on_request_body(&self, request: &Request) -> Option<Box<dyn Transform>> {
        // The proxy holds a peer to the length it announced: such a body needs no counting.
        if length(request).is_some() {
            return None;
        }
        Some(Box::new(Counter { left: self.limit.bytes(), limit: self.limit }))
    }
}

impl BodyLimit {
    fn too_large(&self) -> Reply {
        let detail = format!("the body may have at most {}", self.limit);
        Reply::problem(413, "Content Too Large", &detail)
    }
}

impl Transform for Counter {
    fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>> {
        match self.left.checked_sub(chunk.len() as u64) {
            Some(left) => self.left = left,
            None => bail!("the request's body is longer than {}", self.limit),
        }
        Ok(chunk)
    }
}

/// The announced length; one beyond 64 bits is as long as can be.
fn length(request: &Request) -> Option<u64> {
    let value = request.header("content-length")?;
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits.then(|| value.as_str()?.parse().ok()).map(|length| length.unwrap_or(u64::MAX))
}
