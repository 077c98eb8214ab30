//! The types of `wit/`, as Rust has them, and the names under which the contract is imported and exported.
//!
//! In: an answer in a guest's memory, or what a guest is told. Out: the other. Never: a function: `host/`
//! has those that plugins import, `functions` those that they export.

use wasmtime::{Error, Result};
use weir_core::chain;

use super::memory::{self, Reader, Records, SPAN, byte, half_word, span, text, word, write};

/// The package and the versions that this build knows.
pub const PACKAGE: &str = "weir:plugin/";
/// What a version must start with.
const VERSION_TRACK: &str = "0.2.";

/// What a plugin may export: interface, function, type.
pub const EXPORTS: [(&str, &str, &str); 11] = [
    (
        "lifecycle",
        "describe",
        "() -> record { name: string, version: string, summary: string, config-schema: string }",
    ),
    ("lifecycle", "configure", "(string) -> result<_, string>"),
    (
        "request-hook",
        "on-request",
        "() -> result<variant { forward, respond(record { status: u16, fields: list<tuple<string, \
         list<u8>>>, body: list<u8>, delay-millis: u32 }) }, string>",
    ),
    ("response-hook", "on-response", "() -> result<_, string>"),
    ("request-body-hook", "open", "() -> result<bool, string>"),
    ("request-body-hook", "push", "(list<u8>) -> result<list<u8>, string>"),
    ("request-body-hook", "finish", "() -> result<list<u8>, string>"),
    ("response-body-hook", "open", "() -> result<bool, string>"),
    ("response-body-hook", "push", "(list<u8>) -> result<list<u8>, string>"),
    ("response-body-hook", "finish", "() -> result<list<u8>, string>"),
    (
        "completion-hook",
        "on-complete",
        "(record { status: u16, request-bytes: u64, response-bytes: u64, duration-micros: u64, \
         upstream: option<string>, error: option<string> })",
    ),
];

/// `request` of `weir:plugin/request@0.2.0`.
pub fn interface(name: &str) -> Option<&str> {
    unversioned(name).strip_prefix(PACKAGE)
}

/// `weir:plugin/request` of it.
pub fn unversioned(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

/// Whether it is of a version that this build knows.
pub fn is_current(name: &str) -> bool {
    name.split_once('@').is_some_and(|(_, version)| version.starts_with(VERSION_TRACK))
}

/// `lifecycle.about`
#[derive(Debug, Clone)]
pub struct About {
    pub name: String,
    pub version: String,
    pub summary: String,
    pub config_schema: String,
}

/// `types.header-error`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    InvalidSyntax,
    Forbidden,
    SizeExceeded,
}

/// `types.body-error`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    TooLarge,
    Incomplete,
    Timeout,
}

/// `log.level`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// `types.reply`
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub fields: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub delay_millis: u32,
}

/// `request-hook.verdict`
#[derive(Debug, Clone)]
pub enum Verdict {
    Forward,
    Respond(Reply),
}

/// What came of a call of a guest's function, as long as nobody has asked for it.
#[derive(Debug, Default)]
pub enum Came {
    /// No answer, or none was read.
    #[default]
    Nothing,
    About(About),
    Done(Result<(), String>),
    Wanted(Result<bool, String>),
    Verdict(Result<Verdict, String>),
    Bytes(Result<Vec<u8>, String>),
}

/// How an answer is read.
pub type Expects = fn(&[u8], &dyn Reader, u32) -> Result<Came>;

/// What a function for the host gives.
pub trait Answered: Sized {
    /// Reads it where the guest says that it is.
    const EXPECTS: Expects;

    fn of(came: Came) -> Option<Self>;
    /// Bytes that it has, for their price.
    fn bytes(&self) -> usize {
        0
    }
}

impl HeaderError {
    /// `result<_, header-error>`
    pub fn tell(result: Result<(), HeaderError>, memory: &mut [u8], to: u32) -> Result<()> {
        write(memory, to, &result.map_or_else(|error| [1, error as u8], |()| [0, 0]))
    }
}

impl Level {
    pub fn of(number: u32) -> Result<Level> {
        Ok(match number {
            0 => Level::Trace,
            1 => Level::Debug,
            2 => Level::Info,
            3 => Level::Warn,
            4 => Level::Error,
            other => return Err(unknown("level", other)),
        })
    }
}

impl About {
    fn read(memory: &[u8], by: &dyn Reader, at: u32) -> Result<About> {
        let part = |number: u32| {
            let span = span(memory, at.wrapping_add(SPAN * number))?;
            Ok::<_, Error>(text(memory, by, span)?.into_owned())
        };
        let (name, version) = (part(0)?, part(1)?);
        Ok(About { name, version, summary: part(2)?, config_schema: part(3)? })
    }
}

impl Answered for About {
    const EXPECTS: Expects = |memory, by, at| Ok(Came::About(About::read(memory, by, at)?));

    fn of(came: Came) -> Option<About> {
        if let Came::About(about) = came { Some(about) } else { None }
    }
}

impl Answered for () {
    const EXPECTS: Expects = |_, _, _| Ok(Came::Nothing);

    fn of(_: Came) -> Option<()> {
        Some(())
    }
}

