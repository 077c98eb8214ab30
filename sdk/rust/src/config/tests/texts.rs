//! Texts that read themselves: durations, sizes, secrets, names of header fields, patterns.
//!
//! In: good and bad texts. Out: the values, or why there is none. Never: JSON, but around a pattern.

use super::*;

/// The lists that the proxy's own durations and sizes are held to as well.
fn shared(list: &str) -> Vec<(&str, Option<u64>)> {
    list.lines()
        .filter_map(|line| line.strip_prefix('|')?.rsplit_once("| "))
        .map(|(text, value)| (text, value.replace('_', "").parse().ok()))
        .collect()
}

#[test]
fn durations_are_those_of_the_proxy() {
    let list = shared(include_str!("../../../../units/cases/durations.txt"));
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
    let list = shared(include_str!("../../../../units/cases/sizes.txt"));
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
        &format!("(?:{})b", ["a*"; 625].join("|")),
        &format!("(?:{})*b", ["a"; 320].join("|")),
        "(?:a*){679}b",
        "(?:a+|aa|a?a){140}b",
        "(?:a?){476}b",
        "a{360}",
    ] {
        let error = read(pattern).unwrap_err().to_string();
        assert!(error.contains("too large: a path of 2048 bytes"), "{pattern}: {error}");
    }
    for pattern in [
        "^/user/([0-9]+)$",
        "^/(?<a>[a-z0-9-]{1,64})/(?<b>.*)$",
        "(?i)/(en|de|fr)/",
        "//+",
        "^/o/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/u/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$",
    ] {
        read(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    }
    // One search of this is allowed; many of them are not.
    let large = read("a|[b-z]{0,30}[0-9]{0,30}!").unwrap();
    assert_eq!(large.apply(&"b".repeat(MAX_SUBJECT)), Ok(None));
    assert_eq!(large.apply("/a/b/a"), Ok(Some("//b/".into())));
    assert_eq!(large.apply(&"ab".repeat(100)), Err(TooLong));
    // Nor is it, applied to its own result again and again.
    let mut spent = 0;
    let again = |_| large.apply_again(&"b".repeat(MAX_SUBJECT), &mut spent).is_ok();
    assert!((0..9).map(again).filter(|fits| *fits).count() < 9);
}
