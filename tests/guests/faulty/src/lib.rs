//! Goes wrong in the way that the request's field `x-fault` asks for.
//!
//! In: the name of a fault. Out: the fault, after a change to the exchange that a plugin which is
//! skipped must not leave behind. Never: goes wrong where it was not asked.
//!
//! Built twice: as `faulty`, and as `faulty-reading`, whose hooks can wait and run on fibers.

use std::hint::black_box;

use weir_sdk::{
    NoConfig, Plugin, Reply, Request, Response, Result, Summary, Transform, Verdict, bail,
};

/// Faults of the other hooks begin with these.
const LATER: [&str; 3] = ["request-body-", "response-", "complete-"];

struct Faulty;

#[weir_sdk::plugin]
impl Plugin for Faulty {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self> {
        Ok(Faulty)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let fault = fault(request).unwrap_or_default();
        if fault.is_empty() || LATER.iter().any(|prefix| fault.starts_with(prefix)) {
            return Ok(Verdict::Forward);
        }
        #[cfg(feature = "reading")]
        if fault == "read" {
            let length = request.read_body(1 << 20)?.len();
            request.set_header("x-length", length.to_string())?;
            return Ok(Verdict::Forward);
        }
        #[cfg(feature = "reading")]
        if fault == "read-and-think" {
            let read = request.read_body(1 << 20);
            think();
            request.set_header("x-length", read?.len().to_string())?;
            return Ok(Verdict::Forward);
        }
        request.set_header("x-changed", "by a plugin that failed")?;
        request.set_attribute("faulty.changed", "yes");
        match fault.as_str() {
            "trap" => trap_on_purpose(),
            "loop" => loop_for_ever(),
            "allocate" => allocate_without_end(),
            "error" => bail!("failed on purpose"),
            "status-999" => return Ok(Reply::new(999).into()),
            "status-199" => return Ok(Reply::new(199).into()),
            "status-103" => return Ok(Reply::new(103).into()),
            "reply-name" => return Ok(Reply::new(200).header("bad name", "a").into()),
            "reply-crlf" => {
                return Ok(Reply::new(200).header("x-bad", "a\r\nx-smuggled: yes").into());
            }
            "set-crlf" => request.set_header("x-bad", "a\r\nx-smuggled: yes")?,
            "ask-head" => request.set_method("HEAD")?,
            "connect" => request.set_method("CONNECT")?,
            "connect-quietly" => {
                let _ = request.set_method("CONNECT");
            }
            "remove-host" => request.remove_header("host")?,
            "remove-host-quietly" => {
                // A plugin that does not look at what it is told.
                let _ = request.remove_header("host");
                let _ = request.set_header("host", "elsewhere.example");
            }
            _ => {}
        }
        Ok(Verdict::Forward)
    }

    fn on_response(&self, request: &Request, response: &mut Response) -> Result {
        let Some(fault) = fault(request) else { return Ok(()) };
        if !fault.starts_with("response-") {
            return Ok(());
        }
        #[cfg(feature = "reading")]
        if fault == "response-read" {
            let length = response.read_body(1 << 20)?.len();
            return Ok(response.set_header("x-length", length.to_string())?);
        }
        response.set_header("x-changed", "by a plugin that failed")?;
        match fault.as_str() {
            "response-trap" => trap_on_purpose(),
            "response-loop" => loop_for_ever(),
            "response-error" => bail!("failed on purpose"),
            "response-status" => response.set_status(999)?,
            "response-status-204" => response.set_status(204)?,
            "response-status-205" => response.set_status(205)?,
            "response-status-304" => response.set_status(304)?,
            _ => {}
        }
        Ok(())
    }

    fn on_request_body(&self, request: &Request) -> Option<Box<dyn Transform>> {
        transform(request, "request-body-")
    }

    fn on_response_body(&self, request: &Request, _: &Response) -> Option<Box<dyn Transform>> {
        transform(request, "response-body-")
    }

    fn on_complete(&self, request: &Request, _: &Summary) {
        if fault(request).as_deref() == Some("complete-trap") {
            trap_on_purpose();
        }
    }
}

/// A body that goes wrong.
struct Wrong {
    fault: String,
    kept: Vec<u8>,
}

// === impl Wrong ===

impl Transform for Wrong {
    fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>> {
        match self.fault.as_str() {
            "trap" => trap_on_purpose(),
            "loop" => loop_for_ever(),
            "error" => bail!("failed on purpose"),
            // Four bytes for one, as long as anybody takes them.
            "grow" => return Ok(chunk.repeat(4)),
            "keep" => {
                self.kept.extend_from_slice(&chunk);
                return Ok(Vec::new());
            }
            _ => {}
        }
        Ok(chunk)
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        match self.fault.as_str() {
            "finish-trap" => trap_on_purpose(),
            "finish-allocate" => allocate_without_end(),
            _ => {}
        }
        Ok(std::mem::take(&mut self.kept))
    }
}

fn fault(request: &Request) -> Option<String> {
    request.header_str("x-fault")
}

fn transform(request: &Request, prefix: &str) -> Option<Box<dyn Transform>> {
    let fault = fault(request)?;
    let fault = fault.strip_prefix(prefix)?.to_owned();
    Some(Box::new(Wrong { fault, kept: Vec::new() }))
}

// Functions of their own, so that the proxy's log can name them.

#[inline(never)]
fn trap_on_purpose() {
    panic!("trapped on purpose");
}

#[inline(never)]
fn loop_for_ever() {
    while black_box(true) {}
}

/// For some slices, and less than the deadline.
#[cfg(feature = "reading")]
fn think() {
    for round in 0..30_000_000_u32 {
        black_box(round);
    }
}

#[inline(never)]
fn allocate_without_end() {
    // Taken but not written to: on a slow machine the deadline would be reached first.
    let mut all = Vec::new();
    while black_box(true) {
        all.push(black_box(Vec::<u8>::with_capacity(64 << 10)));
    }
}
