//! What is inside of arrays, objects and enums.
//!
//! In: a reader that stands in one. Out: its elements, for serde's seeds; errors get their place.
//! Never: reads beyond the closing bracket.

use std::borrow::Cow;

use serde::de::{self, DeserializeSeed, Deserializer, Visitor};

use super::error::JsonError;
use super::{Reader, integer};

/// The elements of an array or the members of an object.
pub(super) struct Items<'a, 'de> {
    reader: &'a mut Reader<'de>,
    close: u8,
    first: bool,
    /// How many elements were counted.
    index: usize,
    key: Cow<'de, str>,
    /// Where the element stands, or the value that belongs to the key.
    at: usize,
    /// Names of members that were left out.
    lost: Vec<Cow<'de, str>>,
}

/// A variant of an enum: a text, or an object of one member.
pub(super) struct Variant<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    pub(super) name: Cow<'de, str>,
    /// Whether it is an object, with something under the name.
    pub(super) content: bool,
}

/// A name of a member, for the seeds that want one.
struct Key<'a, 'de>(&'a Cow<'de, str>);

// === impl Items ===

impl<'a, 'de> Items<'a, 'de> {
    /// Just behind the opening bracket.
    #[inline(never)]
    pub(super) fn enter(reader: &'a mut Reader<'de>, close: u8) -> Result<Self, JsonError> {
        let deeper = reader.depth.checked_sub(1);
        reader.depth = deeper.ok_or_else(|| reader.lexer.syntax("at most 64 levels"))?;
        let (key, lost) = (Cow::Borrowed(""), Vec::new());
        Ok(Self { reader, close, first: true, index: 0, key, at: 0, lost })
    }

    /// Behind the closing bracket.
    #[inline(never)]
    pub(super) fn leave(mut self) -> Result<(), JsonError> {
        if self.next()? {
            return Err(self.reader.lexer.syntax("no more elements"));
        }
        self.reader.depth += 1;
        Ok(())
    }

    /// What is wrong in here, unless it is only that something was left out.
    #[cold]
    #[inline(never)]
    pub(super) fn lost(self, error: JsonError) -> JsonError {
        error.unless_lost(&self.lost)
    }

    /// Whether another one follows; takes the comma before it, or the closing bracket.
    fn next(&mut self) -> Result<bool, JsonError> {
        if self.close == 0 {
            return Ok(false);
        }
        if self.reader.lexer.take(self.close) {
            self.close = 0;
            return Ok(false);
        }
        if !std::mem::take(&mut self.first) && !self.reader.lexer.take(b',') {
            return Err(self.reader.lexer.syntax("a comma"));
        }
        Ok(true)
    }

    /// Goes to the next element that is not left out.
    #[inline(never)]
    fn begin_element(&mut self) -> Result<bool, JsonError> {
        while self.next()? {
            self.at = self.reader.lexer.place();
            self.index += 1;
            if !self.reader.passes_over()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Goes to the value of the next member that is not left out.
    #[inline(never)]
    fn begin_member(&mut self) -> Result<bool, JsonError> {
        while self.next()? {
            self.key = self.reader.lexer.text()?;
            if !self.reader.lexer.take(b':') {
                return Err(self.reader.lexer.syntax("a colon"));
            }
            self.at = self.reader.lexer.place();
            if !self.reader.passes_over()? {
                return Ok(true);
            }
            self.lost.push(std::mem::take(&mut self.key));
        }
        Ok(false)
    }

    /// An error of this element, which has been counted.
    #[cold]
    #[inline(never)]
    fn inside_element(&self, error: JsonError) -> JsonError {
        error.inside(&format!("{}", self.index - 1), Some((self.at, true)))
    }

    /// An error of this member.
    #[cold]
    #[inline(never)]
    fn inside_member(&self, error: JsonError) -> JsonError {
        error.inside(&self.key, Some((self.at, false)))
    }
}

impl<'de> de::SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = JsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, JsonError> {
        if !self.begin_element()? {
            return Ok(None);
        }
        let element = seed.deserialize(&mut *self.reader);
        element.map(Some).map_err(|error| self.inside_element(error))
    }
}

impl<'de> de::MapAccess<'de> for &mut Items<'_, 'de> {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, JsonError> {
        if !self.begin_member()? {
            return Ok(None);
        }
        let key = seed.deserialize(Key(&self.key));
        key.map(Some).map_err(|error| self.inside_member(error))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, JsonError> {
        seed.deserialize(&mut *self.reader).map_err(|error| self.inside_member(error))
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
        seed.deserialize(self.reader).map_err(|error| error.inside(&self.name, None))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, JsonError> {
        self.content()?;
        self.reader.any(visitor, integer).map_err(|error| error.inside(&self.name, None))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.content()?;
        self.reader.any(visitor, integer).map_err(|error| error.inside(&self.name, None))
    }
}

impl Variant<'_, '_> {
    fn content(&self) -> Result<(), JsonError> {
        if self.content {
            return Ok(());
        }
        Err(JsonError::new(format!("`{}` needs a value: write a table with this key", self.name)))
    }
}
