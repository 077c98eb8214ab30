//! What the tool says, to whoever may still be listening.
//!
//! In: text. Out: standard output and standard error. Never: panics because nobody reads: a reader
//! that has seen enough (`weir check | head -1`) changes neither what is done nor how it ends.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Prints to standard output as a whole. The exit code is that of a command which did its work,
/// unless what it made cannot be written, to a full disk for example.
pub fn say(text: &str) -> ExitCode {
    said(io::stdout().lock().write_all(text.as_bytes()))
}

/// As [`say`], of what was written to standard output already.
pub fn said(written: io::Result<()>) -> ExitCode {
    match written.and_then(|()| io::stdout().lock().flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(format_args!("error: standard output: {error}"));
            ExitCode::from(1)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Prints a line to standard error.
pub fn complain(text: impl fmt::Display) {
    // There is nowhere left to say that this failed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
