//! Words of JSON: texts, numbers, punctuation.
//!
//! In: text. Out: its words, borrowed where they have no escapes. Never: looks at nesting.

use std::borrow::Cow;

use super::error::JsonError;
use crate::problem::push;
use crate::target::hex;

/// A text, from where it is read on.
pub(super) struct Lexer<'de> {
    rest: &'de str,
}

/// What a value begins with, or is.
pub(super) enum Word<'de> {
    Text(Cow<'de, str>),
    /// The bracket of an array or object.
    Open(u8),
    Bool(bool),
    Null,
    Number(&'de str),
}

// === impl Lexer ===

impl<'de> Lexer<'de> {
    pub(super) fn new(text: &'de str) -> Self {
        Self { rest: text }
    }

    /// The next byte that is no white space.
    #[inline(never)]
    pub(super) fn peek(&mut self) -> Option<u8> {
        let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let space = self.rest.bytes().take_while(space).count();
        self.skip(space);
        self.rest.bytes().next()
    }

    /// Where the next word begins, in bytes from the text's end.
    #[inline(never)]
    pub(super) fn place(&mut self) -> usize {
        self.peek();
        self.rest.len()
    }

    /// Drops bytes that are known to be whole characters.
    #[inline(never)]
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Passes over a value, which was read before: its nesting is not looked at again.
    #[cold]
    #[inline(never)]
    pub(super) fn pass_over(&mut self) -> Result<(), JsonError> {
        let mut open = 0_usize;
        loop {
            match self.peek() {
                Some(b'"') => drop(self.text()?),
                Some(b'[' | b'{') => {
                    open += 1;
                    self.skip(1);
                }
                Some(b']' | b'}') => {
                    open = open.saturating_sub(1);
                    self.skip(1);
                }
                Some(b',' | b':') => self.skip(1),
                Some(_) => {
                    let ends = |byte: u8| b" \t\n\r,:]}".contains(&byte);
                    let end = self.rest.bytes().position(ends).unwrap_or(self.rest.len());
                    self.skip(end);
                }
                None => return Err(self.syntax("a value")),
            }
            if open == 0 {
                return Ok(());
            }
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn syntax(&self, expected: &str) -> JsonError {
        let message = format!(
            "the JSON is broken {} bytes before its end: expected {expected}",
            self.rest.len()
        );
        JsonError::broken(message)
    }

    /// The next value, or its bracket.
    #[inline(never)]
    pub(super) fn word(&mut self) -> Result<Word<'de>, JsonError> {
        Ok(match self.peek() {
            Some(b'"') => Word::Text(self.text()?),
            Some(open @ (b'{' | b'[')) => {
                self.skip(1);
                Word::Open(open)
            }
            Some(b't') if self.has("true") => Word::Bool(true),
            Some(b'f') if self.has("false") => Word::Bool(false),
            Some(b'n') if self.has("null") => Word::Null,
            Some(_) => Word::Number(self.number()?),
            None => return Err(self.syntax("a value")),
        })
    }

    /// Takes a `null`, if one is next.
    #[inline(never)]
    pub(super) fn is_null(&mut self) -> bool {
        self.peek();
        self.has("null")
    }

    /// Takes this byte, which is ASCII.
    #[inline(never)]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.skip(1);
        }
        there
    }

    /// Takes these bytes.
    #[inline(never)]
    fn has(&mut self, bytes: &str) -> bool {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    #[inline(never)]
    pub(super) fn text(&mut self) -> Result<Cow<'de, str>, JsonError> {
        if !self.take(b'"') {
            return Err(self.syntax("a text"));
        }
        let mut owned = String::new();
        loop {
            let ends = |byte: u8| byte == b'"' || byte == b'\\' || byte < b' ';
            let end = self.rest.bytes().position(ends);
            let plain = end.and_then(|end| self.rest.get(..end));
            let plain = plain.ok_or_else(|| self.syntax("the end of a text"))?;
            self.skip(plain.len());
            if self.has("\"") {
                if owned.is_empty() {
                    return Ok(Cow::Borrowed(plain));
                }
                owned.push_str(plain);
                return Ok(Cow::Owned(owned));
            }
            if !self.has("\\") {
                return Err(self.syntax("no control character"));
            }
            owned.push_str(plain);
            let letter = self.rest.bytes().next();
            let character = match letter {
                Some(letter @ (b'"' | b'\\' | b'/')) => char::from(letter),
                Some(b'b') => '\u{8}',
                Some(b'f') => '\u{c}',
                Some(b'n') => '\n',
                Some(b'r') => '\r',
                Some(b't') => '\t',
                Some(b'u') => '\0',
                _ => return Err(self.syntax("an escape")),
            };
            self.skip(1);
            let character = if letter == Some(b'u') { self.unicode()? } else { character };
            push(&mut owned, character);
        }
    }

    /// What follows `\u`: four digits, or twice four for a surrogate pair.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let mut code = self.digits()?;
        if (0xd800..0xdc00).contains(&code) && self.has("\\u") {
            let low = self.digits()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(self.syntax("a low surrogate"));
            }
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        char::from_u32(code).ok_or_else(|| self.syntax("a character"))
    }

    fn digits(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            code = code * 16 + self.digit()?;
        }
        Ok(code)
    }

    #[inline(never)]
    fn digit(&mut self) -> Result<u32, JsonError> {
        let digit = self.rest.bytes().next().and_then(hex);
        let digit = digit.ok_or_else(|| self.syntax("a hexadecimal digit"))?;
        self.skip(1);
        Ok(digit.into())
    }

    /// A number as it is written; checked against the grammar (RFC 8259, 6).
    fn number(&mut self) -> Result<&'de str, JsonError> {
        let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let end = self.rest.bytes().take_while(part).count();
        let number = self.rest.get(..end).unwrap_or_default();
        if !is_number(number.as_bytes()) {
            return Err(self.syntax("a value"));
        }
        self.skip(end);
        Ok(number)
    }
}

/// `-`, digits without a needless zero, then perhaps a fraction, then perhaps an exponent.
fn is_number(mut text: &[u8]) -> bool {
    fn digits(text: &mut &[u8]) -> usize {
        let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        *text = text.get(count..).unwrap_or_default();
        count
    }
    if let [b'-', rest @ ..] = text {
        text = rest;
    }
    let zero = text.first() == Some(&b'0');
    let whole = digits(&mut text);
    if whole == 0 || (zero && whole > 1) {
        return false;
    }
    if let [b'.', rest @ ..] = text {
        text = rest;
        if digits(&mut text) == 0 {
            return false;
        }
    }
    if let [b'e' | b'E', rest @ ..] = text {
        text = match rest {
            [b'+' | b'-', rest @ ..] => rest,
            rest => rest,
        };
        if digits(&mut text) == 0 {
            return false;
        }
    }
    text.is_empty()
}
