//! Certificates and keys from the bytes of PEM files (RFC 7468).
//!
//! In: what is in a file. Out: DER, at least one certificate, or exactly one key. Never: puts a byte
//! of the file into a message: any file may hold a key, also one that should hold certificates.

use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What is wrong with a file, without its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotPem {
    /// `holds no certificate`
    pub what: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

const CERTIFICATE_HINT: &str = "it must hold PEM blocks that begin with \
     `-----BEGIN CERTIFICATE-----`, the server's own first, then its issuers";
const KEY_HINT: &str = "it must hold one PEM block that begins with `-----BEGIN PRIVATE KEY-----` \
     (or RSA or EC PRIVATE KEY), without a passphrase";

/// Every certificate of a file, in order.
///
/// # Errors
/// Where there is none, or the file is damaged or in another format.
pub fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, NotPem> {
    if is_der(bytes) {
        let hint = "convert it with `openssl x509 -inform der -in FILE -out FILE.pem`; a .p12 or \
             .pfx with `openssl pkcs12 -in FILE -nokeys -out FILE.pem`";
        return Err(NotPem { what: "is DER, not PEM", hint });
    }
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| NotPem { what: describe(&error), hint: CERTIFICATE_HINT })?;
    if !certificates.is_empty() {
        return Ok(certificates);
    }
    if let Some(indented) = indented(bytes, "CERTIFICATE-----") {
        return Err(indented);
    }
    let what = match begins(bytes, "PRIVATE KEY-----") {
        true => "holds a private key, but no certificate",
        false => "holds no certificate",
    };
    Err(NotPem { what, hint: CERTIFICATE_HINT })
}

/// The first private key of a file.
///
/// # Errors
/// Where there is none, or it has a passphrase, or the file is damaged or in another format.
pub fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, NotPem> {
    if is_der(bytes) {
        let hint = "convert it with `openssl pkey -inform der -in FILE -out FILE.pem`; a .p12 or \
             .pfx with `openssl pkcs12 -in FILE -nodes -nocerts -out FILE.pem`";
        return Err(NotPem { what: "is DER, not PEM", hint });
    }
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| {
        // RFC 7468, 11; and what OpenSSL wrote before that, RFC 1421.
        let encrypted = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];
        if encrypted.iter().any(|mark| contains(bytes, mark)) {
            let hint = "decrypt it with `openssl pkey -in FILE -out FILE.plain` and protect it by \
                 file permissions";
            return NotPem { what: "holds a private key with a passphrase", hint };
        }
        if begins(bytes, "OPENSSH PRIVATE KEY-----") {
            let hint = "convert a copy with `ssh-keygen -p -m PKCS8 -f COPY`";
            return NotPem { what: "holds a private key in OpenSSH's format", hint };
        }
        if let PemError::NoItemsFound = error
            && let Some(indented) = indented(bytes, "PRIVATE KEY-----")
        {
            return indented;
        }
        let what = match error {
            PemError::NoItemsFound if begins(bytes, "PUBLIC KEY-----") => {
                "holds a public key, but no private one"
            }
            PemError::NoItemsFound if begins(bytes, "CERTIFICATE-----") => {
                "holds a certificate, but no private key"
            }
            PemError::NoItemsFound => "holds no private key",
            error => describe(&error),
        };
        NotPem { what, hint: KEY_HINT }
    })
}

/// A SEQUENCE (X.690, 8.9), which every certificate, key and PKCS#12 file is.
fn is_der(bytes: &[u8]) -> bool {
    match bytes {
        [0x30, length, rest @ ..] => {
            // The short form of a length may look like a letter.
            !length.is_ascii() || length.is_ascii_control() || rest.len() == usize::from(*length)
        }
        _ => false,
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

/// Whether there is a block of this kind, also one with words before: `RSA PRIVATE KEY`.
fn begins(bytes: &[u8], kind: &str) -> bool {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut begins = lines.filter(|line| line.starts_with(b"-----BEGIN "));
    begins.any(|line| line.ends_with(kind.as_bytes()))
}

/// Why a block of this kind is none: something stands before it in its line.
fn indented(bytes: &[u8], kind: &str) -> Option<NotPem> {
    let hint = "save it as UTF-8 without a byte-order mark, each line from the margin on";
    if bytes.starts_with(b"\xef\xbb\xbf-----BEGIN ") {
        return Some(NotPem { what: "begins with a byte-order mark, which PEM has not", hint });
    }
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let within = |line: &[u8]| {
        let text = line.trim_ascii();
        line.first().is_some_and(u8::is_ascii_whitespace)
            && text.starts_with(b"-----BEGIN ")
            && text.ends_with(kind.as_bytes())
    };
    lines.any(within).then_some(NotPem { what: "has its PEM block indented", hint })
}

/// The crate's own texts print the offending line, which may be one of a key.
fn describe(error: &PemError) -> &'static str {
    match error {
        PemError::MissingSectionEnd { .. } => "has a PEM block without its END line",
        PemError::IllegalSectionStart { .. } => "has a PEM block with a malformed BEGIN line",
        PemError::Base64Decode(_) => "has a PEM block that is not valid base64",
        PemError::SectionTooLarge => "has a PEM block that is too large",
        _ => "is not valid PEM",
    }
}
