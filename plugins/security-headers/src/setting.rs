//! One header in the configuration: its value, or `false`.

use std::fmt;

use weir_sdk::Schema;
use weir_sdk::serde::de::{Deserialize, Deserializer, Error, Visitor};

/// What the configuration says about a header.
pub enum Setting {
    /// `false`: what the preset has is left out.
    Off,
    /// This value.
    Value(String),
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct ValueOrFalse;

        impl Visitor<'_> for ValueOrFalse {
            type Value = Setting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or false")
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<Setting, E> {
                if on {
                    return Err(E::custom("true says no value: write one, or false"));
                }
                Ok(Setting::Off)
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Setting, E> {
                Ok(Setting::Value(value.into()))
            }
        }

        from.deserialize_any(ValueOrFalse)
    }
}

impl Schema for Setting {
    fn members(out: &mut String) {
        out.push_str(r#""anyOf":[{"type":"string","minLength":1},{"const":false}]"#);
    }
}
