//! JSON is read as `serde_json` reads it.
//!
//! In: texts. Out: the same values, or a refusal from both. Never: types of a plugin.

use super::from_str;

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
