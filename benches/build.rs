//! Compiles the guests that the benches call; each is at `OUT_DIR/NAME.wasm`.

use std::process::ExitCode;

#[path = "../runtime/bundle/guests.rs"]
mod guests;

fn main() -> ExitCode {
    guests::report(build())
}

fn build() -> guests::Result<()> {
    let root = guests::workspace()?;
    guests::watch(&root, &["benches/guests"]);
    guests::embed(&root, &guests::packages_in(&root.join("benches/guests"))).map(drop)
}
