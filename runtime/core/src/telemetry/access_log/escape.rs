//! Bytes of strangers in lines that programs and terminals read.
//!
//! In: any bytes. Out: the inside of a JSON string (RFC 8259, 7), always UTF-8, or of a quoted
//! field of the combined format, always printable ASCII. Never: lets a control character through,
//! C1 included, nor another one that [acts].

use std::fmt;

use crate::telemetry::acting::acts;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What formats into a JSON string.
pub struct JsonWriter<'a>(pub &'a mut Vec<u8>);

/// Appends the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD.
pub fn json(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.iter().all(|byte| is_plain(*byte)) {
        return out.extend_from_slice(bytes);
    }
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                // All of them are below U+10000, so four digits will do.
                acting if acts(acting) => {
                    let [.., high, low] = u32::from(acting).to_be_bytes();
                    out.extend_from_slice(b"\\u");
                    hex(out, high);
                    hex(out, low);
                }
                char => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Appends the inside of a quoted field as Apache does: `\"`, `\\`, and `\xhh` for what is not
/// printable ASCII.
pub fn quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            byte => hex_escape(out, byte),
        }
    }
}

/// Appends a field that is not quoted: blanks and brackets are escaped as well.
pub fn word(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'!'..=b'~' if !matches!(byte, b'"' | b'\\' | b'[' | b']') => out.push(byte),
            byte => hex_escape(out, byte),
        }
    }
}

/// Printable ASCII that JSON takes as it is.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn hex_escape(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(b"\\x");
    hex(out, byte);
}

fn hex(out: &mut Vec<u8>, byte: u8) {
    for nibble in [byte >> 4, byte & 0xf] {
        out.push(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    }
}

impl fmt::Write for JsonWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        json(self.0, text.as_bytes());
        Ok(())
    }
}
