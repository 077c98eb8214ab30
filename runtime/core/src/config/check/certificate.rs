//! PEM files: that they hold what they should, that a key is the one of its certificate, and that
//! certificates are valid at this time.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;

use super::{Check, unreadable};
use crate::config::field::Field;
use crate::config::file;
use crate::config::pem::{self, NotPem};
use crate::config::problem::Fault;

/// What expires before is worth a word.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

impl Check<'_> {
    /// The certificates of a file, at least one; their dates are told where they need a look.
    pub(super) fn chain_of(
        &self,
        field: &Field<'_>,
        path: &Path,
    ) -> Option<Vec<CertificateDer<'static>>> {
        let shown = field.shown_path(path);
        let chain = self.pem(field, path, pem::certificates)?;
        let mut dates = Vec::new();
        for der in &chain {
            // The parser's own error may hold bytes of the file.
            let Ok((_, certificate)) = x509_parser::parse_x509_certificate(der) else {
                let hint = "make the file again from what the authority sent";
                field.plain_problem(Fault::hint(
                    format!("{shown} holds a broken certificate"),
                    hint,
                ));
                return None;
            };
            dates.extend(date_of(&certificate, self.now));
        }
        let Some(first) = dates.first() else { return Some(chain) };
        let more = match dates.len() - 1 {
            0 => String::new(),
            n => format!("; {n} more of this file need a look"),
        };
        field.warning(Fault::hint(
            format!("{shown}: {first}{more}"),
            "a file that is replaced is read again by a reload",
        ));
        Some(chain)
    }

    /// The first private key of a file.
    pub(super) fn key_of(&self, field: &Field<'_>, path: &Path) -> Option<PrivateKeyDer<'static>> {
        self.pem(field, path, pem::private_key)
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
            Err(_) => Fault::hint(
                "its certificate is of no use to TLS",
                "the chain's file starts with the server's own X.509 certificate",
            ),
        };
        field.plain_problem(fault);
    }

    fn pem<T>(
        &self,
        field: &Field<'_>,
        path: &Path,
        parse: impl Fn(&[u8]) -> Result<T, NotPem>,
    ) -> Option<T> {
        let bytes = self
            .report
            .contents()
            .read(path, file::PEM)
            .map_err(|error| field.plain_problem(unreadable(field, path, &error)))
            .ok()?;
        let parsed = parse(&bytes).map_err(|NotPem { what, hint }| {
            field.plain_problem(Fault::hint(format!("{} {what}", field.shown_path(path)), hint));
        });
        parsed.ok()
    }
}

/// What is to be said of the dates of a certificate: `CN=a expired 3 days ago, on …`.
fn date_of(certificate: &X509Certificate<'_>, now: SystemTime) -> Option<String> {
    let at = |seconds: i64| {
        let since = Duration::from_secs(seconds.unsigned_abs());
        match seconds < 0 {
            true => SystemTime::UNIX_EPOCH.checked_sub(since),
            false => SystemTime::UNIX_EPOCH.checked_add(since),
        }
    };
    let validity = certificate.validity();
    let (from, to) = (at(validity.not_before.timestamp())?, at(validity.not_after.timestamp())?);
    let name = match certificate.subject().to_string() {
        empty if empty.is_empty() => "a certificate without a subject".to_owned(),
        subject => subject,
    };
    if let Ok(ago) = now.duration_since(to)
        && !ago.is_zero()
    {
        return Some(format!("{name} expired {} ago, on {}", days(ago), date(to)));
    }
    if let Ok(until) = from.duration_since(now)
        && !until.is_zero()
    {
        return Some(format!(
            "{name} is not valid for another {}, until {}",
            days(until),
            date(from)
        ));
    }
    let left = to.duration_since(now).unwrap_or_default();
    (left < SOON).then(|| format!("{name} expires in {}, on {}", days(left), date(to)))
}

fn days(time: Duration) -> String {
    let hours = time.as_secs() / 3600;
    match (hours / 24, hours) {
        (0, 0) => "less than an hour".to_owned(),
        (0, 1) => "an hour".to_owned(),
        (0, hours) => format!("{hours} hours"),
        (1, _) => "a day".to_owned(),
        (days, _) => format!("{days} days"),
    }
}

/// As HTTP writes it; what no calendar reaches has no date.
fn date(time: SystemTime) -> String {
    // 9999-12-31T23:59:59Z, the last that X.509 can say (RFC 5280, 4.1.2.5).
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    match (SystemTime::UNIX_EPOCH..=last).contains(&time) {
        true => httpdate::fmt_http_date(time),
        false => "a date before 1970".to_owned(),
    }
}

#[cfg(test)]
mod tests;
