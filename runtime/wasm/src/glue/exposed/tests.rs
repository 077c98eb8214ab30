//! Modules whose state is exported: valid, and otherwise as they were.

use std::borrow::Cow;

use wasmtime_environ::wasmparser::{Parser, Payload, Validator};

use super::exposed;
use crate::plan::ModuleState;

fn exports(module: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.expect("valid") {
            Payload::ExportSection(exports) => {
                found.extend(exports.into_iter().map(|export| export.unwrap().name.to_owned()));
            }
            Payload::StartSection { .. } => panic!("it starts by itself"),
            _ => {}
        }
    }
    found
}

/// A module, and what it exports in the end.
const MODULES: [(&str, &[&str]); 8] = [
    ("", &[]),
    ("(global (mut i32) (i32.const 0))", &["weir:global0"]),
    // Between what it imports and what cannot be set.
    (
        r#"(import "" "g" (global (mut i32))) (global i32 (i32.const 1)) (global (mut f64) (f64.const 1))"#,
        &["weir:global2"],
    ),
    (r#"(global (export "a") (mut i64) (i64.const 0)) (memory (export "m") 1)"#, &["a", "m"]),
    ("(memory 1) (func $f) (start $f)", &["weir:memory0", "weir:start0"]),
    (
        r#"(import "" "m" (memory 1)) (func $f (export "f")) (start $f) (data (i32.const 0) "a")"#,
        &["f"],
    ),
    // A name that is taken.
    (
        r#"(func (export "weir:global0")) (global (mut i32) (i32.const 0))"#,
        &["weir:global0", "weir:global0'"],
    ),
    (
        r#"(table 1 funcref) (memory 1) (global (mut i32) (i32.const 0)) (func $f) (elem (i32.const 0) $f)
           (data $d "a") (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 0))) (start $f)"#,
        &["weir:memory0", "weir:global0", "weir:start0"],
    ),
];

#[test]
fn what_changes_is_exported_and_all_else_is_as_it_was() {
    for (text, expected) in MODULES {
        let module = wat::parse_str(format!("(module {text})")).expect("it parses");
        let state = ModuleState::of(&module).expect("it is valid");
        let made = exposed(&module, &state).expect("it is valid");
        Validator::new().validate_all(&made).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(exports(&made), expected, "{text}");
        // Nothing is new of what is exposed.
        let again = ModuleState::of(&made).expect("it is valid");
        assert!(matches!(exposed(&made, &again), Ok(Cow::Borrowed(_))), "{text}");
    }
}
