//! What those that Weir stands between may do to it, a module for each section of the threat model in
//! `.github/SECURITY.md`; and that each line of that page has a test that is there.

mod client;
mod endpoint;
mod guest;
mod neighbour;
mod operator;
mod plugin_author;
pub(crate) mod system;

use std::fs;
use std::path::{Path, PathBuf};

/// What stands before the names of unit tests.
const UNIT: &str = "`--lib`";

/// A row's first cell, and what its last one names: topics and tests of this crate, and unit tests.
struct Row {
    may: String,
    topics: Vec<String>,
    units: Vec<String>,
}

fn rows(page: &str) -> Vec<Row> {
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let row = |cells: &str| {
        let (may, rest) = cells.split_once(" | ")?;
        let (_, shown) = rest.rsplit_once(" | ")?;
        let (topics, units) = shown.split_once(UNIT).unwrap_or((shown, ""));
        Some(Row { may: may.to_owned(), topics: quoted(topics), units: quoted(units) })
    };
    cells.filter_map(row).filter(|row| row.may != "may").collect()
}

/// The text of a module: a file of its own, or tests that stand in their module's.
fn module(root: &Path, path: &[&str]) -> Option<String> {
    let file: PathBuf = path.iter().fold(root.to_owned(), |folder, part| folder.join(part));
    let own = [file.with_extension("rs"), file.join("mod.rs")];
    let own = own.iter().find_map(|file| fs::read_to_string(file).ok());
    own.or_else(|| match path.split_last()? {
        (&"tests", around) => module(root, around).filter(|text| text.contains("mod tests {")),
        _ => None,
    })
}

/// Whether there is a module or a test of this name.
fn is_there(root: &Path, name: &str) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let is_test = |(test, path): (&&str, &[&str])| {
        module(root, path).is_some_and(|text| text.contains(&format!("fn {test}(")))
    };
    module(root, &parts).is_some() || parts.split_last().is_some_and(is_test)
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("../.github/SECURITY.md")).expect("the threat model");
    let topics = root.join("topics");
    let plugins = fs::read_dir(root.join("../plugins")).expect("the plugins").flatten();
    let units: Vec<PathBuf> = plugins
        .map(|plugin| plugin.path())
        .chain(["core", "wasm", "weir"].map(|package| root.join("../runtime").join(package)))
        .chain([root.join("../sdk/rust")])
        .map(|package| package.join("src"))
        .collect();
    let rows = rows(&page);
    assert!(rows.len() > 30, "the page has {} rows", rows.len());
    for Row { may, topics: named, units: unit_tests } in rows {
        assert!(!named.is_empty(), "nothing shows what bounds who may \"{may}\"");
        for name in named {
            assert!(is_there(&topics, &name), "the threat model names `{name}`, which is no test");
        }
        for name in unit_tests {
            let found = units.iter().any(|source| is_there(source, &name));
            assert!(found, "the threat model names `{name}`, which is no unit test");
        }
    }
}
