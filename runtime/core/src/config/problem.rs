//! What is wrong with a configuration.
//!
//! In: what the stages of [`super::read()`] find. Out: [`Problems`], sorted by place: one line each
//! for logs and machines, and what a person is shown of it. Never: stops at the first; is longer than
//! somebody reads, whatever was written; or tells what [may not be told](super::told).

use std::fmt;
use std::ops::Range;

use super::place::Place;
use super::told;

/// Problems that are told at once, and warnings; of the rest it is told how many there are.
pub(crate) const MAX_TOLD: usize = 200;
/// Characters of a word or a quoted text in a message.
const MAX_WORD: usize = 200;
/// Characters of a message or a hint.
const MAX_TEXT: usize = 1000;

/// One problem. Its `Display` is one line: `file:line:column: error: message; hint: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    /// The key concerned, `routes.api.match.host`; empty where there is none.
    pub path: String,
    pub message: String,
    /// What to do next, where that can be said.
    pub hint: Option<String>,
    /// The line it is about, for people; none where there is none, or it may hold a secret.
    pub excerpt: Option<Excerpt>,
    /// The value at its place is a secret.
    pub(crate) secret: bool,
    /// How many problems this stands for: one, but where the others are not told.
    pub(crate) counts: usize,
}

/// A line, and what of it is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    pub line: String,
    /// Bytes of `line`; empty for a place between two characters.
    pub mark: Range<usize>,
}

/// Everything that is wrong, never nothing; and what deserves a look besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

/// Why a text is not what its key wants; the reader adds place and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub message: String,
    pub hint: Option<String>,
    /// The text is a secret, which the message does not tell.
    pub secret: bool,
}

// === impl Problems ===

impl Problems {
    /// Sorted by place, as many as are told; `None` where there is no problem.
    pub fn of(problems: Vec<Problem>, warnings: Vec<Problem>) -> Option<Problems> {
        let problems = told_of(problems, 0, "problem");
        let warnings = told_of(warnings, 0, "warning");
        (!problems.is_empty()).then_some(Problems { problems, warnings })
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.problems.iter()
    }

    /// What deserves a look and stops nothing.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    pub fn len(&self) -> usize {
        self.problems.len()
    }

    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems { problems: vec![problem], warnings: Vec::new() }
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.problems.into_iter()
    }
}

impl fmt::Display for Problems {
    /// Without the warnings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

// === impl Problem ===

impl Problem {
    pub fn new(place: Place, path: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem {
            place,
            path: path.into(),
            message: short(message.into()),
            hint: None,
            excerpt: None,
            secret: false,
            counts: 1,
        }
    }

    pub fn with_hint(self, hint: impl Into<String>) -> Problem {
        self.hinted(Some(hint.into()))
    }

    /// With what to do next, if that is known.
    pub(crate) fn hinted(self, hint: Option<String>) -> Problem {
        Problem { hint: hint.map(short), ..self }
    }

    /// A fault of the value at a path: the message is put behind the path.
    pub(crate) fn of(fault: Fault, place: Place, path: &str) -> Problem {
        let Fault { message, hint, secret } = fault;
        let message = format!("{path}: {message}");
        Problem { secret, ..Problem::new(place, path, message).hinted(hint) }
    }

    /// As it is printed where it does not stop anything.
    pub fn as_warning(&self) -> impl fmt::Display + '_ {
        Labelled { problem: self, label: "warning" }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Labelled { problem: self, label: "error" }.fmt(f)
    }
}

struct Labelled<'a> {
    problem: &'a Problem,
    label: &'static str,
}

impl fmt::Display for Labelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { place, message, hint, .. } = self.problem;
        write!(f, "{place}: {}: {}", self.label, OneLine(message))?;
        match hint {
            Some(hint) => write!(f, "; hint: {}", OneLine(hint)),
            None => Ok(()),
        }
    }
}

/// A text that may be a plugin's own, without line ends and what else moves a terminal's cursor.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// The first by place, as many as are told, and then how many there are besides; `more` are not
/// among these.
pub(crate) fn told_of(problems: Vec<Problem>, more: usize, what: &str) -> Vec<Problem> {
    let (mut problems, rests): (Vec<_>, Vec<_>) =
        problems.into_iter().partition(|problem| problem.counts == 1);
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    let cut = problems.split_off(problems.len().min(MAX_TOLD));
    let rest = more + cut.len() + rests.iter().map(|rest| rest.counts).sum::<usize>();
    // One is told as it is: what stands for the rest counts more than one.
    if rest <= 1 {
        problems.extend(cut);
    } else {
        let said = format!("{rest} more {what}s are not shown");
        let place = Place::Whole("configuration".into());
        let hint = "mend these first: many may have the same cause";
        problems.push(Problem { counts: rest, ..Problem::new(place, "", said).with_hint(hint) });
    }
    problems
}

/// As much of a text as is told: long words and quoted texts by their beginning, and how long they
/// were.
fn short(text: String) -> String {
    let text = match told::words(&text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(text) => text,
    };
    if text.len() <= MAX_WORD {
        return text;
    }
    let mut out = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() && out.len() <= 4 * MAX_TEXT {
        let (word, behind) = rest.split_at(word_end(rest));
        let cut = word.char_indices().nth(MAX_WORD).map(|(at, _)| at);
        match cut.map(|at| word.split_at(at)) {
            None => out.push_str(word),
            Some((begin, left)) => {
                let quote = if word.starts_with('"') { "\"" } else { "" };
                let left = left.chars().count();
                out.extend([begin, "…", quote, &format!(" ({left} characters more)")]);
            }
        }
        rest = behind;
    }
    if let Some((at, _)) = out.char_indices().nth(MAX_TEXT) {
        let left = out.get(at..).map_or(0, |left| left.chars().count()) + rest.chars().count();
        out.truncate(at);
        out.push_str(&format!("… ({left} characters more)"));
    }
    out
}

/// Where the first word of a text ends, or its first quoted text: behind it.
fn word_end(text: &str) -> usize {
    if !text.starts_with('"') {
        let end = text.char_indices().skip(1).find(|(_, c)| c.is_whitespace() || *c == '"');
        return end.map_or(text.len(), |(at, _)| at);
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

// === impl Fault ===

impl Fault {
    pub fn new(message: impl Into<String>) -> Fault {
        Fault { message: message.into(), hint: None, secret: false }
    }

    pub fn hint(message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault { hint: Some(hint.into()), ..Fault::new(message) }
    }

    /// The text is a secret: nobody shows it.
    pub fn secret(self) -> Fault {
        Fault { secret: true, ..self }
    }
}
