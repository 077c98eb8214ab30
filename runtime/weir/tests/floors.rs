//! Keeps the floors: a module imports only from floors below its own.
//!
//! Reads the source as text: every `crate::NAME` of `weir-core` and `weir`. The order is the one that the
//! design and the crates' front pages give; a new module must be given a floor here. Between crates it is
//! cargo that keeps them.
#![allow(clippy::disallowed_methods, reason = "a test that reads the source")]

use std::fs;
use std::path::{Path, PathBuf};

/// Module and floor, lowest first, of the crates that are more than one thing.
const FLOORS: [(&str, &[(&str, u32)]); 2] = [
    (
        "core",
        &[
            ("client", 0),
            ("clock", 0),
            ("error", 0),
            ("public", 0),
            ("threads", 0),
            ("turn", 0),
            ("http", 1),
            ("quota", 1),
            ("shares", 1),
            ("outbound", 2),
            ("telemetry", 2),
            ("turns", 2),
            ("config", 3),
            ("router", 4),
            ("balancer", 4),
            ("health", 4),
            ("chain", 4),
            ("state", 5),
        ],
    ),
    (
        "weir",
        &[
            ("net", 0),
            ("tls", 1),
            ("upstream", 2),
            ("proxy", 3),
            ("server", 4),
            ("control", 5),
            ("cli", 6),
        ],
    ),
];

const CRATES: [&str; 4] = ["core", "wasm", "weir", "bundle"];

#[test]
fn modules_import_only_from_floors_below_their_own() {
    let mut wrong = Vec::new();
    for (name, floors) in FLOORS {
        let floor_of =
            |module: &str| floors.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor);
        let source = source_of(name);
        let mut seen = 0;
        for file in rust_files(&source) {
            let Some(module) = module_of(&source, &file) else { continue };
            let own = floor_of(&module)
                .unwrap_or_else(|| panic!("give the module `{module}` a floor in {}", file!()));
            let text = fs::read_to_string(&file).expect("source is readable");
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or("");
                for import in code.split("crate::").skip(1) {
                    let name: String =
                        import.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    let Some(theirs) = floor_of(&name) else { continue };
                    seen += 1;
                    if name != module && theirs >= own {
                        let place = format!("{}:{}", file.display(), number + 1);
                        wrong.push(format!("{place}: {module} ({own}) imports {name} ({theirs})"));
                    }
                }
            }
        }
        assert!(
            seen > 50,
            "the test found {seen} imports of {name}: does it still read the source?"
        );
    }
    assert!(wrong.is_empty(), "imports that go up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_is() {
    let without: Vec<PathBuf> = CRATES
        .iter()
        .flat_map(|name| rust_files(&source_of(name)))
        .filter(|file| !file.ends_with("tests.rs") && !file.iter().any(|part| part == "tests"))
        .filter(|file| !fs::read_to_string(file).expect("source is readable").starts_with("//!"))
        .collect();
    assert!(without.is_empty(), "files that do not open with a `//!` comment: {without:?}");
}

fn source_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The module a file belongs to; `lib.rs` and `main.rs` stand above all floors.
fn module_of(source: &Path, file: &Path) -> Option<String> {
    let inside = file.strip_prefix(source).ok()?;
    let first = inside.iter().next()?.to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}
