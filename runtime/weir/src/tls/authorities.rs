//! Whom an upstream trusts, by content.
//!
//! In: a PEM file, or the system's authorities. Out: their certificates, to verify with and to compare
//! with those of the configuration before. Never: takes a path for what is in the file.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use super::Error;
use super::pem::PemFiles;

/// Whom to trust. Equal where the same endpoints would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// `verify = false`
    Anybody,
    /// The certificates of a file, or of the system.
    Authorities { certificates: Arc<[CertificateDer<'static>]>, named: bool },
}

/// Authorities, the system's and those of files, each read once for a configuration.
#[derive(Default)]
pub struct Authorities {
    files: PemFiles,
    system: OnceCell<Arc<[CertificateDer<'static>]>>,
}

impl Authorities {
    pub fn new(files: PemFiles) -> Authorities {
        Authorities { files, system: OnceCell::new() }
    }

    /// Those of a file.
    ///
    /// # Errors
    /// It cannot be read, or holds none.
    pub fn of(&self, file: &Path) -> Result<Trust, Error> {
        let chain = self.files.chain(file).map_err(|error| error.at(&["ca"]))?;
        let certificates = chain.certificates;
        Ok(Trust::Authorities { certificates, named: true })
    }

    /// The system's.
    ///
    /// # Errors
    /// There is none.
    pub fn trust(&self) -> Result<Trust, Error> {
        let certificates = self.system.get_or_init(read).clone();
        if certificates.is_empty() {
            let hint = "install the system's package for them (often `ca-certificates`), or set \
                 `tls.ca` of the upstream to a PEM file";
            return Err(Error::new("this system has no certificate authorities", hint));
        }
        Ok(Trust::Authorities { certificates, named: false })
    }
}

fn read() -> Arc<[CertificateDer<'static>]> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the system's certificate authorities cannot be read");
    }
    // Only those that can be used.
    let usable =
        found.certs.into_iter().filter(|der| RootCertStore::empty().add(der.clone()).is_ok());
    usable.collect()
}
