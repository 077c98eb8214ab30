//! TLS of listeners, and what is said of certificates.
//!
//! In: a configuration whose files are PEM. Out: what terminates, problems at their keys, and remarks on
//! dates. Never: reads a file that has been read.

use std::path::Path;
use std::time::SystemTime;

use weir_core::config::{Config, Problem};

use crate::tls::{self, ServerTls};

/// What every listener terminates TLS with, if it does.
pub(super) fn terminate(config: &Config, problems: &mut Vec<Problem>) -> Vec<Option<ServerTls>> {
    let mut made = Vec::new();
    for listener in &config.listeners {
        let built = listener.tls.as_ref().map(|tls| tls::server_config(tls, &config.contents));
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
        Some(file) => config.places.problem_of_file(&keys, file, &error.what, &error.hint),
        None => config.places.problem_at(&keys, &error.what, &error.hint),
    }
}

/// Certificates that expire, or are not valid.
pub(super) fn remarks(config: &Config, now: SystemTime) -> Vec<Problem> {
    let mut remarks = Vec::new();
    let mut look = |keys: &[&str], file: &Path| {
        if let Some(remark) = tls::remark(file, &config.contents, now) {
            let what = format!("has a certificate that needs a look: {remark}");
            let hint = "a file that is replaced is read again by a reload";
            remarks.push(config.places.problem_of_file(keys, file, &what, hint));
        }
    };
    for listener in &config.listeners {
        let certificates = listener.tls.iter().flat_map(|tls| &tls.certificates);
        for (index, pair) in certificates.enumerate() {
            let index = index.to_string();
            look(&["listeners", &listener.name, "tls", "certificates", &index, "cert"], &pair.cert);
        }
    }
    for upstream in &config.upstreams {
        if let Some(ca) = &upstream.tls.ca {
            look(&["upstreams", &upstream.name, "tls", "ca"], ca);
        }
    }
    remarks
}
