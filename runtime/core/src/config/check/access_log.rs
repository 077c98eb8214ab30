//! `server.access_log`: how it is written, and whether its file can be.
//!
//! In: the key's value. Out: the settings; what keeps the file from being opened goes to the report.
//! Never: makes a file, or opens a pipe: its reader would take that for the end.
#![expect(clippy::disallowed_methods, reason = "a configuration is checked on the control side")]

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::Check;
use crate::config::field::Field;
use crate::config::model::{AccessLog, AccessLogFormat};
use crate::config::problem::Fault;
use crate::telemetry::access_log;

/// Links to links; the system follows no more (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

impl Check<'_> {
    pub(super) fn access_log(&self, field: &Field<'_>) -> Option<AccessLog> {
        let format = |text: &str| match text {
            "json" => Ok(AccessLogFormat::Json),
            "combined" => Ok(AccessLogFormat::Combined),
            _ => Err(Fault::hint(
                format!("{text:?} is not a format of the access log"),
                "write \"json\" or \"combined\", or a table with file = \"…\"",
            )),
        };
        match field.shorthand() {
            Ok(_) => Some(AccessLog { format: field.parsed(format)?, file: None }),
            Err(field) => {
                let table = field?.table()?;
                let file = table.field("file");
                Some(AccessLog {
                    format: match table.one_of("format") {
                        Some("combined") => AccessLogFormat::Combined,
                        _ => AccessLogFormat::Json,
                    },
                    file: file.and_then(|file| self.log_file(&file)),
                })
            }
        }
    }

    /// A file to append to, which need not be there yet; its folder does.
    fn log_file(&self, field: &Field<'_>) -> Option<PathBuf> {
        let path = self.path(field, field.text()?);
        let shown = field.shown_path(&path);
        if let Err(fault) = self.binds.borrow_mut().write_to(&path, &field.path) {
            field.plain_problem(fault);
            return Some(path);
        }
        let cannot = |why: &str, hint: &str| {
            field.plain_problem(Fault::hint(format!("{shown} {why}"), hint));
        };
        let not_opened = |error: std::io::Error, hint: &str| {
            cannot(&format!("cannot be opened for appending: {error}"), hint);
        };
        match std::fs::metadata(&path).map(|facts| facts.file_type()) {
            Ok(kind) if kind.is_dir() => cannot("is a folder", "name a file in it"),
            Ok(kind) if kind.is_socket() => {
                cannot("is a socket", "name a file, or leave file out for standard output");
            }
            Ok(kind) if kind.is_fifo() => {
                if !path.starts_with("/dev") {
                    field.warning(Fault::hint(
                        format!(
                            "{shown} is a pipe, which can be opened only while somebody reads it"
                        ),
                        "have its reader start before, or name a file",
                    ));
                }
            }
            Ok(_) if self.report.is_source(&path) => {
                cannot("is a file of this configuration", "name a file of its own");
            }
            Ok(kind) => {
                if let Err(error) = access_log::can_append(&path) {
                    not_opened(
                        error,
                        match kind.is_file() {
                            true => "let Weir's user write to it",
                            false => "name a file, or leave file out for standard output",
                        },
                    );
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Some(folder) = folder_of(&path) else { return Some(path) };
                if !folder.is_dir() {
                    let hint = "make the folder, or name another";
                    cannot("cannot be written: its folder is not there", hint);
                } else if access(&folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
                    let hint = "let Weir's user write to that folder, or name another";
                    cannot("cannot be made: its folder may not be written to", hint);
                }
            }
            Err(error) => not_opened(error, "name a file that can be there"),
        }
        Some(path)
    }
}

/// The folder in which a file would be made: of a link that leads nowhere where it leads to.
fn folder_of(path: &Path) -> Option<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let Ok(target) = std::fs::read_link(&path) else {
            // One that is named without a folder stands in this one.
            return Some(if folder.as_os_str().is_empty() { ".".into() } else { folder });
        };
        path = folder.join(target);
    }
    None
}
