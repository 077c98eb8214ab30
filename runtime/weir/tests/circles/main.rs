//! Keeps files free of circles: no file imports, by whatever way, from one that imports from it.
//!
//! In: the source of the crates as tokens. Out: each group of files that need each other, with the imports
//! that make the circle. Never: follows what `mod` declares, for a folder has to name its files, or what a
//! file takes from its own folder's: what is there is for its parts, as in one file. Tests are left out, for
//! they look at what they test.
//!
//! A name that a file only passes on (`pub use`, or for what is in its folder any `use`) is the file's where
//! it is defined: who imports it imports from there. Whole-system tests and benches are not looked at.
#![allow(clippy::disallowed_methods, reason = "a test that reads the source")]

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;

use source::{File, Module, Named, walk};

const CRATES: [&str; 11] = [
    "runtime/core",
    "runtime/wasm",
    "runtime/weir",
    "runtime/bundle",
    "sdk/rust",
    "sdk/rust/hello",
    "sdk/rust/macros",
    "sdk/conformance",
    "sdk/conformance/rust",
    "sdk/bounds",
    "sdk/units",
];

type Files = BTreeMap<Module, File>;

#[test]
fn no_two_files_need_each_other() {
    let mut circles = Vec::new();
    for name in crates() {
        let files = read(&root().join(&name).join("src"));
        let edges = edges(&files);
        circles.extend(
            groups(&edges).into_iter().map(|group| format!("{name}: {}", told(&group, &edges))),
        );
    }
    assert!(circles.is_empty(), "files that need each other:\n{}", circles.join("\n"));
}

/// The test itself: what it must find, and what it must not.
#[test]
fn circles_are_found() {
    let files = |sources: &[(&str, &str)]| {
        let parsed = sources.iter().map(|(module, source)| {
            let module = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned);
            (module.collect::<Module>(), source.parse::<TokenStream>().expect("tokens"))
        });
        collect(parsed.collect())
    };
    let count = |sources: &[(&str, &str)]| groups(&edges(&files(sources))).len();
    let two = [("", "mod a; mod b;"), ("a", "use super::b::B; pub struct A;"), ("b", "")];
    assert_eq!(count(&two), 0);
    assert_eq!(count(&[two[0], two[1], ("b", "use crate::a::A; pub struct B;")]), 1);
    // On the spot, in a body, as a type, from a group, by a name that a folder passes on or has.
    for imports in [
        "fn b() { let _ = super::a::A; }",
        "fn b(a: super::a::A) {}",
        "use super::{x::Y, a::{self, A}};",
        "use super::A;",
    ] {
        assert_eq!(
            count(&[("", "mod a; mod b; pub use a::A; use c::A;"), two[1], ("b", imports)]),
            1
        );
        assert_eq!(
            count(&[("", "mod a; mod b; use a::A;"), two[1], ("b", imports)]),
            1,
            "{imports}"
        );
    }
    // Of several files that are passed on as a whole it is the one that has the name.
    let whole = ("", "mod c; mod a; mod b; pub use c::*; pub use a::*; pub use b::*;");
    let by_name = [
        whole,
        ("c", ""),
        ("a", "use super::B; pub struct A;"),
        ("b", "use super::A; pub struct B;"),
    ];
    assert_eq!(count(&by_name), 1);
    // What a folder's own file has is for the files in it, and it may ask them.
    let asks = ("", "mod a; use a::A; pub fn f() {}");
    assert_eq!(count(&[asks, ("a", "use super::f; pub struct A;")]), 0);
    // A file's part, asked on the spot.
    let part = [
        ("", "mod a; mod b;"),
        ("a", "mod x; fn f() { x::f() }"),
        ("a::x", "use crate::b::g; pub fn f() {}"),
    ];
    assert_eq!(count(&[part[0], part[1], part[2], ("b", "use crate::a::f; pub fn g() {}")]), 1);
    // A test looks at what it tests.
    let test = ("b", "#[cfg(test)] mod tests { use super::super::a::A; }");
    assert_eq!(count(&[two[0], two[1], test]), 0);
    let field = ("b", "struct B { #[cfg(test)] a: u8, b: super::a::A }");
    assert_eq!(count(&[two[0], two[1], field]), 1);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The crates, and every plugin.
fn crates() -> Vec<String> {
    let plugins = fs::read_dir(root().join("plugins")).expect("the plugins");
    let plugins = plugins.map(|entry| entry.expect("an entry").file_name());
    let plugins = plugins.map(|name| format!("plugins/{}", name.to_string_lossy()));
    CRATES.iter().map(|name| (*name).to_owned()).chain(plugins).collect()
}

