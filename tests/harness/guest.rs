//! The components of `tests/guests` and of the conformance guest, which the build script made.

use std::path::{Path, PathBuf};

/// Where the component of a guest is, by the name of its package.
///
/// # Panics
/// Where there is no such guest.
pub fn guest(package: &str) -> PathBuf {
    let path = Path::new(env!("OUT_DIR")).join(format!("{package}.wasm"));
    assert!(path.is_file(), "no guest {package}: is it in tests/guests?");
    path
}
