//! HTTP/2 by hand: frames as a test wants them, also those that no library would send.
//!
//! In: frames and fields. Out: the frames the proxy answers with. Never: keeps the protocol's rules.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Types of frames (RFC 9113, 6).
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// One frame.
#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// A head that begins a call of gRPC.
pub const GRPC_CALL: [(&str, &str); 6] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":authority", "a"),
    (":path", "/service/Method"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
];

/// A connection after its preface.
pub struct Frames {
    stream: TcpStream,
    /// Frames that came before one that was looked for, without those of bodies: streams answer in any
    /// order.
    passed: VecDeque<Frame>,
}

impl Frames {
    /// Connects and sends preface and empty settings.
    pub fn connect(address: SocketAddr) -> Frames {
        Frames::over(TcpStream::connect(address).expect("a connection"))
    }

    /// As [`Frames::connect`], over a connection of any kind.
    pub fn over(stream: TcpStream) -> Frames {
        stream.set_nodelay(true).expect("no delay");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let mut frames = Frames { stream, passed: VecDeque::new() };
        let _ = frames.stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        frames.send(kind::SETTINGS, 0, 0, &[]);
        frames
    }

    /// Sends a frame; `false` where the proxy has closed.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).expect("a frame's length").to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).is_ok()
    }

    /// Sends a whole head.
    pub fn head(&mut self, stream: u32, end: bool, fields: &[(&str, &str)]) -> bool {
        let flags = END_HEADERS | if end { END_STREAM } else { 0 };
        self.send(kind::HEADERS, flags, stream, &block(fields))
    }

    /// The next frame off the connection; `None` at its end.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).ok()?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Waits until the proxy has read all that was sent.
    pub fn all_is_read(&mut self) {
        self.send(kind::PING, 0, 0, b"all sent");
        let is_answer = |frame: &Frame| frame.kind == kind::PING && frame.flags & ACK != 0;
        assert!(self.find_any(is_answer).is_some(), "the connection ended");
    }

    /// The next frame of this kind and stream that was not found yet; `None` at the connection's end.
    pub fn find(&mut self, kind: u8, stream: u32) -> Option<Frame> {
        self.find_any(|frame| frame.kind == kind && frame.stream == stream)
    }

    /// What becomes of a stream: its status, or `0` where it was reset or the connection ended.
    pub fn status(&mut self, stream: u32) -> u16 {
        let ends = |frame: &Frame| match frame.kind {
            kind::HEADERS | kind::RST_STREAM => frame.stream == stream,
            kind::GOAWAY => frame.payload.get(4..8) != Some(&[0; 4]),
            _ => false,
        };
        match self.find_any(ends) {
            Some(frame) if frame.kind == kind::HEADERS => status(&frame.payload),
            _ => 0,
        }
    }

    fn find_any(&mut self, is_it: impl Fn(&Frame) -> bool) -> Option<Frame> {
        if let Some(position) = self.passed.iter().position(&is_it) {
            return self.passed.remove(position);
        }
        loop {
            let frame = self.next_frame()?;
            if is_it(&frame) {
                return Some(frame);
            }
            if frame.kind != kind::DATA {
                self.passed.push_back(frame);
            }
        }
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

/// Fields as literals without indexing (RFC 7541, 6.2.2).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        text(name, &mut block);
        text(value, &mut block);
    }
    block
}

/// A field that others of its connection may repeat by a byte, [`NEWEST`] (RFC 7541, 6.2.1). `name`: what
/// it begins with, which says its name.
pub fn indexed(name: &[u8], value: &str) -> Vec<u8> {
    let mut field = name.to_vec();
    text(value, &mut field);
    field
}

/// The field that was indexed last (RFC 7541, 2.3.3 and 6.1).
pub const NEWEST: u8 = 0x80 | 62;

/// A string as it is (RFC 7541, 5.2).
fn text(text: &str, block: &mut Vec<u8>) {
    length(text.len(), block);
    block.extend(text.as_bytes());
}

/// An integer with a prefix of seven bits (RFC 7541, 5.1).
fn length(mut number: usize, block: &mut Vec<u8>) {
    if number < 127 {
        block.push(number as u8);
        return;
    }
    block.push(127);
    number -= 127;
    while number >= 128 {
        block.push(number as u8 | 128);
        number >>= 7;
    }
    block.push(number as u8);
}

/// The status that a block begins with: indexed, or a literal (plain or Huffman) of three digits.
fn status(block: &[u8]) -> u16 {
    match block {
        [0x88, ..] => 200,
        [0x89, ..] => 204,
        [0x8a, ..] => 206,
        [0x8b, ..] => 304,
        [0x8c, ..] => 400,
        [0x8d, ..] => 404,
        [0x8e, ..] => 500,
        [_, 3, digits @ ..] => {
            let digits = digits.get(..3).map(String::from_utf8_lossy);
            digits.and_then(|digits| digits.parse().ok()).unwrap_or(1)
        }
        [_, 0x82 | 0x83, huffman @ ..] => {
            // Digits 0 to 2 take five bits, 3 to 9 six (RFC 7541, appendix B).
            let bits =
                huffman.iter().take(3).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            let (mut left, mut number) = (24, 0);
            for _ in 0..3 {
                let five = bits >> (left - 5) & 31;
                if five < 3 {
                    number = number * 10 + five;
                    left -= 5;
                } else {
                    number = number * 10 + (bits >> (left - 6) & 63) - 0x19 + 3;
                    left -= 6;
                }
            }
            number as u16
        }
        _ => 1,
    }
}
