//! Dates of certificates, by a clock that is an argument.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, KeyPair};

use super::cases::Folder;
use super::*;

const DAY: u64 = 24 * 3600;

/// Seconds from 1970 to 2030-01-01, the end of what [`pair`] makes.
const END: u64 = 1_893_456_000;

fn pem(name: &str, from: i32, to: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// The warnings of a listener with this chain and an upstream that trusts it, at a time.
fn warnings(chain: &str, key: &str, now: u64) -> Vec<String> {
    let folder = Folder::new();
    folder.write("a.pem", chain);
    folder.write("a.key", key);
    let file = folder.write(
        "weir.toml",
        "[listeners.web]\nbind = \"127.0.0.1:80\"\n\
         tls.certificates = [{ cert = \"a.pem\", key = \"a.key\" }]\n\
         [routes.a]\nupstream = \"a\"\n\
         [upstreams.a]\nendpoints = [\"https://127.0.0.1:1\"]\ntls.ca = \"a.pem\"\n",
    );
    let config = config::load(&Source::Path(file), &Environment::default(), &[]);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
    let host = Host::new(HostOptions::default()).expect("an engine");
    let (metrics, mut numbers) = (Metrics::new(), Numbers::default());
    let built = build(config, &host, &metrics, &mut numbers, None, &[], now);
    let (built, _) = built.unwrap_or_else(|problems| panic!("{problems}"));
    let found = built.config.warnings.clone().into_iter();
    found
        .map(|warning| warning.message.replace(&format!("{}/", folder.path().display()), ""))
        .collect()
}

#[test]
fn dates_of_certificates_are_told_before_clients_tell() {
    let (cert, key) = pem("leaf", 2020, 2030);
    for (now, says) in [
        (END - 20 * DAY, None),
        (END - 14 * DAY, None),
        (END - 14 * DAY + 1, Some("leaf expires in 13 days, on Tue, 01 Jan 2030 00:00:00 GMT")),
        (END - DAY - DAY / 2, Some("leaf expires in a day, on")),
        (END - 3 * 3600, Some("leaf expires in 3 hours, on")),
        (END, Some("leaf expires in less than an hour, on")),
        (END + 1, Some("leaf expired less than an hour ago, on")),
        (END + 3 * DAY, Some("leaf expired 3 days ago, on Tue, 01 Jan 2030 00:00:00 GMT")),
        (1_577_836_800, None),
        (1_577_836_800 - 2 * DAY, Some("leaf is not valid for another 2 days, until Wed, 01 Jan")),
    ] {
        let found = warnings(&cert, &key, now);
        match says {
            None => assert_eq!(found, [""; 0], "{now}"),
            // At the listener's certificate, and where it is trusted.
            Some(says) => {
                assert_eq!(found.len(), 2, "{now}: {found:?}");
                assert!(found.iter().all(|warning| warning.contains(says)), "{now}: {found:?}");
                assert!(
                    found[0].starts_with("listeners.web.tls.certificates[0].cert: a.pem: CN=leaf ")
                );
                assert!(found[1].starts_with("upstreams.a.tls.ca: a.pem: CN=leaf "));
            }
        }
    }
}

#[test]
fn an_issuer_in_the_chain_is_looked_at_too() {
    let (leaf, key) = pem("leaf", 2020, 2040);
    let (issuer, _) = pem("issuer", 2020, 2030);
    let found = warnings(&format!("{leaf}{issuer}{issuer}"), &key, END + DAY);
    assert!(found[0].contains("issuer expired a day ago"), "{found:?}");
    assert!(found[0].ends_with("; 1 more of this file need a look"), "{found:?}");
}
