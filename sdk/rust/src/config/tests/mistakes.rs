//! All that is wrong with a configuration is told at once, each with its place.
//!
//! In: configurations with mistakes. Out: the texts for people and for the contract.
//! Never: a configuration that is good.

use serde::de;

use super::*;
use json::JsonError;

/// A configuration whose parts find their own mistakes.
#[weir_sdk::config]
struct Parts {
    name: FieldName,
    #[serde(default)]
    sizes: Vec<Size>,
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    more: std::collections::BTreeMap<FieldName, Size>,
}

#[weir_sdk::config]
#[serde(try_from = "Ends")]
struct Span;

#[weir_sdk::config]
struct Ends {
    from: u8,
    to: u8,
}

impl TryFrom<Ends> for Span {
    type Error = Error;

    fn try_from(Ends { from, to }: Ends) -> Result<Self, Error> {
        let mut problems = crate::Problems::new();
        for (key, end) in [("from", from), ("to", to)] {
            if end > 9 {
                problems.add(Error::new(format!("{end} is two\ndigits")).at(key).help("0 to 9"));
            }
        }
        problems.or(Self)
    }
}

impl Plugin for Parts {
    type Config = Self;

    fn configure(config: Self) -> crate::Result<Self> {
        let mut problems = crate::Problems::new();
        for (at, size) in config.sizes.iter().enumerate() {
            if size.bytes() > 9 {
                problems.add(Error::new("too much").at(at).at("sizes"));
            }
        }
        if config.spans.is_empty() {
            problems.add(Error::new("there is no span"));
        }
        if config.more.contains_key(&config.name) {
            problems.add(Error::new("this is a name already").at(&config.name).at("more"));
        }
        problems.or(config)
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = r#"{"name": "x", "sizes": ["1B", "x", "2B", "y", "10B", 3], "nane": 1,
        "spans": [{"from": 10, "to": 11}, {"from": "a"}], "more": {"a b": "1B", "a/ b": "2B", "c": "c"}}"#;
    let error = configure::<Parts>(text).err().unwrap();
    let shown = error.to_string();
    for says in [
        "sizes[1]: `x` is no size",
        "sizes[3]: `y` is no size",
        "sizes[5]: an integer is no",
        // As it was written, though the list was read without what is wrong.
        "sizes[4]: too much",
        "nane: unknown field `nane`",
        "spans[0].from: 10 is two digits; 0 to 9",
        "spans[0].to: 11 is two digits; 0 to 9",
        "spans[1].from: a text is no u8",
        "more.a b: `a b` is no name",
        "more.c: `c` is no size",
    ] {
        assert!(shown.contains(says), "{says}: {shown}");
    }
    assert!(!shown.contains("there is no span"), "it lacks only what was left out: {shown}");
    assert!(!shown.contains("missing field"), "{shown}");
    let contract = format!("{error:#}");
    for line in [
        "#/sizes/4: too much",
        "#/spans/0/from: 10 is two digits\nhelp: 0 to 9\n#/spans/0/to: 11",
        "#/more/a~1%20b: `a/ b` is no name",
    ] {
        assert!(contract.contains(line), "{line}: {contract}");
    }
    let only = configure::<Parts>(r#"{"name": "no name", "sizes": ["10B"]}"#).err().unwrap();
    assert!(only.to_string().starts_with("name: `no name` is no name"), "{only}");
    assert_eq!(only.to_string().lines().count(), 1, "nothing was made to look further");
    let none = configure::<Parts>(r#"{"name": "n"}"#).err().unwrap();
    assert_eq!(format!("{none:#}"), "#: there is no span");
}

#[test]
fn mistakes_are_named_by_their_place() {
    for (text, expected) in [
        ("{}", "missing field `max-age`"),
        (r#"{"max-age": 1}"#, "max-age: an integer is no "),
        (r#"{"max-age": "1"}"#, "max-age: `1` is no duration"),
        (r#"{"maxage": "1s"}"#, "unknown field `maxage`, expected one of `max-age`"),
        (r#"{"max-age": "1s", "keys": ["a", 1]}"#, "keys[1]: data did not match"),
        (r#"{"max-age": "1s", "modes": {"x": "up"}}"#, "modes.x: unknown variant `up`"),
        (r#"{"max-age": "1s", "modes": {"x": {"level": 300}}}"#, "modes.x.level: 300 is no u8"),
        (r#"{"max-age": "1s", "modes": {"x": "level"}}"#, "modes.x: `level` needs a value"),
        (r#"{"max-age": "1s", "modes": {"x": {"level": 1.5}}}"#, "modes.x.level: 1.5 is no u8"),
        (r#"{"max-age": "1s", "mask": "xyz"}"#, "mask: invalid digit"),
        (r#"{"max-age": "1s", "rate": true}"#, "rate: a boolean is no f64"),
        (r#"{"max-age": "1s"} x"#, "expected nothing more"),
    ] {
        let error = from_str::<Table>(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// The texts of the reader are those that serde would make.
#[test]
fn what_serde_notices_is_told_in_its_words() {
    fn told<E: de::Error>(known: &'static [&'static str]) -> [String; 5] {
        [
            E::unknown_field("x", known).to_string(),
            E::unknown_variant("x", known).to_string(),
            E::missing_field("x").to_string(),
            E::duplicate_field("x").to_string(),
            E::invalid_length(3, &"two").to_string(),
        ]
    }
    let lists: [&[&str]; 5] = [&[], &["a"], &["a", "b"], &["a", "b", "c"], &["a", "b", "c", "d"]];
    for known in lists {
        assert_eq!(told::<JsonError>(known), told::<de::value::Error>(known));
    }
}
