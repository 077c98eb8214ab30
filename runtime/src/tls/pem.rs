//! PEM files.
//!
//! In: paths. Out: DER, at least one certificate, exactly one key. Never: reads a format of its own:
//! [`crate::config::pem`] does, for whoever checks a configuration too.

use std::path::Path;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::Error;
use crate::config::file;
use crate::config::pem::{self, NotPem};

/// Every certificate of the file, in order.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    pem::certificates(&read(file)?).map_err(|not| not_pem(file, not))
}

/// The first private key of the file.
pub fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    pem::private_key(&read(file)?).map_err(|not| not_pem(file, not))
}

fn not_pem(file: &Path, NotPem { what, hint }: NotPem) -> Error {
    Error::of(file, what, hint)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    file::read(path, file::PEM).map_err(|error| {
        let hint = "check the path (relative ones start at the configuration file) and that this \
             user may read it";
        Error::of(path, format!("cannot be read: {error}"), hint)
    })
}
