//! The keys that `.github/SECURITY.md` names are there, and have the defaults that it says.

use std::path::Path;

use super::*;
use crate::config::keys::{Key, Kind, ROOT};

/// The third cell of each row of the page that is one of keys.
fn cells() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.github/SECURITY.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows =
        page.lines().filter(|line| line.starts_with("| ") && line.matches(" | ").count() == 3);
    let cells = rows.filter_map(|row| row.split(" | ").nth(2)).map(str::to_owned);
    cells.filter(|cell| !cell.starts_with("key ") && cell != "–").collect()
}

/// The paths of all keys, and their defaults as the page has them: without quotes, "none" where there is
/// none.
fn keys(path: &str, table: &[Key], all: &mut Vec<(String, String)>) {
    for key in table {
        let path = format!("{path}.{}", key.name);
        let default = match key.default.trim_matches('"') {
            "" | "[]" | "{}" => "none",
            default => default,
        };
        all.push((path.clone(), default.to_owned()));
        inner(&path, &key.kind, all);
    }
}

fn inner(path: &str, kind: &Kind, all: &mut Vec<(String, String)>) {
    match kind {
        Kind::Table(table) | Kind::Named(table) => keys(path, table, all),
        Kind::List(kind) | Kind::TextOr(kind) | Kind::Map(kind) => inner(path, kind, all),
        _ => {}
    }
}

/// What a cell says of each key: its name, and its default where that stands behind it in brackets.
fn said(cell: &str) -> Vec<(&str, Option<&str>)> {
    let names = cell.split('`').skip(1).step_by(2);
    let behind = cell.split('`').skip(2).step_by(2);
    let default = |text: &str| Some(text.trim_start().strip_prefix('(')?.split_once(')')?.0.len());
    names
        .zip(behind)
        .map(|(name, text)| {
            let from = text.find('(').map_or(0, |at| at + 1);
            (name, default(text).and_then(|length| text.get(from..from + length)))
        })
        .collect()
}

#[test]
fn keys_of_the_threat_model_have_the_defaults_that_it_says() {
    let mut all = Vec::new();
    keys("", ROOT, &mut all);
    let cells = cells();
    assert!(cells.len() > 20, "{} rows with keys", cells.len());
    for cell in &cells {
        // A plugin's own key: its README has it.
        if cell.contains(" of `") {
            continue;
        }
        for (name, default) in said(cell) {
            let of_name: Vec<&str> = all
                .iter()
                .filter(|(path, _)| path.ends_with(&format!(".{name}")))
                .map(|(_, default)| default.as_str())
                .collect();
            assert!(!of_name.is_empty(), "`{name}` is no key: {cell}");
            match default {
                None => {}
                // As many as the machine has.
                Some("the cores") => assert!(of_name.contains(&"none"), "`{name}`: {of_name:?}"),
                Some(default) => match default.split_once(": ") {
                    Some((plugin, value)) => {
                        let component = ComponentSource::BuiltIn(plugin.into());
                        let instances = PluginLimits::of(&component).instances.to_string();
                        assert_eq!((name, value), ("limits.instances", &*instances));
                    }
                    None => {
                        assert!(of_name.contains(&default), "`{name}` ({default}): {of_name:?}")
                    }
                },
            }
        }
    }
}
