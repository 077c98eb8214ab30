//! The certificates of a listener, found by the name the client asks for.
//!
//! In: pairs of PEM files. Out: for a ClientHello the pair whose name fits: the exact name, then a
//! wildcard for its first label (RFC 9525, 6.3), then the first pair of the configuration. Never:
//! reads a file during a handshake.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureScheme};
use weir_core::config::{CertificateFiles, Contents};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Error, pem, provider};

/// Certificates with their keys, by name.
#[derive(Debug)]
pub struct CertificateStore {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// `*.example.com` as `example.com`.
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    default: Arc<CertifiedKey>,
    facts: Vec<CertificateFacts>,
}

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

/// A key with its chain, and what that says of itself.
type Pair = (Arc<CertifiedKey>, CertificateFacts);

impl CertificateStore {
    /// Reads all pairs.
    ///
    /// # Errors
    ///
    /// Every problem of every pair; also an empty list.
    pub fn load(pairs: &[CertificateFiles], files: &Contents) -> Result<Self, Vec<Error>> {
        let mut problems = Vec::new();
        let mut loaded = Vec::new();
        for (index, pair) in pairs.iter().enumerate() {
            match load_pair(pair, files) {
                Ok(pair) => loaded.push(pair),
                Err(errors) => problems.extend(
                    errors
                        .into_iter()
                        .map(|(key, error)| error.at(&["certificates", &index.to_string(), key])),
                ),
            }
        }
        let Some((default, _)) = loaded.first().filter(|_| problems.is_empty()) else {
            if problems.is_empty() {
                let hint = "add `certificates = [{ cert = \"a.pem\", key = \"a.key\" }]`";
                problems.push(Error::new("no certificate for a TLS listener", hint));
            }
            return Err(problems);
        };
        let mut store = CertificateStore {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            default: default.clone(),
            facts: Vec::new(),
        };
        for (key, facts) in loaded {
            for name in &facts.names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut store.wildcard, parent),
                    None => (&mut store.exact, &**name),
                };
                map.entry(name.to_owned()).or_default().push(key.clone());
            }
            store.facts.push(facts);
        }
        Ok(store)
    }

    /// In the order of the configuration.
    pub fn facts(&self) -> &[CertificateFacts] {
        &self.facts
    }

    /// The pair for a server name. Where several have the name (an ECDSA and an RSA one, say) the
    /// first that can sign what the client accepts.
    pub fn select(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> &Arc<CertifiedKey> {
        let Some(name) = name else { return &self.default };
        let name: Cow<'_, str> = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => name.to_ascii_lowercase().into(),
            false => name.into(),
        };
        let found = self.exact.get(&*name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.wildcard.get(parent)
        });
        let Some(keys) = found else { return &self.default };
        let signs = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        keys.iter().find(signs).or(keys.first()).unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for CertificateStore {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.select(hello.server_name(), hello.signature_schemes()).clone())
    }
}

/// A pair, or what is wrong with its `cert` and its `key`.
fn load_pair(
    pair: &CertificateFiles,
    files: &Contents,
) -> Result<Pair, Vec<(&'static str, Error)>> {
    let of_cert = |error| ("cert", error);
    let of_key = |what: &str, hint: &str| vec![("key", Error::of(&pair.key, what, hint))];
    let chain = pem::certificates(&pair.cert, files).map_err(of_cert);
    let key = pem::private_key(&pair.key, files).map_err(|error| ("key", error));
    let (chain, key) = match (chain, key) {
        (Ok(chain), Ok(key)) => (chain, key),
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
