//! Dates of certificates that deserve a look, before clients tell.
//!
//! In: certificates, and the time. Out: a remark for people. Never: refuses one: what expired may be all
//! there is.

use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateDer;
use x509_parser::time::ASN1Time;

/// What expires before is worth a word.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// When a certificate is good.
#[derive(Debug, Clone)]
pub struct Validity {
    /// Its subject, or that it has none.
    name: String,
    /// None: before anything that the system's clock can show.
    from: Option<SystemTime>,
    to: Option<SystemTime>,
}

/// What is to be said of the dates of a chain, `CN=a expired 3 days ago, on …`; nothing where all is well.
pub fn remark(chain: &[Validity], now: SystemTime) -> Option<String> {
    let mut remarks = chain.iter().filter_map(|validity| validity.remark(now));
    let first = remarks.next()?;
    Some(match remarks.count() {
        0 => first,
        more => format!("{first}; {more} more of this file need a look"),
    })
}

impl Validity {
    /// What a certificate says; nothing where it is none.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Validity> {
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
        let at = |time: ASN1Time| {
            let since = Duration::from_secs(time.timestamp().unsigned_abs());
            match time.timestamp() < 0 {
                true => SystemTime::UNIX_EPOCH.checked_sub(since),
                false => SystemTime::UNIX_EPOCH.checked_add(since),
            }
        };
        let validity = certificate.validity();
        let name = match certificate.subject().to_string() {
            empty if empty.is_empty() => "a certificate without a subject".to_owned(),
            subject => subject,
        };
        Some(Validity { name, from: at(validity.not_before), to: at(validity.not_after) })
    }

    fn remark(&self, now: SystemTime) -> Option<String> {
        let (name, from, to) = (&self.name, self.from?, self.to?);
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
