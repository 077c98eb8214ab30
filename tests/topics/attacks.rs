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

/// Names of topics and tests, as the page's last columns have them.
fn named(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The file of a module, and its text.
fn module(topics: &Path, path: &[&str]) -> Option<String> {
    let file: PathBuf = path.iter().fold(topics.to_owned(), |folder, part| folder.join(part));
    fs::read_to_string(file.with_extension("rs")).ok()
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("../.github/SECURITY.md")).expect("the threat model");
    let topics = root.join("topics");
    let named = named(&page);
    assert!(named.len() > 20, "the page names {} tests", named.len());
    for name in named {
        let parts: Vec<&str> = name.split("::").collect();
        let is_module = module(&topics, &parts).is_some();
        let is_test = parts.split_last().is_some_and(|(test, path)| {
            module(&topics, path).is_some_and(|text| text.contains(&format!("fn {test}(")))
        });
        assert!(is_module || is_test, "the threat model names `{name}`, which is no test");
    }
}
