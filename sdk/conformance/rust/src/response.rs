//! Behaviours of the response hook.
//!
//! In: the id of a behaviour. Out: what it does to the response. Never: replies.

use weir_sdk::{Request, Response, Result, bail};

use crate::request::body_outcome;
use crate::{joined, lines, outcome};

pub(crate) fn on_response(behaviour: &str, request: &Request, response: &mut Response) -> Result {
    match behaviour {
        "response_status" => {
            let status = response.status();
            response.set_header("x-out", status.to_string())?;
        }
        "set_response_status" => {
            response.set_status(202)?;
            let out = [outcome(response.set_status(199)), outcome(response.set_status(600))];
            response.set_header("x-out", out.join("|"))?;
        }
        "response_header" => {
            let value = response.header("X-In").unwrap_or_default();
            response.set_header("x-out", value)?;
        }
        "response_header_values" => {
            let values = joined(response.header_values("x-in"));
            response.set_header("x-out", values)?;
        }
        "response_headers" => {
            let lines = lines(response.headers());
            response.set_header("x-out", lines)?;
        }
        "set_response_header" => {
            response.set_header("X-In", "new")?;
            response.set_header("x-more", "more")?;
        }
        "append_response_header" => response.append_header("set-cookie", "c=d")?,
        "remove_response_header" => {
            response.remove_header("x-in")?;
            response.remove_header("x-absent")?;
        }
        "response_value_not_utf8" => {
            let value = response.header("x-in").unwrap_or_default();
            response.append_header("x-out", value)?;
        }
        "response_illegal_fields" => {
            let out = [
                outcome(response.set_header("bad name", "a")),
                outcome(response.set_header("", "a")),
                outcome(response.set_header("x-bad", "a\r\nb: c")),
                outcome(response.set_header("x-bad", "\0")),
            ];
            response.set_header("x-out", out.join("|"))?;
        }
        "response_forbidden_fields" => {
            let out = [
                outcome(response.set_header("content-length", "x")),
                outcome(response.set_header("transfer-encoding", "x")),
                outcome(response.set_header("connection", "x")),
                outcome(response.set_header("upgrade", "x")),
                outcome(response.remove_header("content-length")),
            ];
            response.set_header("x-out", out.join("|"))?;
        }
        "response_size_exceeded" => {
            let out = outcome(response.set_header("x-big", "a".repeat(131_072)));
            response.set_header("x-out", out)?;
        }
        "request_is_read_only" => {
            // The SDK's types refuse this at compile time; the host is asked all the same.
            let out = request.changes_past_their_time().map(outcome);
            response.set_header("x-out", out.join("|"))?;
        }
        "attribute" => {
            let note = request.attribute("conformance.note").unwrap_or_default();
            response.set_header("x-out", note)?;
        }
        "read_response_body" => {
            let body = response.read_body(1_024)?;
            response.set_header("x-out", body.len().to_string())?;
        }
        "read_response_body_too_large" => {
            let out = body_outcome(response.read_body(4));
            response.set_header("x-out", out)?;
        }
        "set_response_body" => response.set_body("replaced by the guest"),
        "response_error" => bail!("no response on purpose"),
        _ => {}
    }
    Ok(())
}
