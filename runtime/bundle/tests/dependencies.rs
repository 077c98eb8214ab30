//! Keeps `.cargo/deny.toml`: licences, bans and sources of every dependency; and that none of them is built
//! twice.
//!
//! The same file is read by `cargo deny`, which knows advisories as well; this test needs nothing
//! installed and no network.
#![allow(clippy::disallowed_methods, reason = "a test that reads the source")]

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

/// What `cargo` says about every package that is built for this machine.
fn packages() -> Vec<Value> {
    let version = Command::new(env!("CARGO")).arg("-vV").output().expect("cargo runs");
    let version = String::from_utf8(version.stdout).expect("text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let built: HashSet<&str> =
        list(&metadata["resolve"]["nodes"]).iter().filter_map(|node| node["id"].as_str()).collect();
    let used = |package: &&Value| package["id"].as_str().is_some_and(|id| built.contains(id));
    list(&metadata["packages"]).iter().filter(used).cloned().collect()
}

fn rules() -> toml::Table {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cargo/deny.toml");
    std::fs::read_to_string(file).expect("the rules").parse().expect("TOML")
}

#[test]
fn licences_sources_and_bans_are_kept() {
    let rules = rules();
    let texts = |value: &toml::Value| -> HashSet<String> {
        let items = value.as_array().expect("a list").iter();
        items.map(|item| item.as_str().expect("a text").to_owned()).collect()
    };
    let licences = texts(&rules["licenses"]["allow"]);
    let registries = texts(&rules["sources"]["allow-registry"]);
    let bans = rules["bans"]["deny"].as_array().expect("a list");
    let packages = packages();
    assert!(packages.len() > 100, "cargo told of {} packages only", packages.len());
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or_default();
        if !allows(licence, &licences) {
            wrong.push(format!("{name}: the licence {licence:?} is not allowed"));
        }
        if let Some(source) = package["source"].as_str()
            && !source.strip_prefix("registry+").is_some_and(|it| registries.contains(it))
        {
            wrong.push(format!("{name}: it comes from {source}"));
        }
        let ban = bans.iter().find(|ban| ban["crate"].as_str() == Some(name));
        if let Some(ban) = ban {
            wrong.push(format!("{name} is banned: {}", ban["reason"]));
        }
        for dependency in list(&package["dependencies"]) {
            // Only a path may go without a version.
            if dependency["req"] == "*"
                && dependency["path"].is_null()
                && package["source"].is_null()
            {
                wrong.push(format!("{name}: {} has no version", dependency["name"]));
            }
        }
    }
    assert!(wrong.is_empty(), ".cargo/deny.toml says otherwise:\n{}", wrong.join("\n"));
}

/// Each package with its features, as cargo builds it.
fn built(arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p} [{f}]"])
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

/// `cargo run`, `cargo build` and `cargo test` share all that they build: what is built for the binary alone,
/// or without tests, has the features that it has with all of the workspace's. What is missing belongs into `Cargo.toml` of this package.
#[test]
fn the_binary_alone_is_made_of_what_the_workspace_is() {
    let alone = built(&["--edges", "normal,build", "--package", "weir-bundle"]);
    let all = built(&["--edges", "normal,build,dev", "--workspace"]);
    assert!(alone.len() > 100, "cargo told of {} packages only", alone.len());
    let workspace = built(&["--edges", "normal,build", "--workspace"]);
    let others: Vec<&String> = alone.union(&workspace).filter(|it| !all.contains(*it)).collect();
    assert!(others.is_empty(), "built once more for `cargo run`: {others:#?}");
}

#[test]
fn an_expression_of_licences_is_read_as_spdx_has_it() {
    let allowed: HashSet<String> =
        ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for fine in [
        "MIT",
        "GPL-3.0 OR MIT",
        "GPL-3.0/MIT",
        "ISC AND MIT",
        "(GPL-3.0 OR ISC) AND MIT",
        "GPL-3.0 OR ISC AND MIT",
        "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
    ] {
        assert!(allows(fine, &allowed), "{fine}");
    }
    for not in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "Apache-2.0", "MIT OR"]
    {
        assert!(!allows(not, &allowed), "{not}");
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Whether an SPDX expression can be met with these licences; `/` is how `OR` was once written.
fn allows(expression: &str, allowed: &HashSet<String>) -> bool {
    let read = Expression::parse_mode(expression, ParseMode::LAX);
    read.is_ok_and(|read| read.evaluate(|asked| allowed.contains(&asked.to_string())))
}
