//! What comes of each argument, as large as it can be.

use wit_parser::Resolve;

use super::call;

/// What comes of a call.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    /// The guest is ended, and the log says why.
    Ends(&'static str),
    /// It goes on; bytes of its answer, as the canonical ABI has them.
    Told(&'static [(usize, u8)]),
    /// It is taken, and on the plugin's account until it is sent.
    Kept,
}

use Outcome::{Ends, Kept, Told};

/// Nothing is answered: what was too much is cut, dropped, or a number like any other.
const NOTHING: Outcome = Told(&[]);
/// `none`, or `ok`.
const NONE: Outcome = Told(&[(0, 0)]);
const OK: Outcome = Told(&[(0, 0)]);
/// An empty list.
const EMPTY: Outcome = Told(&[(4, 0), (5, 0), (6, 0), (7, 0)]);
/// Cases of `header-error`.
const INVALID: Outcome = Told(&[(0, 1), (1, 0)]);
const EXCEEDS: Outcome = Told(&[(0, 1), (1, 2)]);
/// `store-error`'s, and the same beside a number of 64 bits.
const TOO_LARGE: Outcome = Told(&[(0, 1), (4, 1)]);
const TOO_LARGE_WIDE: Outcome = Told(&[(0, 1), (8, 1)]);
const UNAVAILABLE_WIDE: Outcome = Told(&[(0, 1), (8, 0)]);

/// There is an answer only to calls that were made.
const NO_ANSWER: Outcome = Ends("has no answer to a call");

/// Of one function: what comes of each argument. Of a list of pairs `.0` and `.1` are one pair with a
/// long text.
type Row = (&'static str, &'static [(&'static str, Outcome)]);

pub const ROWS: &[Row] = &[
    ("request method", &[]),
    ("request scheme", &[]),
    ("request authority", &[]),
    ("request path-with-query", &[]),
    ("request field", &[("name", NONE)]),
    ("request field-line", &[("name", NONE)]),
    ("request field-lines", &[("name", EMPTY)]),
    ("request fields", &[]),
    ("request route", &[]),
    ("request attribute", &[("key", NONE)]),
    ("response status", &[]),
    ("response field", &[("name", NONE)]),
    ("response field-line", &[("name", NONE)]),
    ("response field-lines", &[("name", EMPTY)]),
    ("response fields", &[]),
    ("client address", &[]),
    ("client port", &[]),
    ("client tls", &[]),
    ("outbound send", &[("requests", Ends("hands over more at once"))]),
    ("outbound field", &[("call", NO_ANSWER), ("name", NO_ANSWER)]),
    ("outbound fields", &[("call", NO_ANSWER)]),
    ("outbound body", &[("call", NO_ANSWER)]),
    (
        "log log",
        &[
            ("level", NOTHING),
            ("message", NOTHING),
            ("fields", NOTHING),
            ("fields.0", NOTHING),
            ("fields.1", NOTHING),
        ],
    ),
    ("metrics count", METRIC_BY),
    ("metrics gauge", METRIC_VALUE),
    ("metrics observe", METRIC_VALUE),
    (
        "attributes set",
        &[("key", Ends("the key of an attribute of")), ("value", Ends("an attribute of"))],
    ),
    (
        "limiter take",
        &[("key", Ends("a key of `limiter.take`")), ("bucket", NOTHING), ("cost", NOTHING)],
    ),
    ("limiter enter", &[("key", Ends("a key of `limiter.enter`")), ("limit", NOTHING)]),
    ("store get", &[("key", TOO_LARGE)]),
    ("store set", &[("key", TOO_LARGE), ("value", TOO_LARGE), ("ttl-millis", OK)]),
    ("store delete", &[("key", TOO_LARGE)]),
    (
        "store increment",
        // What stands under the usual key is no number.
        &[("key", TOO_LARGE_WIDE), ("by", UNAVAILABLE_WIDE), ("ttl-millis", UNAVAILABLE_WIDE)],
    ),
    ("store set-if-absent", &[("key", TOO_LARGE), ("value", TOO_LARGE), ("ttl-millis", OK)]),
    ("request-changes set-method", &[("method", EXCEEDS)]),
    ("request-changes set-authority", &[("authority", EXCEEDS)]),
    ("request-changes set-path-with-query", &[("value", EXCEEDS)]),
    ("request-changes set-field", &[("name", EXCEEDS), ("value", EXCEEDS)]),
    ("request-changes append-field", &[("name", EXCEEDS), ("value", EXCEEDS)]),
    ("request-changes remove-field", &[("name", EXCEEDS)]),
    ("request-changes limit-body", &[("limit", NOTHING)]),
    ("response-changes set-status", &[("status", INVALID)]),
    ("response-changes set-field", &[("name", EXCEEDS), ("value", EXCEEDS)]),
    ("response-changes append-field", &[("name", EXCEEDS), ("value", EXCEEDS)]),
    ("response-changes remove-field", &[("name", EXCEEDS)]),
    ("request-body read", &[("limit", OK)]),
    ("request-body set", &[("body", Kept)]),
    ("response-body read", &[("limit", OK)]),
    ("response-body set", &[("body", Kept)]),
];

const METRIC_BY: &[(&str, Outcome)] = &[
    ("name", NOTHING),
    ("labels", NOTHING),
    ("labels.0", NOTHING),
    ("labels.1", NOTHING),
    ("by", NOTHING),
];
const METRIC_VALUE: &[(&str, Outcome)] = &[
    ("name", NOTHING),
    ("labels", NOTHING),
    ("labels.0", NOTHING),
    ("labels.1", NOTHING),
    ("value", NOTHING),
];

/// # Panics
/// Where there is no row, or none of the argument.
pub fn of(function: &str, argument: &str) -> Outcome {
    let row = ROWS.iter().find(|(name, _)| *name == function);
    let (_, outcomes) = row.unwrap_or_else(|| panic!("`{function}` of wit/ has no row here"));
    let outcome = outcomes.iter().find(|(name, _)| *name == argument);
    outcome.unwrap_or_else(|| panic!("`{argument}` of `{function}` has no outcome here")).1
}

/// Every function has a row, also one that takes nothing, and each row has its function.
///
/// # Panics
/// Where that is not so.
pub fn check_names(contract: &Resolve) {
    let mut rows: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
    let mut functions = call::functions(contract);
    rows.sort_unstable();
    functions.sort_unstable();
    assert_eq!(functions, rows);
}
