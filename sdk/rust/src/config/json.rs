//! A serde reader of JSON that is small in a guest: it formats no floats, and parses them only for
//! configurations that have some, which `serde_json` cannot leave out.
//!
//! In: JSON text (RFC 8259). Out: a value, or all that is wrong, and where: `users[2].hash: …`.
//! Never: recurses deeper than 64 levels.

mod access;
mod error;
mod left_out;
mod lexer;

use std::borrow::Cow;

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};

use crate::problem::Problem;
use access::{Items, Variant};
use error::JsonError;
pub use left_out::LeftOut;
use lexer::Lexer;

/// What a text gives.
pub struct Read<T> {
    /// The value, without what was left out; none where it cannot do without.
    pub value: Option<T>,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
    pub left_out: Vec<LeftOut>,
}

/// Reads values, one inside the other.
struct Reader<'de> {
    lexer: Lexer<'de>,
    /// How many levels may still be entered.
    depth: u8,
    left_out: Vec<LeftOut>,
}

const MAX_DEPTH: u8 = 64;
/// Values that are left out. A person does not mend more at once.
const MAX_LEFT_OUT: usize = 64;

/// Reads a whole text. serde gives up at the first mistake, so what is wrong is left out and the
/// text read again, until nothing else is wrong with it.
pub fn read<T: DeserializeOwned>(text: &str) -> Read<T> {
    let (mut problems, mut left_out) = (Vec::new(), Vec::new());
    loop {
        let mut reader = Reader::new(text, left_out);
        let read = T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        left_out = reader.left_out;
        let error = match read {
            Ok(value) => return Read { value: Some(value), problems, left_out },
            Err(error) => error,
        };
        if !error.leave_out(&mut problems, &mut left_out) {
            return Read { value: None, problems, left_out };
        }
    }
}

// === impl Reader ===

impl<'de> Reader<'de> {
    fn new(text: &'de str, left_out: Vec<LeftOut>) -> Self {
        Self { lexer: Lexer::new(text), depth: MAX_DEPTH, left_out }
    }

    fn end(&mut self) -> Result<(), JsonError> {
        match self.lexer.peek() {
            None => Ok(()),
            Some(_) => Err(self.lexer.syntax("nothing more")),
        }
    }

    /// Passes over the value that comes next, if it is one of those that are left out.
    fn passes_over(&mut self) -> Result<bool, JsonError> {
        let at = self.lexer.place();
        let left_out = self.left_out.iter().any(|value| value.at == at);
        if left_out {
            self.lexer.pass_over()?;
        }
        Ok(left_out)
    }

    /// Anything, by the type it has.
    fn any<V: Visitor<'de>>(
        &mut self,
        visitor: V,
        number: impl FnOnce(&'de str, V) -> Result<V::Value, JsonError>,
    ) -> Result<V::Value, JsonError> {
        match self.lexer.peek() {
            Some(b'"') => match self.lexer.text()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Some(b'{') => self.items(b'}', |items| visitor.visit_map(items)),
            Some(b'[') => self.items(b']', |items| visitor.visit_seq(items)),
            Some(b't') if self.lexer.word("true") => visitor.visit_bool(true),
            Some(b'f') if self.lexer.word("false") => visitor.visit_bool(false),
            Some(b'n') if self.lexer.word("null") => visitor.visit_unit(),
            Some(_) => number(self.lexer.number()?, visitor),
            None => Err(self.lexer.syntax("a value")),
        }
    }

    /// The inside of an array or object, to its end.
    fn items<T>(
        &mut self,
        close: u8,
        visit: impl FnOnce(&mut Items<'_, 'de>) -> Result<T, JsonError>,
    ) -> Result<T, JsonError> {
        self.lexer.skip(1);
        self.depth =
            self.depth.checked_sub(1).ok_or_else(|| self.lexer.syntax("at most 64 levels"))?;
        let mut items = Items::new(self, close);
        let value = visit(&mut items).map_err(|error| error.unless_lost(&items.lost))?;
        if items.next()? {
            return Err(self.lexer.syntax("no more elements"));
        }
        self.depth += 1;
        Ok(value)
    }
}

/// An integer by its sign; anything else is no integer.
fn integer<'de, V: Visitor<'de>>(number: &str, visitor: V) -> Result<V::Value, JsonError> {
    match Integer::of(number) {
        Some(Integer::Unsigned(number)) => visitor.visit_u64(number),
        Some(Integer::Signed(number)) => visitor.visit_i64(number),
        None => Err(JsonError::wrong(number, &visitor)),
    }
}

/// A number that is one.
enum Integer {
    Unsigned(u64),
    Signed(i64),
}

// === impl Integer ===

impl Integer {
    #[inline(never)]
    fn of(number: &str) -> Option<Self> {
        match number.strip_prefix('-') {
            Some(digits) => {
                let number = 0_i64.checked_sub_unsigned(digits.parse().ok()?)?;
                Some(Self::Signed(number))
            }
            None => number.parse().ok().map(Self::Unsigned),
        }
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
    if Integer::of(number).is_some() { integer(number, visitor) } else { float(number, visitor) }
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
        self.lexer.peek();
        if self.lexer.word("null") { visitor.visit_none() } else { visitor.visit_some(self) }
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
        if self.lexer.peek() == Some(b'"') {
            let name = self.lexer.text()?;
            return visitor.visit_enum(Variant { reader: self, name, content: false });
        }
        if !self.lexer.take(b'{') {
            return Err(de::Error::custom("a text or a table of one key is needed"));
        }
        let name = self.lexer.text()?;
        if !self.lexer.take(b':') {
            return Err(self.lexer.syntax("a colon"));
        }
        let value = visitor.visit_enum(Variant { reader: self, name, content: true })?;
        if !self.lexer.take(b'}') {
            return Err(de::Error::custom("a table of exactly one key is needed"));
        }
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.any(visitor, |_, visitor| visitor.visit_unit())
    }
}
