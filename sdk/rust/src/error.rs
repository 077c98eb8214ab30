//! Errors of a plugin: what a hook gives back, and why a call to the proxy was refused.
//!
//! In: any standard error, by `?`. Out: one text for the proxy's log and the plugin's
//! `on_failure`. Never: ends a plugin by itself.

use std::fmt;

use crate::bindings::imports::weir::plugin::outbound::Failure;
use crate::bindings::imports::weir::plugin::{store, types};
use crate::problem::{Problem, inside};

/// `Result` with the SDK's [`Error`].
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Why a hook, or `configure`, failed: a text for people.
///
/// Every standard error turns into it by `?`. In a hook it makes the proxy follow the plugin's
/// `on_failure`; in [`Plugin::configure`](crate::Plugin::configure) it refuses the configuration,
/// and there it may be of several problems, each [`at`](Self::at) its place: see
/// [`Problems`](crate::Problems).
pub struct Error {
    /// At least one.
    problems: Vec<Problem>,
}

/// Why a change to a head was refused. The head is then as it was before the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderError {
    /// What kind of refusal it is.
    pub reason: Refusal,
    /// What was to be changed: the name of the field, or `:method`, `:authority`, `:path`,
    /// `:status`.
    pub field: String,
}

/// The kinds of [`HeaderError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The name or the value is not legal in HTTP (RFC 9110, 5.1 and 5.5), e.g. has CR or LF.
    InvalidSyntax,
    /// The proxy owns this field: hop-by-hop fields, framing (`content-length`,
    /// `transfer-encoding`), `host`, and any change to a request in a response hook.
    Forbidden,
    /// The head would exceed the limits of the listener (64 KiB, 128 field lines by default).
    SizeExceeded,
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// Longer than the limit asked for, or than the listener allows.
    TooLarge,
    /// The peer stopped, or broke the framing, before the end.
    Incomplete,
    /// No byte arrived within the idle timeout.
    Timeout,
}

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// The store cannot answer now; or the entry is no number that can be added to.
    Unavailable(String),
    /// Key (1 KiB) or value (1 MiB) exceeds its cap.
    TooLarge,
}

/// Why there is no answer to a call of [`outbound`](crate::outbound).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    /// `grants` names no such upstream.
    Denied,
    /// Method, URL, a field or the timeout is not legal.
    Invalid,
    /// Nobody there takes it: no connection, no healthy endpoint, no place.
    Unavailable,
    /// It took longer than it may.
    Timeout,
    /// The answer's body is longer than the [`limit`](crate::outbound::Call::limit).
    TooLarge,
    /// The answer is no HTTP, or broke off.
    Broken,
}

/// Ends a function with an [`Error`] of this text, formatted as by [`format!`].
///
/// ```
/// fn half(number: u32) -> weir_sdk::Result<u32> {
///     if number % 2 == 1 {
///         weir_sdk::bail!("{number} is odd");
///     }
///     Ok(number / 2)
/// }
/// assert_eq!(half(3).unwrap_err().to_string(), "3 is odd");
/// ```
#[macro_export]
macro_rules! bail {
    ($($text:tt)*) => { return ::core::result::Result::Err($crate::Error::new(::std::format!($($text)*))) };
}

// === impl Error ===

impl Error {
    /// An error with this text.
    pub fn new(message: impl Into<String>) -> Self {
        Self { problems: vec![Problem::new(message.into())] }
    }

    /// Puts what was being done before the text: `CONTEXT: TEXT`.
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        for problem in &mut self.problems {
            problem.message = format!("{context}: {}", problem.message);
        }
        self
    }

    /// Says where in the configuration it is wrong: a key, or the index in a list. From the inside
    /// out: `.at(0).at("keys")` is the first of the list `keys`.
    pub fn at(mut self, step: impl fmt::Display) -> Self {
        let step = step.to_string();
        self.problems.iter_mut().for_each(|problem| inside(&mut problem.pointer, &step));
        self
    }

    /// Says what to write instead.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        let help = help.into();
        for problem in &mut self.problems {
            problem.help.get_or_insert_with(|| help.clone());
        }
        self
    }

    /// Of these problems, at least one.
    pub(crate) fn of(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// As the contract's `configure` gives it.
    #[cfg(target_family = "wasm")]
    #[cold]
    #[inline(never)]
    pub(crate) fn into_contract(self) -> String {
        format!("{self:#}")
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

/// For people; the alternate form, `{:#}`, is that of the contract's `configure`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            if f.alternate() { problem.write(f)? } else { problem.show(f)? }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// `Error` is no `std::error::Error` itself, or this would overlap with `From<T> for T`.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut message = format!("{error}");
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&format!("{cause}"));
            source = cause.source();
        }
        Self::new(message)
    }
}

impl From<Error> for String {
    fn from(error: Error) -> Self {
        let mut error = error;
        match &mut *error.problems {
            // A text alone goes as it is: it may be long, and a guest has little room for two.
            [Problem { pointer, message, help: None }] if pointer.is_empty() => {
                std::mem::take(message)
            }
            _ => format!("{error}"),
        }
    }
}

// === impl HeaderError ===

impl HeaderError {
    pub(crate) fn new(field: &str, error: types::HeaderError) -> Self {
        Self {
            reason: match error {
                types::HeaderError::InvalidSyntax => Refusal::InvalidSyntax,
                types::HeaderError::Forbidden => Refusal::Forbidden,
                types::HeaderError::SizeExceeded => Refusal::SizeExceeded,
            },
            field: field.into(),
        }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.reason {
            Refusal::InvalidSyntax => "name or value is not legal in HTTP",
            Refusal::Forbidden => "it belongs to the proxy, or is read-only in this hook",
            Refusal::SizeExceeded => "the head would exceed the listener's limits",
        };
        write!(f, "cannot change `{}`: {why}", self.field)
    }
}

impl std::error::Error for HeaderError {}

// === impl BodyError ===

impl From<types::BodyError> for BodyError {
    fn from(error: types::BodyError) -> Self {
        match error {
            types::BodyError::TooLarge => Self::TooLarge,
            types::BodyError::Incomplete => Self::Incomplete,
            types::BodyError::Timeout => Self::Timeout,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the body is longer than allowed",
            Self::Incomplete => "the body ended before its end",
            Self::Timeout => "no byte of the body arrived in time",
        })
    }
}

impl std::error::Error for BodyError {}

// === impl StoreError ===

impl From<store::StoreError> for StoreError {
    fn from(error: store::StoreError) -> Self {
        match error {
            store::StoreError::Unavailable(why) => Self::Unavailable(why),
            store::StoreError::TooLarge => Self::TooLarge,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the store did not answer: {why}"),
            Self::TooLarge => f.write_str("key or value exceeds what the store keeps"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> CallError {
        match failure {
            Failure::Denied => CallError::Denied,
            Failure::Invalid => CallError::Invalid,
            Failure::Unavailable => CallError::Unavailable,
            Failure::Timeout => CallError::Timeout,
            Failure::TooLarge => CallError::TooLarge,
            Failure::Broken => CallError::Broken,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallError::Denied => "the plugin is not granted to call this",
            CallError::Invalid => "the call has an illegal method, URL, field or timeout",
            CallError::Unavailable => "nobody there takes the call",
            CallError::Timeout => "the call was not answered in time",
            CallError::TooLarge => "the call's answer is longer than its limit",
            CallError::Broken => "the call's answer is no HTTP, or broke off",
        })
    }
}

impl std::error::Error for CallError {}
