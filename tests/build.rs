//! Compiles the guests of the whole-system tests; each is at `OUT_DIR/NAME.wasm`.

use std::process::ExitCode;

#[path = "../runtime/bundle/guests.rs"]
mod guests;

fn main() -> ExitCode {
    guests::report(build())
}

fn build() -> guests::Result<()> {
    let root = guests::workspace()?;
    guests::watch(&root, &["tests/guests", "sdk/conformance"]);
    let mut packages = guests::packages_in(&root.join("tests/guests"));
    packages.extend(["conformance-guest", "hello"].map(str::to_owned));
    guests::embed(&root, &packages).map(drop)
}
