//! The access log: a line for each exchange, JSON or Apache's combined format.
//!
//! In: a [`Record`] that borrows what the exchange has. Out: lines in a file or on standard output,
//! written by a thread of their own. Never: allocates for a line, waits, or lets a client's bytes
//! end a line or a string.

mod combined;
mod escape;
mod json;
#[cfg(test)]
mod tests;
mod time;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use self::time::Stamp;
use super::writer::{Sink, Writer};
use crate::error::Kind;

/// A worker's buffer is handed to the writer when it is this full.
const BUFFER: usize = 32 << 10;

/// The log of the process.
#[derive(Debug, Clone)]
pub struct AccessLog {
    format: Format,
    writer: Writer,
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line; what does not apply is left out.
    Json,
    /// Apache's combined log format; times are UTC.
    Combined,
}

/// One worker's buffer of lines. Call [`WorkerLog::flush`] every 200 ms or so: a buffer that is
/// not full is not handed over by itself. Dropping it flushes.
#[derive(Debug)]
pub struct WorkerLog {
    format: Format,
    writer: Writer,
    buffer: Vec<u8>,
    lines: u64,
    stamp: Stamp,
}

/// One exchange. Bytes from peers may be anything; they are escaped.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// When the request's head was complete.
    pub time: SystemTime,
    pub request_id: &'a dyn fmt::Display,
    /// Address of the client, without port.
    pub client: &'a str,
    pub listener: &'a str,
    pub method: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    pub host: &'a [u8],
    /// With the query.
    pub path: &'a [u8],
    pub protocol: http::Version,
    /// 0 where no response was sent.
    pub status: u16,
    /// Of the body.
    pub request_bytes: u64,
    /// Of the body.
    pub response_bytes: u64,
    /// To the last byte of the response.
    pub duration: Duration,
    pub route: Option<&'a str>,
    pub upstream: Option<&'a str>,
    /// Of the last attempt.
    pub endpoint: Option<&'a str>,
    /// Of the last attempt, before plugins changed it.
    pub upstream_status: Option<u16>,
    /// Time to connect; absent on a pooled connection.
    pub upstream_connect: Option<Duration>,
    /// From the request sent to the response's head.
    pub upstream_first_byte: Option<Duration>,
    /// Attempts at endpoints; 0 where the upstream was not called.
    pub attempts: u32,
    /// The plugin that replied.
    pub plugin: Option<&'a str>,
    pub error: Option<Kind>,
    /// What happened, for people.
    pub error_detail: Option<&'a str>,
    /// Who the client was found to be.
    pub user: Option<&'a str>,
    pub user_agent: Option<&'a [u8]>,
    pub referer: Option<&'a [u8]>,
    /// Calls its argument for each attribute of the exchange.
    pub attributes: &'a Attributes<'a>,
}

/// Calls its argument with key and value of each attribute.
pub type Attributes<'a> = dyn Fn(&mut dyn FnMut(&str, &str)) + 'a;

impl AccessLog {
    /// Opens the file to append to (mode 0640), or standard output, and starts the writing thread.
    /// `dropped` counts lines that were lost ([`super::metrics::Metrics::access_log_dropped`]).
    ///
    /// # Errors
    ///
    /// The file cannot be opened; the message names it.
    pub fn open(format: Format, file: Option<&Path>, dropped: Arc<AtomicU64>) -> io::Result<Self> {
        let sink = match file {
            Some(path) => Sink::file(path)?,
            None => Sink::stream(io::stdout())?,
        };
        AccessLog::to(format, sink, dropped)
    }

    fn to(format: Format, sink: Sink, dropped: Arc<AtomicU64>) -> io::Result<Self> {
        Ok(AccessLog { format, writer: Writer::start("weir-access-log", sink, dropped)? })
    }

    /// The buffer of one worker.
    pub fn worker(&self) -> WorkerLog {
        WorkerLog {
            format: self.format,
            writer: self.writer.clone(),
            buffer: Vec::new(),
            lines: 0,
            stamp: Stamp::default(),
        }
    }

    /// Opens the file anew, after a program moved it away.
    pub fn reopen(&self) {
        self.writer.reopen();
    }

    /// Waits until everything that workers handed over is written; false where that took longer
    /// than `wait`. Blocks: not for workers.
    pub fn flush(&self, wait: Duration) -> bool {
        self.writer.flush(wait)
    }
}

/// Whether a file that is there can be opened as [`AccessLog::open`] would.
///
/// # Errors
///
/// Why not.
pub fn can_append(file: &Path) -> io::Result<()> {
    super::writer::can_append(file)
}

impl WorkerLog {
    /// Adds a line.
    pub fn write(&mut self, record: &Record<'_>) {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve(BUFFER + (4 << 10));
        }
        match self.format {
            Format::Json => json::line(&mut self.buffer, &mut self.stamp, record),
            Format::Combined => combined::line(&mut self.buffer, &mut self.stamp, record),
        }
        self.lines += 1;
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
    }

    /// Hands what there is to the writer. Never waits.
    pub fn flush(&mut self) {
        if self.lines > 0 {
            let bytes = std::mem::take(&mut self.buffer);
            self.buffer = self.writer.send(bytes, self.lines).unwrap_or_default();
            self.lines = 0;
        }
    }
}

impl Drop for WorkerLog {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The protocol as lines have it.
fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_09 => "HTTP/0.9",
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2",
        http::Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}
