//! Whether an endpoint's certificate is trusted, and if not, why.
//!
//! In: the certificates that an upstream's `ca` names, and the one that an endpoint shows. Out: yes; or
//! the rule that failed with what the certificate says of itself. A certificate that `ca` names itself
//! is trusted as it is, an authority's or not: its holder was named. Never: trusts one that is out of
//! its time, or was made for another name.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Names of a certificate that a message shows.
const SHOWN: usize = 8;

/// Verifies by authorities, or by the certificate itself.
#[derive(Debug)]
pub struct Verifier {
    by_authorities: Arc<WebPkiServerVerifier>,
    named: Arc<[CertificateDer<'static>]>,
}

/// A certificate that is not trusted: the whole story in a line.
struct Untrusted(String);

impl Verifier {
    /// `named`: certificates that are trusted as they are.
    pub fn new(
        by_authorities: Arc<WebPkiServerVerifier>,
        named: Arc<[CertificateDer<'static>]>,
    ) -> Verifier {
        Verifier { by_authorities, named }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.by_authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let Err(error) = verified else { return verified };
        let error = match self.named.iter().any(|named| named == end_entity) {
            true => match as_it_is(end_entity, server_name, now) {
                Ok(()) => return Ok(ServerCertVerified::assertion()),
                Err(error) => error,
            },
            false => error,
        };
        let Error::InvalidCertificate(rule) = &error else { return Err(error) };
        let why = Untrusted(explained(rule, end_entity, server_name));
        Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(why)))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authorities.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authorities.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authorities.supported_verify_schemes()
    }
}

/// A certificate that was named: its time and its name still have to fit. One without any name of
/// RFC 9525, as old tools make them, goes by its common name.
fn as_it_is(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Err(CertificateError::BadEncoding.into());
    };
    let (validity, now) = (parsed.validity(), i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    if now < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    if matches!(parsed.subject_alternative_name(), Ok(Some(_))) {
        return verify_server_name(&ParsedCertificate::try_from(certificate)?, name);
    }
    let common = parsed.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    match common.into_iter().any(|common| common.eq_ignore_ascii_case(&name.to_str())) {
        true => Ok(()),
        false => Err(CertificateError::NotValidForName.into()),
    }
}

/// The rule that failed, and what the certificate says.
fn explained(
    rule: &CertificateError,
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
) -> String {
    let rule = match rule {
        CertificateError::UnknownIssuer => "no trusted authority has issued it".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("it was not made for {:?}: set tls.server_name, or renew it", name.to_str())
        }
        CertificateError::BadSignature => {
            "its issuer's name is trusted, but another key signed it: \
             was the authority, or the certificate, made anew?"
                .to_owned()
        }
        CertificateError::Other(OtherError(why)) if format!("{why:?}").contains("CaUsed") => {
            "it is an authority's own, and `ca` does not name it".to_owned()
        }
        CertificateError::Other(OtherError(why)) => why.to_string(),
        other => other.to_string(),
    };
    let says = match X509Certificate::from_der(certificate) {
        Err(_) => "it cannot be read".to_owned(),
        Ok((_, parsed)) => {
            let names = match parsed.subject_alternative_name() {
                Ok(Some(names)) => {
                    let names = names.value.general_names.iter().take(SHOWN).map(shown);
                    names.collect::<Vec<_>>().join(", ")
                }
                _ => "none".to_owned(),
            };
            let validity = parsed.validity();
            format!(
                "subject {:?}, issuer {:?}, names {names}, valid from {} to {}",
                parsed.subject().to_string(),
                parsed.issuer().to_string(),
                validity.not_before,
                validity.not_after
            )
        }
    };
    format!("the endpoint's certificate is not trusted: {rule}; it says: {says}")
}

/// A name as people write it.
fn shown(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => {
            match (<[u8; 4]>::try_from(*bytes), <[u8; 16]>::try_from(*bytes)) {
                (Ok(four), _) => Ipv4Addr::from(four).to_string(),
                (_, Ok(sixteen)) => Ipv6Addr::from(sixteen).to_string(),
                _ => name.to_string(),
            }
        }
        other => other.to_string(),
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Untrusted {}
