//! Schemas that are made to be expensive.

use std::fmt::Write as _;

use super::*;

#[track_caller]
fn refused_schema(schema: &str) -> Tried {
    let tried = refused(&hostile("", schema, ANYTHING), "");
    assert!(tried.took < Duration::from_secs(60), "{:?}", tried.took);
    tried
}

/// `depth` definitions, each of which asks twice for the next.
fn doubling(depth: usize, keyword: &str) -> String {
    let mut schema = String::from("{\"$defs\":{\"d0\":{\"minProperties\":1}");
    for at in 1..=depth {
        let before = at - 1;
        let _ = write!(
            schema,
            ",\"d{at}\":{{\"{keyword}\":[{{\"$ref\":\"#/$defs/d{before}\"}},{{\"$ref\":\"#/$defs/d{before}\"}}]}}"
        );
    }
    let _ = write!(schema, "}},\"$ref\":\"#/$defs/d{depth}\"}}");
    schema
}

#[test]
fn references_that_double() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let tried = refused_schema(&doubling(60, keyword));
        assert!(
            tried.text.contains("against the plugin's schema takes more than"),
            "{}",
            tried.text
        );
    }
}

#[test]
fn deep_nesting() {
    let depth = 30_000;
    let tried = refused_schema(&format!("{}true{}", "{\"not\":".repeat(depth), "}".repeat(depth)));
    assert!(tried.text.contains("recursion limit"), "{}", tried.text);
}

#[test]
fn patterns_as_large_as_they_get() {
    let mut schema = String::from("{\"required\":[\"x\"],\"patternProperties\":{");
    for at in 0..5000 {
        let _ = write!(schema, "\"(\\\\w{{1,100}}){{1,50}}{at}\":{{}},");
    }
    schema += "\"x\":{}}}";
    let tried = refused_schema(&schema);
    assert!(tried.text.contains("against the plugin's schema takes more than"), "{}", tried.text);
}

#[test]
fn a_choice_of_megabytes() {
    let choices = format!("\"{}\",", "c".repeat(1000)).repeat(10_000);
    let tried = refused_schema(&format!("{{\"enum\":[{choices}0]}}"));
    assert!(tried.text.contains("`describe` gives a config-schema of"), "{}", tried.text);
}

#[test]
fn errors_without_end() {
    let mut all = String::new();
    for at in 0..5000 {
        let _ = write!(all, "{{\"required\":[\"a-name-that-is-not-there-{at}\"]}},");
    }
    let tried = refused_schema(&format!("{{\"allOf\":[{all}true]}}"));
    assert!(tried.text.contains("more problems of this plugin are not shown"), "{}", tried.text);
    assert!(tried.text.lines().count() < 200, "{} lines", tried.text.lines().count());
}

#[test]
fn a_refusal_of_megabytes() {
    // An error with 8 MB of what is in memory, which is zeros.
    let answer = "(drop (memory.grow (i32.const 150)))
        (i32.store8 (i32.const 200) (i32.const 1))
        (i32.store (i32.const 204) (i32.const 100000))
        (i32.store (i32.const 208) (i32.const 8000000))
        (i32.const 200)";
    let tried = refused(&hostile("", "", answer), "");
    assert!(tried.text.contains("bytes more"), "{} bytes", tried.text.len());
    assert!(tried.text.len() < 10 << 10, "{} bytes", tried.text.len());
}
