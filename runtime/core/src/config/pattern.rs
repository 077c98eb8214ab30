//! Regular expressions of routes, as automata.
//!
//! In: an expression as it is written; then what a client sent. Out: whether that is what is wanted, as
//! a whole. Never: takes more than a step for a byte, whatever is written and whatever comes: what
//! would is refused with the configuration. Nor allocates, locks, or learns while it matches, so that
//! the first path costs what the thousandth does.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_syntax::hir::{Hir, Look};

use super::problem::Fault;
use crate::error::Error;

/// A regular expression. Clones are the same one.
#[derive(Clone)]
pub struct Pattern(Arc<Compiled>);

struct Compiled {
    /// As it is written.
    text: Box<str>,
    automaton: dense::DFA<Vec<u32>>,
    start: StateID,
}

/// What is left of what finding the route of one request may cost: a step for each byte that is
/// looked at once more. However many expressions a configuration has, a request holds its worker no
/// longer.
#[derive(Debug)]
pub struct Steps {
    left: Cell<usize>,
    over: Cell<Option<TooLong>>,
}

/// What of a request was too long for all that is to be looked for in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLong {
    /// Its path or its query.
    Target,
    Field,
}

/// Of one request. With a head as long as it may be by default, that is for
/// eight expressions that have to read all of its path.
const MAX_STEPS: usize = 1 << 19;

/// Bytes of an automaton. Each state is a row with a column for each kind of byte, and what an
/// expression counts are states.
const MAX_AUTOMATON: usize = 1 << 20;
/// Bytes that making it may take beside it.
const MAX_MAKING: usize = 4 << 20;
/// Bytes of what it is made from, which has a state for each repetition.
const MAX_PROGRAM: usize = 10 << 20;

// === impl Pattern ===

impl Pattern {
    /// Of a path, which is ASCII once it is in normal form: so `\w` and `\b` are small.
    pub(crate) fn of_path(text: &str) -> Result<Pattern, Fault> {
        Pattern::new(text, (0x80..=0xff).fold(dense::Config::new(), |it, byte| it.quit(byte, true)))
    }

    /// Of a field or a parameter, in UTF-8: what is none matches nothing.
    pub(crate) fn of_value(text: &str) -> Result<Pattern, Fault> {
        Pattern::new(text, dense::Config::new())
    }

    fn new(text: &str, config: dense::Config) -> Result<Pattern, Fault> {
        let written = regex_syntax::parse(text).map_err(|error| no_expression(&error))?;
        let ascii = config.get_quit(0xff);
        if !ascii && written.properties().look_set().contains_word_unicode() {
            return Err(Fault::hint(
                "\\b looks at the letters of every script, which no automaton does",
                "write (?-u:\\b), for the letters of ASCII",
            ));
        }
        let whole = Hir::concat(vec![Hir::look(Look::Start), written, Hir::look(Look::End)]);
        let program = thompson::Config::new()
            .nfa_size_limit(Some(MAX_PROGRAM))
            .which_captures(WhichCaptures::None);
        let program = thompson::Compiler::new()
            .configure(program)
            .build_from_hir(&whole)
            .map_err(|_| too_large())?;
        let config = config
            .start_kind(StartKind::Anchored)
            .accelerate(false)
            .dfa_size_limit(Some(MAX_AUTOMATON))
            .determinize_size_limit(Some(MAX_MAKING));
        let automaton = dense::Builder::new()
            .configure(config)
            .build_from_nfa(&program)
            .map_err(|_| too_large())?;
        let start = automaton.start_state(&start::Config::new().anchored(Anchored::Yes));
        let start = start.map_err(|_| too_large())?;
        Ok(Pattern(Arc::new(Compiled { text: text.into(), automaton, start })))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether it matches all of a text that nobody sent.
    pub fn is_match(&self, text: &str) -> bool {
        self.takes(text.as_bytes(), &Steps::up_to(usize::MAX), TooLong::Target)
    }

    /// Whether it matches all of a text. Where there are not steps enough to say so it does not, and
    /// the steps say that the text was `too_long`.
    pub fn takes(&self, text: &[u8], steps: &Steps, too_long: TooLong) -> bool {
        let Compiled { automaton, start, .. } = &*self.0;
        let mut state = *start;
        let left = steps.left.get();
        let affordable = text.get(..left).unwrap_or(text);
        for (at, byte) in affordable.iter().enumerate() {
            state = automaton.next_state(state, *byte);
            // Nothing that follows could make it match.
            if automaton.is_special_state(state)
                && (automaton.is_dead_state(state) || automaton.is_quit_state(state))
            {
                steps.left.set(left - at - 1);
                return false;
            }
        }
        steps.take(text.len(), too_long)
            && automaton.is_match_state(automaton.next_eoi_state(state))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

// === impl Steps ===

impl Steps {
    pub fn of_a_request() -> Steps {
        Steps::up_to(MAX_STEPS)
    }

    fn up_to(most: usize) -> Steps {
        Steps { left: Cell::new(most), over: Cell::new(None) }
    }

    /// So many bytes are looked at. `false`: that is more than is left, and nothing is left now.
    pub fn take(&self, bytes: usize, too_long: TooLong) -> bool {
        match self.left.get().checked_sub(bytes) {
            Some(left) => self.left.set(left),
            None => {
                self.left.set(0);
                self.over.set(self.over.get().or(Some(too_long)));
            }
        }
        self.over.get().is_none()
    }

    /// Whether there were enough.
    ///
    /// # Errors
    /// What they were not enough for: whatever was found until then means nothing.
    pub fn verdict(&self) -> Result<(), TooLong> {
        self.over.get().map_or(Ok(()), Err)
    }
}

impl From<TooLong> for Error {
    /// RFC 9110, 15.5.15, and RFC 6585, 5.
    fn from(what: TooLong) -> Error {
        let (status, what) = match what {
            TooLong::Target => (414, "target is"),
            TooLong::Field => (431, "fields are"),
        };
        let detail = format!("the request's {what} too long for all that routes look for in it");
        Error::request(status, detail)
    }
}

fn no_expression(error: &regex_syntax::Error) -> Fault {
    let text = error.to_string();
    // The last line says why; those before draw the expression.
    let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    Fault::hint(
        format!("this is not a regular expression: {why}"),
        "the syntax is that of Rust's regex crate; in TOML, 'single quotes' keep backslashes",
    )
}

fn too_large() -> Fault {
    Fault::hint(
        "this regular expression is too large: its automaton would have more than 1 MiB",
        "count less in it, as in [a-z]* instead of [a-z]{0,60}, above all behind .*; and write \
         (?-u:\\w) for \\w, which has the letters of every script",
    )
}
