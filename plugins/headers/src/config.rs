//! The configuration as it is written.

use std::fmt;
use std::marker::PhantomData;

use weir_sdk::serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use weir_sdk::{FieldName, Schema, Template};

/// Edits of header fields. On each side they happen in this order: remove, rename, set,
/// set_if_absent, add.
#[weir_sdk::config]
pub struct Config {
    /// What happens to the request before the upstream sees it.
    #[serde(default)]
    pub request: Edits,
    /// What happens to the response before the client sees it.
    #[serde(default)]
    pub response: Edits,
}

/// The edits of one side.
#[weir_sdk::config]
#[derive(Default)]
pub struct Edits {
    /// Fields that get this value in place of any they had.
    #[serde(default)]
    pub set: Table<Template>,
    /// Field lines put beside those that are there: a value, or a list of them.
    #[serde(default)]
    pub add: Table<Values>,
    /// Fields that get this value unless they are there already.
    #[serde(default)]
    pub set_if_absent: Table<Template>,
    /// Fields that go.
    #[serde(default)]
    pub remove: Vec<FieldName>,
    /// Fields whose values move to another name, in place of any that one had.
    #[serde(default)]
    pub rename: Table<FieldName>,
}

/// Names and what they get, in the order written. A list, because a map of each kind would be half
/// of the component.
pub struct Table<T>(pub Vec<(FieldName, T)>);

/// One value or a list of them.
pub struct Values {
    pub all: Vec<Template>,
    pub is_list: bool,
}

// === impl Table ===

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Table<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of header fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Table<T>, A::Error> {
                let mut table: Vec<(FieldName, T)> = Vec::new();
                while let Some((name, value)) = members.next_entry()? {
                    if table.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom(format_args!("`{name}` is there twice")));
                    }
                    table.push((name, value));
                }
                Ok(Table(table))
            }
        }

        from.deserialize_map(Members(PhantomData))
    }
}

impl<T: Schema> Schema for Table<T> {
    fn members(out: &mut String) {
        out.push_str(r#""type":"object","propertyNames":{"#);
        FieldName::members(out);
        out.push_str(r#"},"additionalProperties":{"#);
        T::members(out);
        out.push('}');
    }
}

// === impl Values ===

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list of values")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Values, E> {
                Ok(Values { all: vec![text.parse().map_err(E::custom)?], is_list: false })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Values, A::Error> {
                let mut all = Vec::new();
                while let Some(value) = list.next_element()? {
                    all.push(value);
                }
                Ok(Values { all, is_list: true })
            }
        }

        from.deserialize_any(OneOrMany)
    }
}

impl Schema for Values {
    fn members(out: &mut String) {
        out.push_str(r#""anyOf":[{"#);
        Template::members(out);
        out.push_str(r#"},{"type":"array","items":{"#);
        Template::members(out);
        out.push_str("}}]");
    }
}
