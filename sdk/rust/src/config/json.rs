//! A serde reader of JSON that is small in a guest: a tenth of `serde_json`'s code, because it
//! formats no floats and parses them only for configurations that have some.
//!
//! In: JSON text (RFC 8259). Out: a value, or an error that says where: `users[2].hash: …`.
//! Never: recurses deeper than 64 levels.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, Unexpected, Visitor};

const MAX_DEPTH: u8 = 64;

/// Why a text is not the configuration: a path into it and a reason.
#[derive(Debug)]
pub struct JsonError {
    path: String,
    message: String,
}

/// Reads a whole text.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    let mut reader = Reader {
        rest: text,
        depth: MAX_DEPTH,
    };
    let value = T::deserialize(&mut reader)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.syntax("nothing more")),
    }
}

struct Reader<'de> {
    rest: &'de str,
    /// How many levels may still be entered.
    depth: u8,
}

/// The elements of an array or the members of an object.
struct Items<'a, 'de> {
    reader: &'a mut Reader<'de>,
    close: u8,
    first: bool,
    index: usize,
    key: Cow<'de, str>,
}

/// A variant of an enum: a text, or an object of one member.
struct Variant<'a, 'de> {
    reader: &'a mut Reader<'de>,
    name: Cow<'de, str>,
    content: bool,
}

/// A name of a member, for the seeds that want one.
struct Key<'a, 'de>(&'a Cow<'de, str>);

// === impl JsonError ===

impl JsonError {
    fn inside(mut self, step: impl fmt::Display) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{step}{dot}{}", self.path);
        self
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            f.write_str(&self.path)?;
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for JsonError {}

impl de::Error for JsonError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let mut text = String::new();
        let _ = write!(text, "{message}");
        Self {
            path: String::new(),
            message: text,
        }
    }

    // serde's own text would bring the formatting of floats into every guest.
    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("{} is no {expected}", describe(&found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        match found {
            Unexpected::Str(text) => Self::custom(format_args!("`{text}` is no {expected}")),
            Unexpected::Unsigned(number) => Self::custom(format_args!("{number} is no {expected}")),
            Unexpected::Signed(number) => Self::custom(format_args!("{number} is no {expected}")),
            _ => Self::invalid_type(found, expected),
        }
    }
}

fn describe(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a text",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map => "a table",
        _ => "this",
    }
}

// === impl Reader ===

impl<'de> Reader<'de> {
    /// The next byte that is no white space.
    #[inline(never)]
    fn peek(&mut self) -> Option<u8> {
        let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let space = self.rest.bytes().take_while(space).count();
        self.skip(space);
        self.rest.bytes().next()
    }

    /// Drops bytes that are known to be whole characters.
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    #[cold]
    #[inline(never)]
    fn syntax(&self, expected: &str) -> JsonError {
        let message = format!(
            "the JSON is broken {} bytes before its end: expected {expected}",
            self.rest.len()
        );
        JsonError {
            path: String::new(),
            message,
        }
    }

    /// Takes this byte, which is ASCII.
    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.skip(1);
        }
        there
    }

    fn word(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    #[inline(never)]
    fn text(&mut self) -> Result<Cow<'de, str>, JsonError> {
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
            if self.word("\"") {
                if owned.is_empty() {
                    return Ok(Cow::Borrowed(plain));
                }
                owned.push_str(plain);
                return Ok(Cow::Owned(owned));
            }
            if !self.word("\\") {
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
            owned.push(match letter {
                Some(b'u') => self.unicode()?,
                _ => character,
            });
        }
    }

    /// What follows `\u`: four digits, or twice four for a surrogate pair.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let mut code = self.digits()?;
        if (0xd800..0xdc00).contains(&code) && self.word("\\u") {
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
            let digit = self.rest.bytes().next().and_then(crate::target::hex);
            let digit = digit.ok_or_else(|| self.syntax("a hexadecimal digit"))?;
            code = code * 16 + u32::from(digit);
            self.skip(1);
        }
        Ok(code)
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

    /// Anything, by the type it has.
    fn any<V: Visitor<'de>>(
        &mut self,
        visitor: V,
        number: impl FnOnce(&'de str, V) -> Result<V::Value, JsonError>,
    ) -> Result<V::Value, JsonError> {
        match self.peek() {
            Some(b'"') => match self.text()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Some(b'{') => self.items(b'}', |items| visitor.visit_map(items)),
            Some(b'[') => self.items(b']', |items| visitor.visit_seq(items)),
            Some(b't') if self.word("true") => visitor.visit_bool(true),
            Some(b'f') if self.word("false") => visitor.visit_bool(false),
            Some(b'n') if self.word("null") => visitor.visit_unit(),
            Some(_) => number(self.number()?, visitor),
            None => Err(self.syntax("a value")),
        }
    }

    /// The inside of an array or object, to its end.
    fn items<T>(
        &mut self,
        close: u8,
        visit: impl FnOnce(&mut Items<'_, 'de>) -> Result<T, JsonError>,
    ) -> Result<T, JsonError> {
        self.skip(1);
        self.depth = self
            .depth
            .checked_sub(1)
            .ok_or_else(|| self.syntax("at most 64 levels"))?;
        let mut items = Items {
            reader: self,
            close,
            first: true,
            index: 0,
            key: Cow::Borrowed(""),
        };
        let value = visit(&mut items)?;
        if items.next()? {
            return Err(self.syntax("no more elements"));
        }
        self.depth += 1;
        Ok(value)
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

/// An integer by its sign; anything else is no integer.
fn integer<'de, V: Visitor<'de>>(number: &str, visitor: V) -> Result<V::Value, JsonError> {
    if let Ok(number) = number.parse() {
        visitor.visit_u64(number)
    } else if let Ok(number) = number.parse() {
        visitor.visit_i64(number)
    } else {
        Err(de::Error::custom(format_args!(
            "{number} is no {}",
            Expected(&visitor)
        )))
    }
}

fn float<'de, V: Visitor<'de>>(number: &str, visitor: V) -> Result<V::Value, JsonError> {
    match number.parse() {
        Ok(number) => visitor.visit_f64(number),
        Err(_) => Err(de::Error::custom("this is no number")),
    }
}

/// An integer where it is one.
fn integer_or_float<'de, V: Visitor<'de>>(number: &str, visitor: V) -> Result<V::Value, JsonError> {
    if number.parse::<u64>().is_ok() || number.parse::<i64>().is_ok() {
        integer(number, visitor)
    } else {
        float(number, visitor)
    }
}

/// What a visitor expects, as text.
struct Expected<'a, V>(&'a V);

