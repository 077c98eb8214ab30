//! Private keys with their certificates, each pair looked at once for a configuration.
//!
//! In: the names of both files. Out: what signs handshakes, and what its certificate says; or what is wrong
//! with each file. Never: takes a key that is not the one of its certificate.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::InconsistentKeys;
use rustls::sign::CertifiedKey;
use weir_core::config::CertificateFiles;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pem::PemFiles;
use super::{Error, provider};

/// Pairs, by their files.
#[derive(Default)]
pub struct Pairs {
    files: PemFiles,
    loaded: RefCell<HashMap<CertificateFiles, Result<Pair, PairErrors>>>,
}

/// A key with its chain, and what that says of itself.
pub type Pair = (Arc<CertifiedKey>, CertificateFacts);
/// What is wrong with the files of a pair, each with its key: `cert` or `key`.
pub type PairErrors = Vec<(&'static str, Error)>;

/// What a certificate says of itself, for metrics and the admin listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    pub file: PathBuf,
    /// Distinguished name of the subject, or its first DNS name where that is empty.
    pub subject: String,
    /// DNS names of the subject, lower-case; the common name is not one (RFC 9525, 2).
    pub names: Vec<String>,
    /// Unix time in seconds.
    pub not_before: i64,
    /// Unix time in seconds.
    pub not_after: i64,
}

impl Pairs {
    pub fn new(files: PemFiles) -> Pairs {
        Pairs { files, loaded: RefCell::default() }
    }

    /// The pair of these files.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn load(&self, files: &CertificateFiles) -> Result<Pair, PairErrors> {
        if let Some(known) = self.loaded.borrow().get(files) {
            return known.clone();
        }
        let pair = load(files, &self.files);
        self.loaded.borrow_mut().insert(files.clone(), pair.clone());
        pair
    }
}

fn load(pair: &CertificateFiles, files: &PemFiles) -> Result<Pair, PairErrors> {
    let of_cert = |error| ("cert", error);
    let of_key = |what: &str, hint: &str| vec![("key", Error::of(&pair.key, what, hint))];
    let chain = files.chain(&pair.cert).map_err(of_cert);
    let key = files.private_key(&pair.key).map_err(|error| ("key", error));
    let (chain, key) = match (chain, key) {
        (Ok(chain), Ok(key)) => (chain.certificates.to_vec(), key),
        (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
    };
    let no_use = || {
        let hint = "the chain's file starts with the server's own X.509 certificate";
        vec![of_cert(Error::of(&pair.cert, "is of no use to TLS", hint))]
    };
    let facts = match chain.first().map(|leaf| X509Certificate::from_der(leaf)) {
        Some(Ok((_, leaf))) => facts(pair, &leaf),
        _ => return Err(no_use()),
    };
    // The error's own text could hold what was not understood.
    let signing = provider().key_provider.load_private_key(key).map_err(|_| {
        of_key(
            "holds a private key of a kind that TLS does not use",
            "RSA of 2048 bits and more, ECDSA with P-256, P-384 or P-521, or Ed25519",
        )
    })?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
            Ok((Arc::new(certified), facts))
        }
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(of_key(
            "holds a key that is not the one of the certificate",
            "cert and key come in pairs; the chain's file starts with the leaf",
        )),
        Err(_) => Err(no_use()),
    }
}

fn facts(files: &CertificateFiles, leaf: &X509Certificate<'_>) -> CertificateFacts {
    let mut names = Vec::new();
    if let Ok(Some(alternatives)) = leaf.subject_alternative_name() {
        for name in &alternatives.value.general_names {
            if let GeneralName::DNSName(name) = name {
                names.push(name.to_ascii_lowercase());
            }
        }
    }
    let subject = leaf.subject().to_string();
    CertificateFacts {
        file: files.cert.clone(),
        subject: match names.first() {
            Some(name) if subject.is_empty() => name.clone(),
            _ => subject,
        },
        names,
        not_before: leaf.validity().not_before.timestamp(),
        not_after: leaf.validity().not_after.timestamp(),
    }
}
