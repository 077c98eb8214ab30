//! PEM files: that they hold what they should, and that a key is the one of its certificate.

use std::path::Path;

use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Check, unreadable};
use crate::config::field::Field;
use crate::config::file;
use crate::config::problem::Fault;

impl Check<'_> {
    /// The certificates of a file, at least one.
    pub(super) fn chain_of(
        &self,
        field: &Field<'_>,
        path: &Path,
    ) -> Option<Vec<CertificateDer<'static>>> {
        let pem = self.pem(field, path)?;
        let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let hint = "PEM starts with -----BEGIN CERTIFICATE-----";
        let fault = match parsed {
            Ok(chain) if chain.is_empty() => {
                Fault::hint(format!("{} holds no certificate", field.shown_path(path)), hint)
            }
            Ok(chain) => {
                match chain.iter().find_map(|der| x509_parser::parse_x509_certificate(der).err()) {
                    None => return Some(chain),
                    Some(error) => {
                        let message = format!(
                            "{} holds a broken certificate: {error}",
                            field.shown_path(path)
                        );
                        Fault::hint(message, hint)
                    }
                }
            }
            Err(error) => {
                Fault::hint(format!("{} is not PEM: {error}", field.shown_path(path)), hint)
            }
        };
        field.plain_problem(fault);
        None
    }

    /// The first private key of a file.
    pub(super) fn key_of(&self, field: &Field<'_>, path: &Path) -> Option<PrivateKeyDer<'static>> {
        let pem = self.pem(field, path)?;
        // The parser's own error could quote the file.
        PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| {
                field.plain_problem(Fault::hint(
                    format!("{} holds no private key", field.shown_path(path)),
                    "PEM starts with -----BEGIN PRIVATE KEY-----; it must not be encrypted",
                ));
            })
            .ok()
    }

    /// Reports at `field` a key that is of no use, or not the one of the chain's first certificate.
    pub(super) fn key_matches(
        &self,
        field: &Field<'_>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) {
        let signing = match aws_lc_rs::sign::any_supported_type(&key) {
            Ok(signing) => signing,
            Err(_) => {
                return field.plain_problem(Fault::hint(
                    "this private key is not of a kind that TLS uses",
                    "RSA, ECDSA with P-256, P-384 or P-521, or Ed25519",
                ));
            }
        };
        let fault = match CertifiedKey::new(chain, signing).keys_match() {
            Ok(()) => return,
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Fault::hint(
                "this key is not the one of the certificate",
                "cert and key come in pairs; the chain's file starts with the leaf",
            ),
            Err(error) => Fault::new(format!("its certificate is of no use to TLS: {error}")),
        };
        field.plain_problem(fault);
    }

    fn pem(&self, field: &Field<'_>, path: &Path) -> Option<Vec<u8>> {
        file::read(path, file::PEM)
            .map_err(|error| field.plain_problem(unreadable(field, path, &error)))
            .ok()
    }
}
