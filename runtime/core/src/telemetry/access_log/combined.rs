//! A line in Apache's combined log format:
//! `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"`.

use super::escape;
use super::time::Stamp;
use super::{Record, protocol};

pub fn line(out: &mut Vec<u8>, stamp: &mut Stamp, record: &Record<'_>) {
    word(out, record.client.as_bytes());
    out.extend_from_slice(b" - ");
    word(out, record.user.unwrap_or_default().as_bytes());
    out.extend_from_slice(b" [");
    stamp.common(out, record.time);
    out.extend_from_slice(b"] \"");
    escape::quoted(out, record.method.as_bytes());
    out.push(b' ');
    escape::quoted(out, record.path);
    out.push(b' ');
    out.extend_from_slice(protocol(record.protocol).as_bytes());
    out.extend_from_slice(b"\" ");
    number(out, record.status.into());
    out.push(b' ');
    match record.response_bytes {
        0 => out.push(b'-'),
        bytes => number(out, bytes),
    }
    quoted(out, record.referer);
    quoted(out, record.user_agent);
    out.push(b'\n');
}

/// `-` where there is none.
fn word(out: &mut Vec<u8>, value: &[u8]) {
    escape::word(out, if value.is_empty() { b"-" } else { value });
}

fn quoted(out: &mut Vec<u8>, value: Option<&[u8]>) {
    out.extend_from_slice(b" \"");
    escape::quoted(out, value.unwrap_or(b"-"));
    out.push(b'"');
}

fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
