//! Compiles the plugins in `plugins/` to components and lists them for the binary.
//!
//! In: the workspace's `plugins/*`, `sdk/rust` and `wit`. Out: `$OUT_DIR/built_ins.rs`, a table of
//! names and bytes, sorted by name. Never: touches what the outer build does: guests have a target
//! directory, a profile and flags of their own.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TARGET: &str = "wasm32-wasip2";
/// Of the workspace's `Cargo.toml`.
const PROFILE: &str = "guest";

/// Settings of the outer build that must not reach the guests' one. What only says where to find
/// cargo's home, registries and the job server goes through.
const FOREIGN: [&str; 12] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_LINKER",
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

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the plugins cannot be built: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<()> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = manifest
        .parent()
        .ok_or("the package is not inside a workspace")?;
    for watched in [
        "plugins",
        "sdk/rust",
        "wit",
        "Cargo.toml",
        "Cargo.lock",
        "runtime/build.rs",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    let plugins = plugins(&root.join("plugins"))?;
    let guests = target_dir(&out, root).join("guests");
    fs::create_dir_all(&guests)?;
    if !plugins.is_empty() {
        obtain_target(&guests)?;
        compile(root, &guests, plugins.keys())?;
    }
    let mut table = String::from("&[\n");
    for (package, name) in &plugins {
        let built = guests
            .join(TARGET)
            .join(PROFILE)
            .join(format!("{}.wasm", package.replace('-', "_")));
        let kept = out.join(format!("{name}.wasm"));
        // A copy, for the next build of another checkout may share the directory.
        fs::copy(&built, &kept)
            .map_err(|error| format!("{}: {error}; is `{package}` a `cdylib`?", built.display()))?;
        writeln!(
            table,
            "    ({name:?}, include_bytes!({:?})),",
            kept.display().to_string()
        )?;
    }
    table.push_str("]\n");
    Ok(fs::write(out.join("built_ins.rs"), table)?)
}

/// Package names, and the names they have in a configuration: those of their folders.
fn plugins(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut plugins = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Ok(manifest) = fs::read_to_string(path.join("Cargo.toml")) else {
            continue;
        };
        let package = manifest.lines().find_map(|line| {
            let value = line.strip_prefix("name")?.trim_start().strip_prefix('=')?;
            Some(value.trim().trim_matches('"').to_owned())
        });
        let name = path.file_name().and_then(|name| name.to_str());
        if let (Some(package), Some(name)) = (package, name) {
            plugins.insert(package, name.to_owned());
        }
    }
    Ok(plugins)
}

/// Cargo's target directory: the one above `OUT_DIR` that cargo has marked.
fn target_dir(out: &Path, root: &Path) -> PathBuf {
    let marked = out
        .ancestors()
        .find(|above| above.join("CACHEDIR.TAG").is_file());
    marked.map_or_else(|| root.join("target"), Path::to_owned)
}

/// Gets the guests' target from rustup where it is missing. One build at a time.
fn obtain_target(guests: &Path) -> Result<()> {
    let lock = File::create(guests.join(".rustup.lock"))?;
    lock.lock()?;
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let printed = Command::new(rustc).args(["--print", "sysroot"]).output()?;
    let sysroot = PathBuf::from(String::from_utf8(printed.stdout)?.trim());
    if sysroot
        .join("lib/rustlib")
        .join(TARGET)
        .join("lib")
        .is_dir()
    {
        return Ok(());
    }
    let missing = format!(
        "the Rust target {TARGET} is missing from {}; install it with `rustup target add {TARGET}` \
         (or, without rustup, the package of your system that holds it)",
        sysroot.display()
    );
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .status();
    match added {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("`rustup target add {TARGET}` failed: {missing}").into()),
        Err(error) => Err(format!("rustup cannot be run ({error}): {missing}").into()),
    }
}

fn compile<'a>(
    root: &Path,
    guests: &Path,
    packages: impl Iterator<Item = &'a String>,
) -> Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if FOREIGN.contains(&&*text) || FOREIGN_PREFIXES.iter().any(|it| text.starts_with(it)) {
            cargo.env_remove(&name);
        }
    }
    cargo
        .current_dir(root)
        .args(["build", "--locked", "--lib", "--target", TARGET]);
    cargo
        .args(["--profile", PROFILE, "--target-dir"])
        .arg(guests);
    for package in packages {
        cargo.args(["--package", package]);
    }
    let status = cargo.status()?;
    if status.success() {
        Ok(())
    } else {
        Err("cargo failed, see above".into())
    }
}
