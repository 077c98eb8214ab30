//! A serde reader of JSON that is small in a guest: it formats no floats, and parses them only for
//! configurations that have some, which `serde_json` cannot leave out.
//!
//! In: JSON text (RFC 8259). Out: a value, or all that is wrong, and where: `users[2].hash: …`.
//! Never: recurses deeper than 64 levels.

mod access;
mod error;
mod found;
mod left_out;
mod lexer;

use std::borrow::Cow;

use serde::de::{DeserializeOwned, Deserializer, Visitor};

use crate::Error;
use access::{Items, Variant};
pub use error::JsonError;
use found::Found;
use lexer::{Lexer, Word};

/// What a text gives.
pub struct Read<T> {
    /// The value, without what was left out.
    pub value: T,
    pub found: Found,
}

/// Reads values, one inside the other.
struct Reader<'de> {
    lexer: Lexer<'de>,
    /// How many levels may still be entered.
    depth: u8,
    found: Found,
}

const MAX_DEPTH: u8 = 64;
/// Values that are left out. A person does not mend more at once.
const MAX_LEFT_OUT: usize = 64;

/// Reads a whole text. serde gives up at the first mistake, so what is wrong is left out and the
/// text read again, until nothing else is wrong with it.
///
/// # Errors
/// All that is wrong, where nothing can be made of the rest.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<Read<T>, Error> {
    let mut reader = Reader::new(text);
    loop {
        let error = match T::deserialize(&mut reader) {
            Ok(value) => match reader.end() {
                Ok(()) => return Ok(Read { value, found: reader.found }),
                Err(error) => error,
            },
            Err(error) => error,
        };
        reader.begin_again(text, error)?;
    }
}

// === impl Reader ===

// A guest carries what is generic once for each type that it reads, and the rest once: so there is
// as little as can be of the former.
impl<'de> Reader<'de> {
    fn new(text: &'de str) -> Self {
        Self { lexer: Lexer::new(text), depth: MAX_DEPTH, found: Found::default() }
    }

    #[inline(never)]
    fn end(&mut self) -> Result<(), JsonError> {
        match self.lexer.peek() {
            None => Ok(()),
            Some(_) => Err(self.lexer.syntax("nothing more")),
        }
    }

    /// Goes back to the start of its text, to leave out what was wrong as well. An error where
    /// nothing else can be found.
    #[cold]
    #[inline(never)]
    fn begin_again(&mut self, text: &'de str, error: JsonError) -> Result<(), Error> {
        self.lexer = Lexer::new(text);
        self.depth = MAX_DEPTH;
        if error.leave_out(&mut self.found) {
            return Ok(());
        }
        Err(Error::of(std::mem::take(&mut self.found.problems)))
    }

    /// Passes over the value that comes next, if it is one of those that are left out.
    fn passes_over(&mut self) -> Result<bool, JsonError> {
        let at = self.lexer.place();
        let left_out = self.found.left_out.iter().any(|value| value.at == at);
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
        match self.lexer.word()? {
            Word::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Word::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Word::Open(b'{') => self.items(b'}', |items| visitor.visit_map(items)),
            Word::Open(_) => self.items(b']', |items| visitor.visit_seq(items)),
            Word::Bool(value) => visitor.visit_bool(value),
            Word::Null => visitor.visit_unit(),
            Word::Number(text) => number(text, visitor),
        }
    }

    /// The inside of an array or object, to its end.
    fn items<T>(
        &mut self,
        close: u8,
        visit: impl FnOnce(&mut Items<'_, 'de>) -> Result<T, JsonError>,
    ) -> Result<T, JsonError> {
        let mut items = Items::enter(self, close)?;
        match visit(&mut items) {
            Ok(value) => items.leave().map(|()| value),
            Err(error) => Err(items.lost(error)),
        }
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
        Err(_) => Err(JsonError::new("this is no number".into())),
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
        if self.lexer.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
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
            return Err(JsonError::new("a text or a table of one key is needed".into()));
        }
        let name = self.lexer.text()?;
        if !self.lexer.take(b':') {
            return Err(self.lexer.syntax("a colon"));
        }
        let value = visitor.visit_enum(Variant { reader: self, name, content: true })?;
        if !self.lexer.take(b'}') {
            return Err(JsonError::new("a table of exactly one key is needed".into()));
        }
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.any(visitor, |_, visitor| visitor.visit_unit())
    }
}