impl<T: Payload> Answered for Result<T, String> {
    const EXPECTS: Expects = |memory, by, at| Ok(T::came(result(memory, by, at)?));

    fn of(came: Came) -> Option<Self> {
        T::of(came)
    }

    fn bytes(&self) -> usize {
        self.as_ref().map_or_else(String::len, T::bytes)
    }
}

/// How far the payload of a `result` or a `variant` is from its beginning, where it has texts.
const PAYLOAD: u32 = 4;

/// `result<T, string>`
fn result<T: Payload>(memory: &[u8], by: &dyn Reader, at: u32) -> Result<Result<T, String>> {
    let payload = at.wrapping_add(PAYLOAD);
    match byte(memory, at)? {
        0 => Ok(Ok(T::read(memory, by, payload)?)),
        1 => Ok(Err(text(memory, by, span(memory, payload)?)?.into_owned())),
        other => Err(unknown("result", other.into())),
    }
}

/// What stands in a `result` beside an error that is a text.
pub trait Payload: Sized {
    fn read(memory: &[u8], by: &dyn Reader, at: u32) -> Result<Self>;
    fn came(result: Result<Self, String>) -> Came;
    fn of(came: Came) -> Option<Result<Self, String>>;
    fn bytes(&self) -> usize {
        0
    }
}

impl Payload for () {
    fn read(_: &[u8], _: &dyn Reader, _: u32) -> Result<()> {
        Ok(())
    }

    fn came(result: Result<Self, String>) -> Came {
        Came::Done(result)
    }

    fn of(came: Came) -> Option<Result<Self, String>> {
        if let Came::Done(result) = came { Some(result) } else { None }
    }
}

impl Payload for bool {
    fn read(memory: &[u8], _: &dyn Reader, at: u32) -> Result<bool> {
        // Anything but 0 is true (canonical ABI: `convert_int_to_bool`).
        Ok(byte(memory, at)? != 0)
    }

    fn came(result: Result<Self, String>) -> Came {
        Came::Wanted(result)
    }

    fn of(came: Came) -> Option<Result<Self, String>> {
        if let Came::Wanted(result) = came { Some(result) } else { None }
    }
}

impl Payload for Vec<u8> {
    fn read(memory: &[u8], by: &dyn Reader, at: u32) -> Result<Vec<u8>> {
        Ok(memory::bytes(memory, by, span(memory, at)?)?.to_vec())
    }

    fn came(result: Result<Self, String>) -> Came {
        Came::Bytes(result)
    }

    fn of(came: Came) -> Option<Result<Self, String>> {
        if let Came::Bytes(result) = came { Some(result) } else { None }
    }

    fn bytes(&self) -> usize {
        self.len()
    }
}

/// Where the parts of a `reply` are.
const FIELDS: u32 = 4;
const BODY: u32 = 12;
const DELAY: u32 = 20;

impl Payload for Verdict {
    fn read(memory: &[u8], by: &dyn Reader, at: u32) -> Result<Verdict> {
        match byte(memory, at)? {
            0 => Ok(Verdict::Forward),
            1 => Ok(Verdict::Respond(Reply::read(memory, by, at.wrapping_add(PAYLOAD))?)),
            other => Err(unknown("verdict", other.into())),
        }
    }

    fn came(result: Result<Self, String>) -> Came {
        Came::Verdict(result)
    }

    fn of(came: Came) -> Option<Result<Self, String>> {
        if let Came::Verdict(result) = came { Some(result) } else { None }
    }

    fn bytes(&self) -> usize {
        let Verdict::Respond(reply) = self else { return 0 };
        let lines = reply.fields.iter().map(|(name, value)| name.len() + value.len());
        lines.sum::<usize>() + reply.body.len()
    }
}

impl Reply {
    fn read(memory: &[u8], by: &dyn Reader, at: u32) -> Result<Reply> {
        let part = |offset: u32| at.wrapping_add(offset);
        let lines = Records::of_pairs(memory, by, span(memory, part(FIELDS))?)?;
        let fields = lines.pairs(memory).map(|line| {
            let (name, value) = line?;
            let name = text(memory, by, name)?.into_owned();
            Ok((name, memory::bytes(memory, by, value)?.to_vec()))
        });
        Ok(Reply {
            status: half_word(memory, at)?,
            fields: fields.collect::<Result<_>>()?,
            body: Vec::read(memory, by, part(BODY))?,
            delay_millis: word(memory, part(DELAY))?,
        })
    }
}

/// What a hook for the end of an exchange is told: its numbers, and the texts for which there is to be room.
pub struct Summary {
    pub status: u32,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub duration_micros: u64,
    pub upstream: Option<String>,
    pub error: Option<String>,
}

impl From<&chain::Summary> for Summary {
    fn from(summary: &chain::Summary) -> Self {
        Summary {
            status: summary.status.into(),
            request_bytes: summary.request_bytes,
            response_bytes: summary.response_bytes,
            duration_micros: u64::try_from(summary.duration.as_micros()).unwrap_or(u64::MAX),
            upstream: summary.upstream.as_deref().map(str::to_owned),
            error: summary.error.map(str::to_owned),
        }
    }
}

#[cold]
fn unknown(what: &str, number: u32) -> Error {
    Error::msg(format!("the guest gives case {number} of a {what}, which is none"))
}
