//! The JSON Schema (2020-12) of a configuration, written as text.
//!
//! In: types, by their `Schema`. Out: one JSON object. Never: builds a tree; a guest carries some
//! 2 KB for its schema, where a general generator brought 78 KB.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What a configuration may look like. [`#[weir_sdk::config]`](macro@crate::config) derives it for
/// structs and enums; types that read themselves from a text say so by hand:
///
/// ```
/// struct Country([u8; 2]);
/// impl weir_sdk::Schema for Country {
///     fn members(out: &mut String) {
///         out.push_str(r#""type":"string","pattern":"^[A-Z]{2}$""#);
///     }
/// }
/// ```
///
/// Types that contain themselves are not supported: their schema would have no end.
pub trait Schema {
    /// Appends the members of the type's schema, without the braces around them. At least one.
    fn members(out: &mut String);
}

/// The whole schema of a configuration.
pub(crate) fn document<C: Schema>() -> String {
    let mut out = String::from(r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","#);
    C::members(&mut out);
    out.push('}');
    out
}

macro_rules! schema {
    ($($type:ty => $members:literal),* $(,)?) => { $(
        impl Schema for $type {
            fn members(out: &mut String) {
                out.push_str($members);
            }
        }
    )* };
}

schema! {
    bool => r#""type":"boolean""#,
    char => r#""type":"string","minLength":1,"maxLength":1"#,
    String => r#""type":"string""#,
    Cow<'_, str> => r#""type":"string""#,
    f32 => r#""type":"number""#,
    f64 => r#""type":"number""#,
    u8 => r#""type":"integer","minimum":0,"maximum":255"#,
    u16 => r#""type":"integer","minimum":0,"maximum":65535"#,
    u32 => r#""type":"integer","minimum":0,"maximum":4294967295"#,
    u64 => r#""type":"integer","minimum":0"#,
    usize => r#""type":"integer","minimum":0"#,
    i8 => r#""type":"integer","minimum":-128,"maximum":127"#,
    i16 => r#""type":"integer","minimum":-32768,"maximum":32767"#,
    i32 => r#""type":"integer","minimum":-2147483648,"maximum":2147483647"#,
    i64 => r#""type":"integer""#,
    isize => r#""type":"integer""#,
    std::num::NonZeroU8 => r#""type":"integer","minimum":1,"maximum":255"#,
    std::num::NonZeroU16 => r#""type":"integer","minimum":1,"maximum":65535"#,
    std::num::NonZeroU32 => r#""type":"integer","minimum":1,"maximum":4294967295"#,
    std::num::NonZeroU64 => r#""type":"integer","minimum":1"#,
    std::net::IpAddr => r#""type":"string","anyOf":[{"format":"ipv4"},{"format":"ipv6"}]"#,
    std::net::Ipv4Addr => r#""type":"string","format":"ipv4""#,
    std::net::Ipv6Addr => r#""type":"string","format":"ipv6""#,
    serde_json::Value => r#""type":["object","array","string","number","boolean","null"]"#,
}

impl<T: Schema> Schema for Option<T> {
    fn members(out: &mut String) {
        T::members(out);
    }
}

impl<T: Schema> Schema for Box<T> {
    fn members(out: &mut String) {
        T::members(out);
    }
}

macro_rules! list {
    ($($type:ident $more:literal),*) => { $(
        impl<T: Schema> Schema for $type<T> {
            fn members(out: &mut String) {
                out.push_str(concat!(r#""type":"array","#, $more, r#""items":{"#));
                T::members(out);
                out.push('}');
            }
        }
    )* };
}

list!(Vec "", BTreeSet r#""uniqueItems":true,"#, HashSet r#""uniqueItems":true,"#);

macro_rules! table {
    ($($type:ident),*) => { $(
        impl<K, T: Schema> Schema for $type<K, T> {
            fn members(out: &mut String) {
                out.push_str(r#""type":"object","additionalProperties":{"#);
                T::members(out);
                out.push('}');
            }
        }
    )* };
}

table!(BTreeMap, HashMap);
