//! Reading what a configuration names: its own files, secrets, certificates, components.
//!
//! In: a path, and the most bytes that make sense there. Out: what is in the file. Never: waits
//! for somebody to write into a pipe, reads a device, or takes more than the bound; who reloads
//! reads these, and must come back.
#![expect(clippy::disallowed_methods, reason = "a configuration is read on the control side")]

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Of one file of a configuration: some eighty thousand routes.
pub const CONFIGURATION: u64 = 16 << 20;
/// Of a file in `${file:…}`.
pub const SECRET: u64 = 1 << 20;
/// Of a file of certificates or keys; all authorities of a system are a quarter of a MiB.
pub const PEM: u64 = 8 << 20;
/// Of a component. CPython with its library takes 18 MB, a JavaScript engine 12 MB.
pub const COMPONENT: u64 = 64 << 20;

/// All bytes of a regular file, or of what a link leads to.
///
/// # Errors
///
/// It cannot be read, is no regular file, or has more than `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // Looked at first, since opening a device may already do something to it.
    regular(&std::fs::metadata(path)?)?;
    // It may be another one by now: opening a pipe must not wait, a terminal not become ours.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let facts = file.metadata()?;
    regular(&facts)?;
    if facts.len() > most {
        return Err(too_long(most));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(facts.len()).unwrap_or_default());
    // Its length may be no more than a claim, as under /proc, or grow meanwhile.
    take(&file, most, &mut bytes)?;
    Ok(bytes)
}

/// As [`read`], for text.
///
/// # Errors
///
/// As [`read`], and where it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text(read(path, most)?)
}

/// What was read, as text.
pub(super) fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

fn take(file: &File, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    file.take(most.saturating_add(1)).read_to_end(bytes)?;
    if bytes.len() as u64 > most { Err(too_long(most)) } else { Ok(()) }
}

fn regular(facts: &Metadata) -> io::Result<()> {
    let kind = facts.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let text = format!("it is {}, not a regular file", name(kind));
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

fn name(kind: FileType) -> &'static str {
    match () {
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

fn too_long(most: u64) -> io::Error {
    let text = format!("it has more than the {} MiB that are read here", most >> 20);
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_or_too_much_is_refused_without_waiting() {
        let folder = std::env::temp_dir().join(format!("weir-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let pipe = folder.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        let socket = folder.join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        let file = folder.join("file");
        std::fs::write(&file, "text").expect("written");
        for (path, most, says) in [
            (pipe.as_path(), 10, "it is a pipe"),
            (&socket, 10, "it is a socket"),
            (&folder, 10, "it is a folder"),
            (Path::new("/dev/zero"), 10, "it is a device"),
            (&file, 3, "more than"),
            // A length of 0, and no end in sight.
            (Path::new("/proc/self/environ"), 0, "more than"),
            (&folder.join("none"), 10, "No such file"),
        ] {
            let error = read(path, most).expect_err(says).to_string();
            assert!(error.contains(says), "{}: {error}", path.display());
        }
        assert_eq!(read(&file, 4).expect("read"), b"text");
        assert_eq!(read_text(&file, 4).expect("read"), "text");
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
