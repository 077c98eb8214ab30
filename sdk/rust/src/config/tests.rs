//! A configuration is read as it is written, and its schema says how that is.
//!
//! In: JSON texts and types that say what is in them. Out: values, or what is wrong and where.
//! Never: a proxy.

mod mistakes;
mod reader;
mod texts;

use super::*;
use serde::de::DeserializeOwned;

fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let Read { value, found } = json::read(text)?;
    found.nothing().map(|()| value)
}

/// A configuration with everything a schema can say.
#[weir_sdk::config]
#[derive(Debug, PartialEq)]
#[serde(rename_all = "kebab-case")]
struct Table {
    /// How long.
    max_age: Duration,
    #[serde(default)]
    secret: Option<Secret>,
    #[serde(default)]
    #[schema(min = 1, max = 100)]
    rate: f64,
    #[serde(default)]
    keys: Vec<Key>,
    #[serde(default)]
    modes: std::collections::BTreeMap<String, Mode>,
    #[serde(default, deserialize_with = "hex")]
    #[schema(as = "String", pattern = "^[0-9a-f]+$")]
    mask: u64,
}

#[weir_sdk::config]
#[derive(Debug, PartialEq)]
#[serde(untagged)]
enum Key {
    Plain(Secret),
    Named { key: Secret, name: String },
}

#[weir_sdk::config]
#[derive(Debug, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Off,
    On,
    Level(u8),
    Between { low: u8, high: u8 },
}

fn hex<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let text = <String as serde::Deserialize>::deserialize(from)?;
    u64::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
}

#[test]
fn a_configuration_is_read() {
    let table: Table = from_str(
        r#"{"max-age": "1m", "rate": 2, "keys": ["a", {"key": "b", "name": "c"}], "mask": "ff",
            "modes": {"a": "off", "b": {"level": 3}, "c": {"between": {"low": 1, "high": 2}}}}"#,
    )
    .unwrap();
    assert_eq!(table.max_age.as_secs(), 60);
    assert_eq!((table.rate, table.mask), (2.0, 255));
    let named = Key::Named { key: "b".into(), name: "c".into() };
    assert_eq!(table.keys, [Key::Plain("a".into()), named]);
    assert_eq!(table.modes["a"], Mode::Off);
    assert_eq!(table.modes["b"], Mode::Level(3));
    assert_eq!(table.modes["c"], Mode::Between { low: 1, high: 2 });
}

#[test]
fn the_schema_says_what_is_read() {
    let schema: serde_json::Value =
        serde_json::from_str(&crate::schema::document::<Table>()).unwrap();
    let duration = weir_units::duration::PATTERN;
    let u8 = serde_json::json!({ "type": "integer", "minimum": 0, "maximum": 255 });
    let secret = serde_json::json!({ "type": "string", "writeOnly": true });
    assert_eq!(
        schema,
        serde_json::json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "description": "A configuration with everything a schema can say.",
            "type": "object",
            "properties": {
                "max-age": { "description": "How long.", "type": "string", "minLength": 2,
                    "pattern": duration },
                "secret": secret,
                "rate": { "minimum": 1, "maximum": 100, "type": "number" },
                "keys": { "type": "array", "items": { "anyOf": [secret, {
                    "type": "object",
                    "properties": { "key": secret, "name": { "type": "string" } },
                    "required": ["key", "name"],
                    "additionalProperties": false,
                }] } },
                "modes": { "type": "object", "additionalProperties": { "anyOf": [
                    { "const": "off" },
                    { "const": "on" },
                    {
                        "type": "object",
                        "properties": { "level": u8 },
                        "required": ["level"],
                        "additionalProperties": false,
                    },
                    {
                        "type": "object",
                        "properties": { "between": {
                            "type": "object",
                            "properties": { "low": u8, "high": u8 },
                            "required": ["low", "high"],
                            "additionalProperties": false,
                        } },
                        "required": ["between"],
                        "additionalProperties": false,
                    },
                ] } },
                "mask": { "pattern": "^[0-9a-f]+$", "type": "string" },
            },
            "required": ["max-age"],
            "additionalProperties": false,
        })
    );
}

#[test]
fn a_tagged_enum_and_a_text_type_have_schemas() {
    #[weir_sdk::config]
    #[derive(Debug)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Hash {
        Plain { text: String },
        None,
    }
    #[weir_sdk::config]
    #[derive(Debug)]
    #[serde(try_from = "String")]
    struct Even(String);
    impl TryFrom<String> for Even {
        type Error = crate::HeaderError;
        fn try_from(text: String) -> Result<Self, Self::Error> {
            Ok(Self(text))
        }
    }
    assert_eq!(crate::schema::document::<Even>(), crate::schema::document::<String>());
    let Even(text) = from_str(r#""even""#).unwrap();
    assert_eq!(text, "even");
    let schema: serde_json::Value =
        serde_json::from_str(&crate::schema::document::<Hash>()).unwrap();
    assert_eq!(schema["anyOf"][1]["properties"]["kind"]["const"], "none");
    let Hash::Plain { text } = from_str(r#"{"text": "a", "kind": "plain"}"#).unwrap() else {
        panic!("it is plain");
    };
    assert_eq!(text, "a");
    assert!(matches!(from_str(r#"{"kind": "none"}"#), Ok(Hash::None)));
}

#[test]
fn the_bounds_of_a_field_go_before_those_of_its_type() {
    #[weir_sdk::config]
    #[derive(Debug)]
    struct Bounded {
        #[schema(min = 1, max = 9, title = "a digit")]
        rate: Option<u32>,
    }
    let schema: serde_json::Value =
        serde_json::from_str(&crate::schema::document::<Bounded>()).unwrap();
    let rate = &schema["properties"]["rate"];
    assert_eq!((&rate["minimum"], &rate["maximum"]), (&1.into(), &9.into()));
    assert_eq!(rate["title"], "a digit");
    assert_eq!(from_str::<Bounded>("{}").unwrap().rate, None);
}