impl<'de, V: Visitor<'de>> fmt::Display for Expected<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

macro_rules! by_integer {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
            self.any(visitor, integer)
        }
    )* };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = JsonError;

    by_integer! {
        deserialize_bool deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_seq deserialize_map deserialize_identifier
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.any(visitor, integer_or_float)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.any(visitor, float)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.any(visitor, float)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.peek();
        if self.word("null") {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.any(visitor, integer)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.any(visitor, integer)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.any(visitor, integer)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.any(visitor, integer)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        if self.peek() == Some(b'"') {
            let name = self.text()?;
            return visitor.visit_enum(Variant {
                reader: self,
                name,
                content: false,
            });
        }
        if !self.take(b'{') {
            return Err(de::Error::custom("a text or a table of one key is needed"));
        }
        let name = self.text()?;
        if !self.take(b':') {
            return Err(self.syntax("a colon"));
        }
        let value = visitor.visit_enum(Variant {
            reader: self,
            name,
            content: true,
        })?;
        if !self.take(b'}') {
            return Err(de::Error::custom("a table of exactly one key is needed"));
        }
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.any(visitor, |_, visitor| visitor.visit_unit())
    }
}

// === impl Items ===

impl Items<'_, '_> {
    /// Whether another one follows; takes the comma before it, or the closing bracket.
    fn next(&mut self) -> Result<bool, JsonError> {
        if self.close == 0 {
            return Ok(false);
        }
        if self.reader.take(self.close) {
            self.close = 0;
            return Ok(false);
        }
        if !std::mem::take(&mut self.first) && !self.reader.take(b',') {
            return Err(self.reader.syntax("a comma"));
        }
        Ok(true)
    }
}

impl<'de> de::SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = JsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, JsonError> {
        if !self.next()? {
            return Ok(None);
        }
        let index = self.index;
        self.index += 1;
        seed.deserialize(&mut *self.reader)
            .map(Some)
            .map_err(|error| error.inside(format_args!("[{index}]")))
    }
}

impl<'de> de::MapAccess<'de> for &mut Items<'_, 'de> {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, JsonError> {
        if !self.next()? {
            return Ok(None);
        }
        self.key = self.reader.text()?;
        if !self.reader.take(b':') {
            return Err(self.reader.syntax("a colon"));
        }
        seed.deserialize(Key(&self.key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, JsonError> {
        seed.deserialize(&mut *self.reader)
            .map_err(|error| error.inside(&self.key))
    }
}

// === impl Key ===

impl<'de> Deserializer<'de> for Key<'_, 'de> {
    type Error = JsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self.0 {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_str(text),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_enum(de::value::StrDeserializer::new(self.0))
    }

    serde::forward_to_deserialize_any! {
        bool u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

// === impl Variant ===

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = JsonError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), JsonError> {
        let value = seed.deserialize(Key(&self.name))?;
        Ok((value, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = JsonError;

    fn unit_variant(self) -> Result<(), JsonError> {
        if self.content {
            return serde::Deserialize::deserialize(self.reader);
        }
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, JsonError> {
        self.content()?;
        seed.deserialize(self.reader)
            .map_err(|error| error.inside(&self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, JsonError> {
        self.content()?;
        self.reader
            .any(visitor, integer)
            .map_err(|error| error.inside(&self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.content()?;
        self.reader
            .any(visitor, integer)
            .map_err(|error| error.inside(&self.name))
    }
}

impl Variant<'_, '_> {
    fn content(&self) -> Result<(), JsonError> {
        if self.content {
            return Ok(());
        }
        Err(de::Error::custom(format_args!(
            "`{}` needs a value: write a table with this key",
            self.name
        )))
    }
}
