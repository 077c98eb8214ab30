//! One thing that is wrong with a configuration, with its place.
//!
//! In: where, what, and what to write instead. Out: a text, as the contract's `configure` gives it: a line
//! `#POINTER: MESSAGE` for each (a JSON pointer as a URI fragment, RFC 6901, 6), and behind it a line
//! `help: …` where there is something to say. Never: a line end inside of one.

use std::fmt::{self, Formatter, Write};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where, as a JSON pointer from wherever the reader stands; empty: there.
    pub(crate) pointer: String,
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) help: Option<String>,
}

// === impl Problem ===

// A guest carries this, which is why it looks for single bytes and has one place for each loop: a
// search for a text, a split by a `char` and every slice that might panic would bring kilobytes.
impl Problem {
    pub(crate) fn new(message: String) -> Self {
        Self { pointer: String::new(), message, help: None }
    }

    /// The problems of a text: several where it has the form of the contract.
    pub(crate) fn all_of(text: &str) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        if text.starts_with('#') {
            for line in text.split(['\n']) {
                match (placed(line), line.strip_prefix("help: "), all.last_mut()) {
                    (Some((pointer, message)), ..) => {
                        let (message, help) = (message.into(), None);
                        all.push(Self { pointer: decoded(pointer), message, help });
                    }
                    (_, Some(help), Some(last)) => last.help = Some(help.into()),
                    _ => return vec![Self::new(text.into())],
                }
            }
        }
        if all.is_empty() { vec![Self::new(text.into())] } else { all }
    }

    /// As the contract has it.
    pub(crate) fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('#')?;
        for c in self.pointer.chars() {
            match c {
                // What would end the pointer or the line.
                '%' | ' ' | '\0'..='\x1f' => {
                    f.write_char('%')?;
                    for half in [u32::from(c) >> 4, u32::from(c) & 15] {
                        f.write_char(char::from_digit(half, 16).unwrap_or_default())?;
                    }
                }
                c => f.write_char(c)?,
            }
        }
        f.write_str(": ")?;
        one_line(&self.message, f)?;
        match &self.help {
            Some(help) => {
                f.write_str("\nhelp: ")?;
                one_line(help, f)
            }
            None => Ok(()),
        }
    }

    /// For people: `keys[0].name: …`.
    pub(crate) fn show(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut chars = self.pointer.chars();
        let (mut begin, mut end) = ("", "");
        while let Some(c) = chars.next() {
            match c {
                '/' => {
                    f.write_str(end)?;
                    let mut step = chars.as_str().bytes().take_while(|byte| *byte != b'/');
                    let index = step.all(|byte| byte.is_ascii_digit());
                    f.write_str(if index { "[" } else { begin })?;
                    (begin, end) = (".", if index { "]" } else { "" });
                }
                '~' => f.write_char(if chars.next() == Some('1') { '/' } else { '~' })?,
                c => f.write_char(c)?,
            }
        }
        f.write_str(end)?;
        if !self.pointer.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => {
                f.write_str("; ")?;
                f.write_str(help)
            }
            None => Ok(()),
        }
    }
}

/// A pointer, seen from one level further out.
pub(crate) fn inside(pointer: &mut String, step: &str) {
    let below = std::mem::replace(pointer, "/".into());
    for c in step.chars() {
        if let '~' | '/' = c {
            push(pointer, '~');
        }
        push(
            pointer,
            match c {
                '~' => '0',
                '/' => '1',
                c => c,
            },
        );
    }
    pointer.push_str(&below);
}

/// The steps of a pointer, with their escapes.
pub(crate) fn steps(pointer: &str) -> impl Iterator<Item = &str> {
    pointer.split(['/']).skip(1)
}

/// What a line of the contract's form says: where, and what is wrong there.
fn placed(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix('#')?;
    let (pointer, message) = line.split_at_checked(line.bytes().position(|byte| byte == b' ')?)?;
    let pointer = pointer.strip_suffix(':')?;
    let is_pointer = pointer.is_empty() || pointer.starts_with('/');
    is_pointer.then(|| (pointer, message.get(1..).unwrap_or_default()))
}

/// Without the escapes that [`Problem::write`] makes.
fn decoded(pointer: &str) -> String {
    let mut out = String::new();
    let mut chars = pointer.chars();
    while let Some(c) = chars.next() {
        let mut half = || chars.next().and_then(|c| c.to_digit(16)).unwrap_or_default();
        let c = match c {
            '%' => char::from_u32(half() << 4 | half()).unwrap_or_default(),
            c => c,
        };
        push(&mut out, c);
    }
    out
}

#[inline(never)]
fn one_line(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    text.chars().try_for_each(|c| f.write_char(if matches!(c, '\n' | '\r') { ' ' } else { c }))
}

/// One more character: in line, it is a quarter of a kilobyte each time.
#[inline(never)]
pub(crate) fn push(out: &mut String, c: char) {
    out.push(c);
}
