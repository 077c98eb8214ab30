//! The certificates of a listener, found by the name the client asks for.
//!
//! In: pairs of PEM files. Out: for a ClientHello the pair whose name fits: the exact name, then a
//! wildcard for its first label (RFC 9525, 6.3), then the first pair of the configuration. Never:
//! reads a file during a handshake.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use weir_core::config::CertificateFiles;

use super::Error;
use super::pairs::{CertificateFacts, Pairs};

/// Certificates with their keys, by name.
#[derive(Debug)]
pub struct CertificateStore {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// `*.example.com` as `example.com`.
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    default: Arc<CertifiedKey>,
    facts: Vec<CertificateFacts>,
}

impl CertificateStore {
    /// Reads all pairs.
    ///
    /// # Errors
    ///
    /// Every problem of every pair; also an empty list.
    pub fn load(pairs: &[CertificateFiles], with: &Pairs) -> Result<Self, Vec<Error>> {
        let mut problems = Vec::new();
        let mut loaded = Vec::new();
        for (index, pair) in pairs.iter().enumerate() {
            match with.load(pair) {
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
