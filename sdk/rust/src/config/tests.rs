use super::*;
use serde::de::DeserializeOwned;

fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let json::Read { value, problems, .. } = json::read(text);
    value.filter(|_| problems.is_empty()).ok_or_else(|| Error::of(problems))
}

/// The lists that the proxy's own durations and sizes are held to as well.
fn shared(list: &str) -> Vec<(&str, Option<u64>)> {
    list.lines()
        .filter_map(|line| line.strip_prefix('|')?.rsplit_once("| "))
        .map(|(text, value)| (text, value.replace('_', "").parse().ok()))
        .collect()
}

#[test]
fn durations_are_those_of_the_proxy() {
    let list = shared(include_str!("../../../units/cases/durations.txt"));
    assert!(list.len() > 60);
    for (text, nanoseconds) in list {
        let read: Option<Duration> = text.parse().ok();
        let expected = nanoseconds.map(std::time::Duration::from_nanos);
        assert_eq!(read.map(|duration| duration.0), expected, "{text:?}");
        if let Some(read) = read {
            assert_eq!(read.to_string().parse::<Duration>().unwrap(), read, "{text}");
        }
    }
    for (text, says) in [("10", "`10` is no duration"), ("0.1us1", "is no"), ("999999999h", "584")]
    {
        let error = text.parse::<Duration>().unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn sizes_are_those_of_the_proxy() {
    let list = shared(include_str!("../../../units/cases/sizes.txt"));
    assert!(list.len() > 60);
    for (text, bytes) in list {
        let read: Option<Size> = text.parse().ok();
        assert_eq!(read.map(Size::bytes), bytes, "{text:?}");
        if let Some(read) = read {
            assert_eq!(read.to_string().parse::<Size>().unwrap(), read, "{text}");
        }
    }
    for (text, says) in
        [("10K", "`10K` is no size"), ("0.5B", "whole"), ("99999999999GiB", "64 bits")]
    {
        let error = text.parse::<Size>().unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn a_secret_is_not_shown() {
    let secret = Secret::from("hunter2");
    assert_eq!(format!("{secret:?}"), "Secret(…)");
    assert!(secret.matches("hunter2") && secret.matches(b"hunter2"));
    assert!(!secret.matches("hunter") && !secret.matches("hunter3"));
}

#[test]
fn json_is_read_as_serde_json_reads_it() {
    for text in [
        "null",
        "true",
        " [ ] ",
        "{}",
        "0",
        "-12",
        "18446744073709551615",
        "1.5",
        "-2e3",
        "1E+2",
        r#""plain""#,
        r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#,
        r#""a\nb\nc""#,
        r#""ü€""#,
        r#"{"a":[1,{"b":null}],"c":"d"}"#,
        "[[],[[]],{}]",
        "\t\r\n1\n",
    ] {
        let expected: serde_json::Value = serde_json::from_str(text).unwrap();
        let read: serde_json::Value = from_str(text).unwrap();
        assert_eq!(read, expected, "{text}");
    }
    for text in [
        "",
        " ",
        "nul",
        "tru",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "0x1",
        "[1,]",
        "[1 2]",
        "[",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "\"",
        "\"\n\"",
        r#""\x""#,
        r#""\u12""#,
        r#""\ud800""#,
        r#""\ud800\u0041""#,
        r#""\udc00""#,
        "1 2",
        "{}x",
        "]",
    ] {
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        assert!(from_str::<serde_json::Value>(text).is_err(), "{text}");
    }
    let deep = "[".repeat(65) + &"]".repeat(65);
    assert!(from_str::<serde_json::Value>(&deep).is_err());
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

#[test]
fn a_field_name_is_a_lower_case_token() {
    use crate::FieldName;
    for (text, name) in [("X-A", "x-a"), ("a", "a"), ("a!#1", "a!#1")] {
        let parsed: FieldName = text.parse().unwrap();
        assert_eq!(&*parsed, name);
        assert!(parsed.writable().is_ok());
    }
    for text in ["", "a b", "a:", "\u{e9}", "a\r\nb", "a\0"] {
        let error = text.parse::<FieldName>().unwrap_err().to_string();
        assert!(error.contains("is no name of a header field"), "{error}");
    }
    for text in ["Host", "content-length", "Transfer-Encoding", "upgrade"] {
        let name: FieldName = text.parse().unwrap();
        let error = name.writable().unwrap_err().to_string();
        assert!(error.contains("belongs to the proxy"), "{error}");
    }
}

#[cfg(feature = "regex")]
#[test]
fn a_substitution_puts_groups_in_place_of_matches() {
    use crate::Substitution;
    let read = |pattern: &str, replace: &str| {
        serde_json::from_value::<Substitution>(
            serde_json::json!({ "pattern": pattern, "replace": replace }),
        )
    };
    for (pattern, replace, text, out) in [
        ("^/v1/(.*)$", "/$1", "/v1/a/b", Some("/a/b")),
        ("^/(?<a>.)(.)", "/$2$a", "/xyz", Some("/yxz")),
        ("^/(?<a>.)", "/${a}a$1b$$", "/x", Some("/xaxb$")),
        ("b", "<$0>", "abcb", Some("a<b>c<b>")),
        ("x?", "-", "ab", Some("-a-b-")),
        ("(a)|(b)", "[$2]", "ab", Some("[][b]")),
        ("^/v1", "", "/v2", None),
        ("é", "e", "/é", Some("/e")),
    ] {
        let substitution = read(pattern, replace).unwrap();
        assert_eq!(substitution.apply(text).unwrap().as_deref(), out, "{pattern} {text}");
    }
    for (pattern, replace, why) in [
        ("(", "", "is no regular expression"),
        ("a", "$1", "uses the group `1`"),
        ("(a)", "${b}", "uses the group `b`"),
        ("(a)", "$", "names no group"),
        ("(a)", "${1", "names no group"),
        ("(a)", "${}", "names no group"),
    ] {
        let error = read(pattern, replace).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

/// However long the path and many the matches, what is searched is bounded.
#[cfg(feature = "regex")]
#[test]
fn what_a_substitution_costs_is_bounded() {
    use crate::{MAX_SUBJECT, Substitution, TooLong};
    let read = |pattern: &str| {
        serde_json::from_value::<Substitution>(
            serde_json::json!({ "pattern": pattern, "replace": "" }),
        )
    };
    for pattern in [
        "(?:[a-z]{0,60}[0-9]{0,60}){1,20}x",
        "(?:a{1,100}){1,100}",
        "(?:.?){5000}",
        "(?:(a)|(b)|(c)|(d)|(e)|(f)|(g)|(h)|(i)|(j)|(k)|(l)|(m)|(n)|(o)){1,40}",
    ] {
        let error = read(pattern).unwrap_err().to_string();
        assert!(error.contains("too large: a path of 2048 bytes"), "{pattern}: {error}");
    }
    for pattern in
        ["^/user/([0-9]+)$", "^/(?<a>[a-z0-9-]{1,64})/(?<b>.*)$", "(?i)/(en|de|fr)/", "//+"]
    {
        read(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    }
    // One search of this is allowed; many of them are not.
    let large = read("a|(?:[b-z]{0,50}[0-9]{0,50}){1,4}!").unwrap();
    assert_eq!(large.apply(&"b".repeat(MAX_SUBJECT)), Ok(None));
    assert_eq!(large.apply("/a/b/a"), Ok(Some("//b/".into())));
    assert_eq!(large.apply(&"ab".repeat(100)), Err(TooLong));
    // Nor is it, applied to its own result again and again.
    let mut spent = 0;
    let again = |_| large.apply_again(&"b".repeat(MAX_SUBJECT), &mut spent).is_ok();
    assert!((0..9).map(again).filter(|fits| *fits).count() < 9);
}
