//! Compiles the plugins in `plugins/` to components and lists them for the binary.
//!
//! In: the workspace's `plugins/*`, `sdk/rust` and `wit`. Out: `$OUT_DIR/built_ins.rs`, a table of
//! names and bytes, sorted by name.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "cargo waits for it, and reads what it prints"
)]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

#[path = "guests.rs"]
mod guests;

fn main() -> ExitCode {
    guests::report(build())
}

fn build() -> guests::Result<()> {
    let root = guests::workspace()?;
    guests::watch(&root, &["plugins"]);
    let mut table = String::from("&[\n");
    for (name, file) in guests::embed(&root, &guests::packages_in(&root.join("plugins")))? {
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", file.display().to_string())?;
    }
    table.push_str("]\n");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    Ok(fs::write(out.join("built_ins.rs"), table)?)
}
