//! TLS of listeners, and what is said of certificates.
//!
//! In: a configuration whose files are PEM. Out: what terminates, problems at their keys, and remarks on
//! dates. Never: reads a file that has been read.

use std::path::Path;
use std::time::SystemTime;

use weir_core::config::{CertificateFile, CertificateFiles, Config, Problem};

use crate::tls::{self, Pairs, PemFiles, ServerTls};

/// What every listener terminates TLS with, if it does.
pub(super) fn terminate(
    config: &Config,
    pairs: &Pairs,
    problems: &mut Vec<Problem>,
) -> Vec<Option<ServerTls>> {
    let mut made = Vec::new();
    for listener in &config.listeners {
        let built = listener.tls.as_ref().map(|tls| tls::server_config(tls, pairs));
        made.push(match built.transpose() {
            Ok(tls) => tls,
            Err(errors) => {
                let table = ["listeners", &*listener.name, "tls"];
                problems.extend(errors.iter().map(|error| problem(config, &table, error)));
                None
            }
        });
    }
    made
}

/// A problem at the value of a `tls` table that an error is about.
pub(super) fn problem(config: &Config, table: &[&str], error: &tls::Error) -> Problem {
    let keys: Vec<&str> = table.iter().copied().chain(error.at.iter().map(|key| &**key)).collect();
    match &error.file {
        Some(file) => config
            .places
            .problem_of_file(&keys, file, &error.hint, |file| format!("{file} {}", error.what)),
        None => config.places.problem_at(&keys, &error.what, &error.hint),
    }
}

/// What is wrong with files of certificates and keys, and what is to be said of their dates: of all that
/// are named, also where what names them has other problems, or makes no use of them.
pub(super) fn look(
    config: &Config,
    files: &PemFiles,
    pairs: &Pairs,
    now: SystemTime,
) -> (Vec<Problem>, Vec<Problem>) {
    let (mut problems, mut remarks) = (Vec::new(), Vec::new());
    let told = |at: &[String], file: &Path, between: &str, what: &str, hint: &str| {
        let keys: Vec<&str> = at.iter().map(String::as_str).collect();
        config.places.problem_of_file(&keys, file, hint, |file| format!("{file}{between} {what}"))
    };
    for CertificateFile { at, file, key } in &config.certificates {
        let chain = match files.chain(file) {
            Ok(chain) => chain,
            Err(error) => {
                problems.push(told(at, file, "", &error.what, &error.hint));
                continue;
            }
        };
        if let Some(remark) = tls::remark(&chain.validity, now) {
            let hint = "a file that is replaced is read again by a reload";
            remarks.push(told(at, file, ":", &remark, hint));
        }
        let Some((key_at, key)) = key else { continue };
        let pair = CertificateFiles { cert: file.clone(), key: key.clone() };
        for (which, error) in pairs.load(&pair).err().unwrap_or_default() {
            let (at, file) = if which == "key" { (key_at, key) } else { (at, file) };
            problems.push(told(at, file, "", &error.what, &error.hint));
        }
    }
    (problems, remarks)
}
