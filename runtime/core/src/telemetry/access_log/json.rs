//! A line as a JSON object.
//!
//! In: a record. Out: the keys below, in this order; what does not apply is left out. Never: a key
//! twice; attributes have an object of their own.

use std::fmt::Write;
use std::time::Duration;

use super::escape::{self, JsonWriter};
use super::time::{Stamp, millis};
use super::{Record, protocol};

pub fn line(out: &mut Vec<u8>, stamp: &mut Stamp, record: &Record<'_>) {
    out.extend_from_slice(b"{\"time\":\"");
    stamp.rfc3339(out, record.time);
    out.extend_from_slice(b"\",\"request_id\":\"");
    // Writing into memory cannot fail; a Display that reports an error leaves what it wrote.
    let _ = write!(JsonWriter(out), "{}", record.request_id);
    out.push(b'"');
    text(out, "client", Some(record.client.as_bytes()));
    text(out, "listener", Some(record.listener.as_bytes()));
    text(out, "method", Some(record.method.as_bytes()));
    text(out, "scheme", Some(record.scheme.as_bytes()));
    text(out, "host", Some(record.host));
    text(out, "path", Some(record.path));
    text(out, "protocol", Some(protocol(record.protocol).as_bytes()));
    number(out, "status", Some(record.status.into()));
    number(out, "request_bytes", Some(record.request_bytes));
    number(out, "response_bytes", Some(record.response_bytes));
    duration(out, "duration_ms", Some(record.duration));
    text(out, "route", record.route.map(str::as_bytes));
    text(out, "upstream", record.upstream.map(str::as_bytes));
    text(out, "endpoint", record.endpoint.map(str::as_bytes));
    number(out, "upstream_status", record.upstream_status.map(u64::from));
    duration(out, "upstream_connect_ms", record.upstream_connect);
    duration(out, "upstream_first_byte_ms", record.upstream_first_byte);
    number(out, "attempts", (record.attempts > 0).then_some(record.attempts.into()));
    text(out, "plugin", record.plugin.map(str::as_bytes));
    text(out, "error", record.error.map(|kind| kind.as_str().as_bytes()));
    text(out, "error_detail", record.error_detail.map(str::as_bytes));
    text(out, "user", record.user.map(str::as_bytes));
    text(out, "user_agent", record.user_agent);
    text(out, "referer", record.referer);
    attributes(out, record);
    out.extend_from_slice(b"}\n");
}

fn attributes(out: &mut Vec<u8>, record: &Record<'_>) {
    let mut first = true;
    (record.attributes)(&mut |key, value| {
        out.extend_from_slice(if first { b",\"attributes\":{\"" } else { b",\"" });
        first = false;
        escape::json(out, key.as_bytes());
        out.extend_from_slice(b"\":\"");
        escape::json(out, value.as_bytes());
        out.push(b'"');
    });
    if !first {
        out.push(b'}');
    }
}

fn text(out: &mut Vec<u8>, key: &str, value: Option<&[u8]>) {
    let Some(value) = value else { return };
    begin(out, key);
    out.push(b'"');
    escape::json(out, value);
    out.push(b'"');
}

fn number(out: &mut Vec<u8>, key: &str, value: Option<u64>) {
    let Some(value) = value else { return };
    begin(out, key);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn duration(out: &mut Vec<u8>, key: &str, value: Option<Duration>) {
    let Some(value) = value else { return };
    begin(out, key);
    millis(out, value);
}

fn begin(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}
