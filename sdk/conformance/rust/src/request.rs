//! Behaviours of the request hook.
//!
//! In: the id of a behaviour. Out: what it does to the request. Never: touches a response.

use std::time::Duration;

use weir_sdk::{BodyError, Reply, Request, Result, Verdict, bail};

use crate::{joined, lines, outcome, services};

pub(crate) fn on_request(behaviour: &str, request: &mut Request) -> Result<Verdict> {
    match behaviour {
        "request_header" => {
            let value = request.header("X-In").unwrap_or_default();
            request.set_header("x-out", value)?;
        }
        "request_header_missing" => {
            let missing = request.header("x-in").is_none();
            request.set_header("x-out", if missing { "none" } else { "some" })?;
        }
        "request_header_values" => {
            let values = joined(request.header_values("x-in"));
            request.set_header("x-out", values)?;
        }
        "request_headers" => {
            let lines = lines(request.headers());
            request.set_header("x-out", lines)?;
        }
        "set_request_header" => {
            request.set_header("X-In", "new")?;
            request.set_header("x-more", "more")?;
        }
        "append_request_header" => request.append_header("x-in", "b")?,
        "remove_request_header" => {
            request.remove_header("x-in")?;
            request.remove_header("x-absent")?;
        }
        "request_value_not_utf8" => {
            let value = request.header("x-in").unwrap_or_default();
            request.append_header("x-out", value)?;
        }
        "request_illegal_fields" => {
            let out = [
                outcome(request.set_header("bad name", "a")),
                outcome(request.set_header("", "a")),
                outcome(request.set_header("x-bad", "a\r\nb: c")),
                outcome(request.set_header("x-bad", "\0")),
            ];
            request.set_header("x-out", out.join("|"))?;
        }
        "request_forbidden_fields" => {
            let out = [
                outcome(request.set_header("Host", "x")),
                outcome(request.set_header("content-length", "x")),
                outcome(request.set_header("transfer-encoding", "x")),
                outcome(request.set_header("connection", "x")),
                outcome(request.set_header("upgrade", "x")),
                outcome(request.remove_header("host")),
            ];
            request.set_header("x-out", out.join("|"))?;
        }
        "request_size_exceeded" => {
            let out = outcome(request.set_header("x-big", "a".repeat(131_072)));
            request.set_header("x-out", out)?;
        }
        "request_facts" => {
            let facts = [
                request.method(),
                request.scheme(),
                request.authority(),
                request.path_with_query(),
                request.route(),
                request.client().address,
            ];
            request.set_header("x-out", facts.join("|"))?;
        }
        "request_id" => {
            let id = request.attribute("request.id").unwrap_or_default();
            request.set_header("x-out", if id.is_empty() { "no" } else { "yes" })?;
            let none = request.attribute("conformance.none").is_none();
            request.set_header("x-none", if none { "none" } else { "some" })?;
        }
        "set_method" => {
            request.set_method("PUT")?;
            let out = outcome(request.set_method("A B"));
            request.set_header("x-out", out)?;
        }
        "set_authority" => {
            request.set_authority("other.example:81")?;
            let out = outcome(request.set_authority("a/b"));
            request.set_header("x-out", out)?;
        }
        "set_path_with_query" => {
            request.set_path_with_query("/b?c=d")?;
            let out = [
                outcome(request.set_path_with_query("b")),
                outcome(request.set_path_with_query("/a b")),
            ];
            request.set_header("x-out", out.join("|"))?;
        }
        "read_request_body" => {
            let body = request.read_body(1_024)?;
            request.set_header("x-out", body.len().to_string())?;
        }
        "read_request_body_too_large" => {
            let out = body_outcome(request.read_body(4));
            request.set_header("x-out", out)?;
        }
        "set_request_body" => request.set_body("replaced by the guest"),
        "limit_request_body" => {
            request.limit_body(3);
            request.limit_body(1_024);
        }
        "reply" | "reply_to_head" => {
            let reply = Reply::new(403).header("x-many", "a").header("x-many", "b");
            return Ok(reply.body("no").into());
        }
        "reply_delay" => {
            return Ok(Reply::new(204).delay(Duration::from_millis(300)).into());
        }
        "reply_status_illegal" => return Ok(Reply::new(999).into()),
        "reply_field_illegal" => {
            return Ok(Reply::new(200).header("x-bad", "a\r\nb: c").into());
        }
        "reply_field_forbidden" => {
            return Ok(Reply::new(200).header("content-length", "1").into());
        }
        "attribute" => {
            request.set_attribute("conformance.note", "first");
            request.set_attribute("conformance.note", "kept");
        }
        "attribute_overflow" => {
            for number in 0..64 {
                request.set_attribute(&format!("n.{number}"), "");
            }
        }
        "error" => bail!("failed on purpose"),
        "trap" => panic!("trapped on purpose"),
        other => services::on_request(other, request)?,
    }
    Ok(Verdict::Forward)
}

pub(crate) fn body_outcome(result: Result<Vec<u8>, BodyError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(BodyError::TooLarge) => "too-large",
        Err(BodyError::Incomplete) => "incomplete",
        Err(BodyError::Timeout) => "timeout",
    }
}