fn read(source: &Path) -> Files {
    let mut parsed = Vec::new();
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is readable") {
            let path = entry.expect("the entry is readable").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let inside = path.strip_prefix(source).expect("it is inside").with_extension("");
            let mut module: Module =
                inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if module.last().is_some_and(|last| matches!(&**last, "mod" | "lib" | "main")) {
                module.pop();
            }
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            if is_source && !module.iter().any(|part| part == "tests") {
                let text = fs::read_to_string(&path).expect("source is readable");
                parsed.push((module, text.parse::<TokenStream>().expect("source is Rust")));
            }
        }
    }
    assert!(!parsed.is_empty(), "no source in {}", source.display());
    collect(parsed)
}

fn collect(parsed: Vec<(Module, TokenStream)>) -> Files {
    let mut files = Files::new();
    for (module, tokens) in parsed {
        let mut file = File::default();
        walk(&module, true, tokens, &mut file);
        let known = files.entry(module).or_default();
        known.uses.extend(file.uses);
        known.items.extend(file.items);
        known.imports.extend(file.imports);
    }
    files
}

/// From which file to which, and by what name.
fn edges(files: &Files) -> BTreeMap<Module, BTreeMap<Module, Named>> {
    let mut edges = BTreeMap::<Module, BTreeMap<Module, Named>>::new();
    for (module, file) in files {
        let to = edges.entry(module.clone()).or_default();
        for named in &file.uses {
            // Itself, or its own folder's file.
            let is_above = |target: &Module| module.starts_with(target);
            if let Some(target) =
                file_of(files, module, named, 0).filter(|target| !is_above(target))
            {
                to.entry(target).or_insert_with(|| named.clone());
            }
        }
    }
    edges
}

/// The file that a path leads to, for who stands in `from`: where the name is defined.
fn file_of(files: &Files, from: &Module, named: &Named, depth: usize) -> Option<Module> {
    let lengths = (0..=named.len()).rev();
    let known = lengths.map(|length| named[..length].to_vec()).find(|it| files.contains_key(it))?;
    let (file, rest) = (&files[&known], &named[known.len()..]);
    let Some(name) = rest.first().filter(|name| *name != "*" && !file.items.contains(*name)) else {
        return Some(known);
    };
    // What is imported for the file itself is there for what is beneath it.
    let seen = file.imports.iter().filter(|(.., public)| *public || from.starts_with(&known));
    let (all, single): (Vec<_>, Vec<_>) = seen.partition(|(passed, ..)| passed == "*");
    let lead = |meant: &[String]| {
        let whole: Named = meant.iter().chain(&rest[1..]).cloned().collect();
        (depth < 8 && whole != *named).then(|| file_of(files, from, &whole, depth + 1)).flatten()
    };
    if let Some((_, meant, _)) = single.iter().find(|(passed, ..)| passed == name) {
        return lead(meant).or(Some(known));
    }
    let behind = all.iter().find_map(|(_, meant, _)| {
        let mut there = meant[..meant.len() - 1].to_vec();
        there.push(name.clone());
        let found = lead(&there)?;
        files[&found].items.contains(name).then_some(found)
    });
    behind.or(Some(known))
}

/// Groups of files each of which leads to each other.
fn groups(edges: &BTreeMap<Module, BTreeMap<Module, Named>>) -> Vec<Vec<Module>> {
    let reach = |from: &Module| {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(module) = open.pop() {
            for next in edges.get(module).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> =
        edges.keys().map(|module| (module, reach(module))).collect();
    let mut groups = BTreeSet::new();
    for (module, there) in &reached {
        let group: Vec<Module> = there
            .iter()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(*module)))
            .cloned()
            .collect();
        if group.len() > 1 {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

/// A group for people: its imports among themselves.
fn told(group: &[Module], edges: &BTreeMap<Module, BTreeMap<Module, Named>>) -> String {
    let name = |module: &Module| match module.is_empty() {
        true => "lib".to_owned(),
        false => module.join("/"),
    };
    let mut text = String::new();
    for module in group {
        for (to, named) in
            edges.get(module).into_iter().flatten().filter(|(to, _)| group.contains(to))
        {
            text += &format!("\n  {} → {} by {}", name(module), name(to), named.join("::"));
        }
    }
    text
}
