//! What a request's framing can have wrong.
//!
//! In: nothing; the guard names one. Out: a status, a sentence for the client and the log. Never:
//! holds bytes of the request, which could be anything.

use crate::error::Error;

/// What RFC 9112 calls an error, or more than the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// The head or a trailer section is longer than [`super::HeadLimits::bytes`].
    TooLarge,
    /// More than [`super::HeadLimits::fields`].
    TooManyFields,
    BareLf,
    BareCr,
    Nul,
    /// Not `method SP target SP version`.
    RequestLine,
    /// `#` in a target.
    Fragment,
    /// Neither a path, nor a URL, nor `*`.
    Target,
    TargetTooLong,
    /// Neither `HTTP/1.1` nor `HTTP/1.0`; also a request line without one (HTTP/0.9).
    Version,
    /// HTTP/2.0 to HTTP/9.9, in the form of HTTP/1.
    MajorVersion,
    /// A field line that begins with white space, as the first or as a fold of the one before.
    LeadingSpace,
    SpaceBeforeColon,
    /// A field line without a colon, without a name, or whose name is no token.
    FieldName,
    /// A control character in a field's value.
    FieldValue,
    /// Not one decimal number that fits.
    ContentLength,
    /// A second `Content-Length`, be it the same.
    SeveralContentLengths,
    /// Anything but `chunked`.
    TransferEncoding,
    /// A second `Transfer-Encoding`.
    SeveralTransferEncodings,
    /// `Transfer-Encoding` in an HTTP/1.0 request.
    TransferEncodingInHttp10,
    /// `Content-Length` and `Transfer-Encoding`.
    LengthAndEncoding,
    /// Not one to sixteen hexadecimal digits, then the line's end or `;`.
    ChunkSize,
    /// Control characters in extensions, or a line that is too long.
    ChunkExtension,
    /// A chunk that is not followed by CR LF.
    ChunkEnd,
    /// A trailer that frames messages or routes them.
    Trailer,
}

impl Violation {
    /// 431 or 414 for what is too large, 501 for a transfer coding we do not know, 505 for a major
    /// version that we do not speak here, otherwise 400.
    pub fn status(self) -> u16 {
        match self {
            Violation::TooLarge | Violation::TooManyFields => 431,
            Violation::TargetTooLong => 414,
            Violation::TransferEncoding => 501,
            Violation::MajorVersion => 505,
            _ => 400,
        }
    }

    /// What the client and the log are told.
    pub fn as_str(self) -> &'static str {
        match self {
            Violation::TooLarge => "the request's head is too large",
            Violation::TooManyFields => "the request has too many fields",
            Violation::BareLf => "a line ends in LF without CR",
            Violation::BareCr => "a line holds CR without LF",
            Violation::Nul => "a line holds NUL",
            Violation::RequestLine => "the request line is not \"method target version\"",
            Violation::Fragment => {
                "the request target holds a \"#\"; write it as \"%23\", or leave the fragment out"
            }
            Violation::Target => "the request target is neither a path nor a URL",
            Violation::TargetTooLong => "the request target is too long",
            Violation::MajorVersion => "the request line's version is none that is spoken here",
            Violation::Version => "the request line's version is neither HTTP/1.1 nor HTTP/1.0",
            Violation::LeadingSpace => "a field line begins with white space",
            Violation::SpaceBeforeColon => "a field name is followed by white space",
            Violation::FieldName => "a field line has no valid name",
            Violation::FieldValue => "a field's value holds a control character",
            Violation::ContentLength => "Content-Length is not a decimal number",
            Violation::SeveralContentLengths => "there is more than one Content-Length",
            Violation::TransferEncoding => "Transfer-Encoding is not \"chunked\"",
            Violation::SeveralTransferEncodings => "there is more than one Transfer-Encoding",
            Violation::TransferEncodingInHttp10 => "Transfer-Encoding in an HTTP/1.0 request",
            Violation::LengthAndEncoding => "both Content-Length and Transfer-Encoding",
            Violation::ChunkSize => "a chunk's size is not a hexadecimal number",
            Violation::ChunkExtension => "a chunk's extensions are not valid",
            Violation::ChunkEnd => "a chunk is not followed by CR LF",
            Violation::Trailer => "a trailer that may not be one",
        }
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Error {
        Error::request(violation.status(), violation.as_str())
    }
}
