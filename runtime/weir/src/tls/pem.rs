//! PEM files.
//!
//! In: paths. Out: DER, at least one certificate, each of X.509; exactly one key. Never: reads a format
//! of its own: [`weir_core::config::pem`] does, for whoever checks a configuration too.

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use weir_core::config::pem::{self, NotPem};
use weir_core::config::{Contents, file};

use super::Error;

/// Every certificate of the file, in order.
pub fn certificates(file: &Path, files: &Contents) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain = pem::certificates(&read(file, files)?).map_err(|not| not_pem(file, not))?;
    // The parser's own error may hold bytes of the file.
    match chain.iter().all(|der| x509_parser::parse_x509_certificate(der).is_ok()) {
        true => Ok(chain),
        false => {
            let hint = "make the file again from what the authority sent";
            Err(Error::of(file, "holds a broken certificate", hint))
        }
    }
}

/// The first private key of the file.
pub fn private_key(file: &Path, files: &Contents) -> Result<PrivateKeyDer<'static>, Error> {
    pem::private_key(&read(file, files)?).map_err(|not| not_pem(file, not))
}

fn not_pem(file: &Path, NotPem { what, hint }: NotPem) -> Error {
    Error::of(file, what, hint)
}

fn read(path: &Path, files: &Contents) -> Result<Arc<[u8]>, Error> {
    files.read(path, file::PEM).map_err(|error| {
        let hint = "check the path (relative ones start at the configuration file) and that this \
             user may read it";
        Error::of(path, format!("cannot be read: {error}"), hint)
    })
}
