//! Builds guests, for build scripts: the embedded plugins, and those of tests and benches.
//!
//! In: packages of this workspace. Out: their components, copied into `OUT_DIR`. Never: touches what
//! the outer build does: guests have a target directory, a profile and flags of their own. Needs no
//! more than a stable toolchain: where the target `wasm32-wasip2` is missing it asks rustup for it.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TARGET: &str = "wasm32-wasip2";
/// Of the workspace's `Cargo.toml`.
const PROFILE: &str = "guest";

/// Settings of the outer build that must not reach the guests' one. What only says where to find
/// cargo's home, registries and the job server goes through.
const FOREIGN: [&str; 14] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_LINKER",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "TARGET",
    "HOST",
    "OUT_DIR",
    "PROFILE",
    "OPT_LEVEL",
    "DEBUG",
];
const FOREIGN_PREFIXES: [&str; 7] = [
    "CARGO_BUILD_",
    "CARGO_CFG_",
    "CARGO_FEATURE_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
];

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The end of a build script, with a message for the user of cargo where it failed.
pub fn report(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the guests cannot be built: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace that the package lies in.
pub fn workspace() -> Result<PathBuf> {
    let package = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = package.ancestors().find(|above| above.join("Cargo.lock").is_file());
    Ok(root.ok_or("the package is not inside a workspace")?.to_path_buf())
}

/// Tells cargo what guests are made of: these folders, the SDK and the contract.
pub fn watch(root: &Path, folders: &[&str]) {
    let shared =
        ["sdk/rust", "sdk/units", "wit", "Cargo.toml", "Cargo.lock", "runtime/bundle/guests.rs"];
    for watched in folders.iter().chain(&shared) {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
}

/// The packages in a folder, which are named like their own folders, in order.
pub fn packages_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Builds packages. Gives each name with its component, a copy at `OUT_DIR/NAME.wasm`: the next
/// build of guests may be another checkout's.
pub fn embed(root: &Path, packages: &[String]) -> Result<Vec<(String, PathBuf)>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let guests = target_dir(&out, root).join("guests");
    fs::create_dir_all(&guests)?;
    if !packages.is_empty() {
        obtain_target(&guests)?;
        compile(root, &guests, packages)?;
    }
    let mut embedded = Vec::new();
    for package in packages {
        let file = format!("{}.wasm", package.replace('-', "_"));
        let built = guests.join(TARGET).join(PROFILE).join(file);
        let kept = out.join(format!("{package}.wasm"));
        fs::copy(&built, &kept)
            .map_err(|error| format!("{}: {error}; is `{package}` a `cdylib`?", built.display()))?;
        embedded.push((package.clone(), kept));
    }
    Ok(embedded)
}

/// Cargo's target directory: the one above `OUT_DIR` that cargo has marked.
fn target_dir(out: &Path, root: &Path) -> PathBuf {
    let marked = out.ancestors().find(|above| above.join("CACHEDIR.TAG").is_file());
    marked.map_or_else(|| root.join("target"), Path::to_owned)
}

/// Gets the guests' target from rustup where it is missing. One build at a time.
fn obtain_target(guests: &Path) -> Result<()> {
    let lock = File::create(guests.join(".rustup.lock"))?;
    lock.lock()?;
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let printed = Command::new(rustc).args(["--print", "sysroot"]).output()?;
    let sysroot = PathBuf::from(String::from_utf8(printed.stdout)?.trim());
    if sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        return Ok(());
    }
    let missing = format!(
        "the Rust target {TARGET} is missing from {}; install it with `rustup target add {TARGET}` \
         (or, without rustup, the package of your system that holds it)",
        sysroot.display()
    );
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    match added {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("`rustup target add {TARGET}` failed: {missing}").into()),
        Err(error) => Err(format!("rustup cannot be run ({error}): {missing}").into()),
    }
}

fn compile(root: &Path, guests: &Path, packages: &[String]) -> Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if FOREIGN.contains(&&*text) || FOREIGN_PREFIXES.iter().any(|it| text.starts_with(it)) {
            cargo.env_remove(&name);
        }
    }
    cargo.current_dir(root).args(["build", "--locked", "--lib", "--target", TARGET]);
    cargo.args(["--profile", PROFILE, "--target-dir"]).arg(guests);
    for package in packages {
        cargo.args(["--package", package]);
    }
    let status = cargo.status()?;
    if status.success() { Ok(()) } else { Err("cargo failed, see above".into()) }
}
