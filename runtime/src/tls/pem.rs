//! Certificates and keys from PEM files (RFC 7468).
//!
//! In: paths. Out: DER, at least one certificate, exactly one key. Never: puts a byte of a key into
//! a message.

use std::path::Path;

use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::Error;
use crate::config::file;

const CERTIFICATE_HINT: &str = "it must hold PEM blocks that begin with \
     `-----BEGIN CERTIFICATE-----`, the server's own first, then its issuers";
const KEY_HINT: &str = "it must hold one PEM block that begins with `-----BEGIN PRIVATE KEY-----` \
     (or RSA or EC PRIVATE KEY), without a passphrase";

/// Every certificate of the file, in order.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = read(file)?;
    if bytes.first() == Some(&0x30) {
        let hint = "convert it with `openssl x509 -inform der -in FILE -out FILE.pem`";
        return Err(Error::of(file, "this looks like DER, not PEM", hint));
    }
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| Error::of(file, describe(&error), CERTIFICATE_HINT))?;
    if certificates.is_empty() {
        return Err(Error::of(file, "no certificate in this file", CERTIFICATE_HINT));
    }
    Ok(certificates)
}

/// The first private key of the file.
pub fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let bytes = read(file)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----".as_bytes();
        if bytes.windows(encrypted.len()).any(|window| window == encrypted) {
            let hint = "decrypt it with `openssl pkey -in FILE -out FILE.plain` and protect it by \
                 file permissions";
            return Error::of(file, "the private key has a passphrase", hint);
        }
        match error {
            PemError::NoItemsFound => Error::of(file, "no private key in this file", KEY_HINT),
            error => Error::of(file, describe(&error), KEY_HINT),
        }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    file::read(path, file::PEM).map_err(|error| {
        let hint = "check the path (relative ones start at the configuration file) and that this \
             user may read it";
        Error::of(path, format!("cannot be read: {error}"), hint)
    })
}

/// The crate's own texts print the offending line, which in a key file may be a secret.
fn describe(error: &PemError) -> &'static str {
    match error {
        PemError::MissingSectionEnd { .. } => "a PEM block has no END line",
        PemError::IllegalSectionStart { .. } => "a PEM block has a malformed BEGIN line",
        PemError::Base64Decode(_) => "a PEM block is not valid base64",
        PemError::SectionTooLarge => "a PEM block is too large",
        PemError::NoItemsFound => "nothing of use in this file",
        _ => "not valid PEM",
    }
}
