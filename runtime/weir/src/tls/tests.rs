//! Selection by name, errors by file, and whole handshakes over a pipe.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{CertificateParams, CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::{ClientConfig, SignatureScheme};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_core::config::{CertificateFiles, ListenerTls, TlsVersion, UpstreamTls};
use weir_core::error::Kind;
use weir_core::http::Tls;

use super::*;

/// A directory of certificates, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("weir-tls-{}-{serial}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A self-signed pair for `names`.
    fn pair(&self, file: &str, names: &[&str]) -> CertificateFiles {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        CertificateFiles {
            cert: self.write(&format!("{file}.pem"), &cert.pem()),
            key: self.write(&format!("{file}.key"), &signing_key.serialize_pem()),
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn names_select_certificates() {
    let directory = Directory::new();
    let store = CertificateStore::load(
        &[
            directory.pair("first", &["first.example"]),
            directory.pair("exact", &["a.example.com", "example.com"]),
            directory.pair("wild", &["*.Example.com", "*.eu.example.com"]),
        ],
        &Pairs::default(),
    )
    .unwrap();
    let file = |name: Option<&str>| {
        let chosen = store.select(name, &[SignatureScheme::ECDSA_NISTP256_SHA256]);
        let at = ["first.pem", "exact.pem", "wild.pem"];
        let same = |it: &&&str| {
            let pem = chain_of(&directory.0.join(it));
            pem == chosen.cert
        };
        at.iter().find(same).unwrap().trim_end_matches(".pem").to_owned()
    };
    for (name, expected) in [
        (None, "first"),
        (Some("first.example"), "first"),
        (Some("FIRST.example"), "first"),
        (Some("a.example.com"), "exact"),
        (Some("A.EXAMPLE.COM"), "exact"),
        (Some("example.com"), "exact"),
        (Some("b.example.com"), "wild"),
        (Some("B.eXample.com"), "wild"),
        (Some("x.eu.example.com"), "wild"),
        (Some("x.us.example.com"), "first"),
        (Some("x.y.eu.example.com"), "first"),
        (Some("com"), "first"),
        (Some("unknown.test"), "first"),
        (Some(""), "first"),
    ] {
        assert_eq!(file(name), expected, "{name:?}");
    }
}

#[test]
fn key_types_select_among_certificates_of_a_name() {
    let directory = Directory::new();
    let ecdsa = directory.pair("ecdsa", &["a.test"]);
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let cert =
        CertificateParams::new(vec!["a.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let ed25519 = CertificateFiles {
        cert: directory.write("ed.pem", &cert.pem()),
        key: directory.write("ed.key", &key.serialize_pem()),
    };
    let store =
        CertificateStore::load(&[ecdsa.clone(), ed25519.clone()], &Pairs::default()).unwrap();
    let chain = |schemes: &[SignatureScheme]| &store.select(Some("a.test"), schemes).cert;
    assert_eq!(*chain(&[SignatureScheme::ED25519]), chain_of(&ed25519.cert));
    let ecdsa_chain = chain_of(&ecdsa.cert);
    assert_eq!(*chain(&[SignatureScheme::ECDSA_NISTP256_SHA256]), ecdsa_chain);
    assert_eq!(*chain(&[SignatureScheme::RSA_PKCS1_SHA256]), ecdsa_chain);
}

#[test]
fn facts_are_read() {
    let directory = Directory::new();
    let key = KeyPair::generate().unwrap();
    let mut params =
        CertificateParams::new(vec!["A.test".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    let files = CertificateFiles {
        cert: directory.write("a.pem", &params.self_signed(&key).unwrap().pem()),
        key: directory.write("a.key", &key.serialize_pem()),
    };
    let store = CertificateStore::load(std::slice::from_ref(&files), &Pairs::default()).unwrap();
    let expected = CertificateFacts {
        file: files.cert,
        subject: "a.test".to_owned(),
        names: vec!["a.test".to_owned()],
        not_before: 1_577_836_800,
        not_after: 1_893_456_000,
    };
    assert_eq!(store.facts(), [expected]);
}

#[test]
fn problems_name_the_file() {
    let directory = Directory::new();
    let good = directory.pair("good", &["a.test"]);
    let other = directory.pair("other", &["a.test"]);
    let empty = directory.write("empty", "");
    let broken = directory.write(
        "broken",
        "-----BEGIN CERTIFICATE-----\nhush\u{1}secret!\n-----END CERTIFICATE-----\n",
    );
    let noise =
        directory.write("noise", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let cut = directory.write("cut", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n");
    let encrypted = directory.write(
        "encrypted",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let junk_key = directory
        .write("junk", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n");
    let der = directory.write("der", "0\u{1}");
    let missing = directory.0.join("missing.pem");
    let with = |cert: &Path, key: &Path| CertificateFiles { cert: cert.into(), key: key.into() };
    let cases = [
        (with(&missing, &good.key), &missing, "cannot be read"),
        (with(&good.cert, &missing), &missing, "cannot be read"),
        (with(&empty, &good.key), &empty, "holds no certificate"),
        (with(&broken, &good.key), &broken, "not valid base64"),
        (with(&noise, &good.key), &noise, "holds a broken certificate"),
        (with(&der, &good.key), &der, "is DER"),
        (with(&good.cert, &empty), &empty, "no private key"),
        (with(&good.cert, &good.cert), &good.cert, "no private key"),
        (with(&good.cert, &cut), &cut, "without its END line"),
        (with(&good.cert, &encrypted), &encrypted, "with a passphrase"),
        (with(&good.cert, &junk_key), &junk_key, "of a kind that TLS does not use"),
        (with(&good.cert, &other.key), &other.key, "is not the one of the certificate"),
    ];
    for (files, file, what) in &cases {
        let problems =
            CertificateStore::load(std::slice::from_ref(files), &Pairs::default()).unwrap_err();
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!(problem.file.as_ref(), Some(*file));
        let text = problem.to_string();
        assert!(text.contains(what), "{text}");
        assert!(!text.contains("secret") && !text.contains("c2Vj"), "{text}");
        assert!(!problem.hint.is_empty());
    }
    // All at once, and both files of a pair.
    let all: Vec<_> = cases.into_iter().map(|(files, ..)| files).collect();
    assert_eq!(CertificateStore::load(&all, &Pairs::default()).unwrap_err().len(), 12);
    let both = CertificateStore::load(&[with(&missing, &empty)], &Pairs::default()).unwrap_err();
    assert_eq!(both.len(), 2);
    assert_eq!(CertificateStore::load(&[], &Pairs::default()).unwrap_err().len(), 1);
}

/// The certificates of a file.
fn chain_of(file: &Path) -> Vec<rustls_pki_types::CertificateDer<'static>> {
    PemFiles::default().chain(file).unwrap().certificates.to_vec()
}

async fn handshake(
    server: &ServerTls,
    client: Arc<ClientConfig>,
    name: &str,
) -> (std::io::Result<(Tls, bool, bool)>, Result<(), weir_core::error::Error>) {
    let (near, far) = tokio::io::duplex(16 << 10);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let server = async {
        let mut accepted = accept(server.config.clone(), far).await?;
        let mut text = [0; 4];
        accepted.stream.read_exact(&mut text).await?;
        accepted.stream.write_all(&text).await?;
        accepted.stream.shutdown().await?;
        let kind = accepted.stream.get_ref().1.handshake_kind();
        let resumed = kind == Some(rustls::HandshakeKind::Resumed);
        Ok((accepted.facts, accepted.h2, resumed))
    };
    let client = async {
        let mut stream = connect(client, name, near).await?;
        stream.write_all(b"ping").await.unwrap();
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await.unwrap();
        assert_eq!(text, b"ping");
        Ok(())
    };
    tokio::join!(server, client)
}

fn originate(tls: &UpstreamTls, alpn: &[&[u8]]) -> Origination {
    Origination::new(tls, alpn, &Authorities::default(), None).unwrap()
}

fn listener(certificates: Vec<CertificateFiles>, min_version: TlsVersion) -> ListenerTls {
    ListenerTls { certificates, min_version }
}

#[tokio::test]
async fn handshakes_settle_protocol_and_resume_over_reloads() {
    let directory = Directory::new();
    let pair = directory.pair("a", &["a.test"]);
    let tls = listener(vec![pair.clone()], TlsVersion::V1_2);
    let upstream = UpstreamTls { ca: Some(pair.cert), server_name: None, verify: true };
    let client = originate(&upstream, &[H2, HTTP_1_1]).config;
    let server = server_config(&tls, &Pairs::default()).unwrap();
    let (facts, sent) = handshake(&server, client.clone(), "A.test").await;
    sent.unwrap();
    let (facts, h2, resumed) = facts.unwrap();
    assert_eq!(facts.version, "TLSv1.3");
    assert!(facts.cipher.starts_with("TLS_AES_"), "{}", facts.cipher);
    assert_eq!(facts.server_name.as_deref(), Some("a.test"));
    assert!(h2 && !resumed);
    // A new configuration, as a reload makes it, takes the old one's ticket.
    let server = server_config(&tls, &Pairs::default()).unwrap();
    let (facts, _) = handshake(&server, client, "A.test").await;
    assert!(facts.unwrap().2);
    let plain = originate(&upstream, &[HTTP_1_1]).config;
    let (facts, _) = handshake(&server, plain, "a.test").await;
    assert!(!facts.unwrap().1);
}

#[tokio::test]
async fn versions_are_kept() {
    let directory = Directory::new();
    let pair = directory.pair("a", &["a.test"]);
    let old = || {
        let roots = chain_of(&pair.cert);
        let mut store = rustls::RootCertStore::empty();
        store.add(roots[0].clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap();
        Arc::new(builder.with_root_certificates(store).with_no_client_auth())
    };
    let server =
        server_config(&listener(vec![pair.clone()], TlsVersion::V1_2), &Pairs::default()).unwrap();
    let (facts, _) = handshake(&server, old(), "a.test").await;
    let (facts, h2, _) = facts.unwrap();
    assert_eq!(facts.version, "TLSv1.2");
    assert!(facts.cipher.starts_with("TLS_ECDHE_ECDSA_"), "{}", facts.cipher);
    assert!(!h2);
    let server =
        server_config(&listener(vec![pair.clone()], TlsVersion::V1_3), &Pairs::default()).unwrap();
    let (facts, sent) = handshake(&server, old(), "a.test").await;
    assert!(facts.is_err());
    assert_eq!(sent.unwrap_err().kind, Kind::TlsProtocolError);
}

#[tokio::test]
async fn endpoints_are_verified_unless_told_otherwise() {
    let directory = Directory::new();
    let pair = directory.pair("a", &["a.test"]);
    let stranger = directory.pair("b", &["a.test"]);
    let server =
        server_config(&listener(vec![pair.clone()], TlsVersion::V1_2), &Pairs::default()).unwrap();
    let tls = |ca: &Path, verify| UpstreamTls { ca: Some(ca.into()), server_name: None, verify };
    for (ca, verify, name, expected) in [
        (&pair.cert, true, "a.test", None),
        (&pair.cert, true, "b.test", Some(Kind::TlsCertificateError)),
        (&stranger.cert, true, "a.test", Some(Kind::TlsCertificateError)),
        (&stranger.cert, false, "b.test", None),
    ] {
        let client = originate(&tls(ca, verify), &[HTTP_1_1]).config;
        let (_, sent) = handshake(&server, client, name).await;
        assert_eq!(sent.as_ref().err().map(|error| error.kind), expected, "{name} {verify}");
        assert!(sent.err().is_none_or(|error| error.retryable));
    }
    assert!(UpstreamTls::default().verify, "verification must be the default");
}

/// As `openssl req -x509` makes it: an authority that is the server's certificate too.
fn self_signed(
    directory: &Directory,
    file: &str,
    names: &[&str],
    common: &str,
) -> CertificateFiles {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(rcgen::DnType::CommonName, common);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    CertificateFiles {
        cert: directory.write(&format!("{file}.pem"), &certificate.pem()),
        key: directory.write(&format!("{file}.key"), &key.serialize_pem()),
    }
}

#[tokio::test]
async fn a_certificate_that_is_named_itself_is_trusted_for_its_own_name() {
    let directory = Directory::new();
    for (names, name, trusted) in [
        (&["a.test"][..], "a.test", true),
        (&["a.test"], "b.test", false),
        // Without a name of RFC 9525 the common name counts.
        (&[], "common.test", true),
        (&[], "a.test", false),
    ] {
        let pair = self_signed(&directory, "self", names, "common.test");
        let server =
            server_config(&listener(vec![pair.clone()], TlsVersion::V1_2), &Pairs::default())
                .unwrap();
        let tls = UpstreamTls { ca: Some(pair.cert), server_name: None, verify: true };
        let (_, sent) = handshake(&server, originate(&tls, &[HTTP_1_1]).config, name).await;
        assert_eq!(sent.is_ok(), trusted, "{names:?} {name}: {sent:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_explained() {
    let directory = Directory::new();
    let pair = directory.pair("a", &["a.test"]);
    let stranger = directory.pair("b", &["b.test"]);
    let other = self_signed(&directory, "c", &["a.test"], "another.test");
    let server =
        server_config(&listener(vec![pair.clone()], TlsVersion::V1_2), &Pairs::default()).unwrap();
    for (ca, name, says) in [
        (&other.cert, "a.test", "no trusted authority has issued it"),
        // Another key under the same name.
        (&stranger.cert, "a.test", "another key signed it"),
        (&pair.cert, "b.test", "it was not made for \"b.test\""),
    ] {
        let tls = UpstreamTls { ca: Some(ca.clone()), server_name: None, verify: true };
        let (_, sent) = handshake(&server, originate(&tls, &[HTTP_1_1]).config, name).await;
        let detail = sent.unwrap_err().told();
        for says in [says, "issuer", "a.test", "valid from"] {
            assert!(detail.contains(says), "{detail}");
        }
    }
}

/// The path is the same; what is in the file decides.
#[test]
fn trust_is_compared_by_content() {
    let directory = Directory::new();
    let (one, two) = (directory.pair("a", &["a.test"]), directory.pair("b", &["a.test"]));
    let ca = directory.write("ca.pem", &fs::read_to_string(&one.cert).unwrap());
    let tls = UpstreamTls { ca: Some(ca), server_name: None, verify: true };
    let again = |before: &Origination, alpn: &[&[u8]]| {
        Origination::new(&tls, alpn, &Authorities::default(), Some(before)).unwrap()
    };
    let first = originate(&tls, &[HTTP_1_1]);
    assert!(Arc::ptr_eq(&first.config, &again(&first, &[HTTP_1_1]).config));
    assert!(!Arc::ptr_eq(&first.config, &again(&first, &[H2]).config));
    directory.write("ca.pem", &fs::read_to_string(&two.cert).unwrap());
    assert!(!Arc::ptr_eq(&first.config, &again(&first, &[HTTP_1_1]).config));
}

#[test]
fn server_names_are_checked() {
    let mut tls = UpstreamTls::default();
    for good in ["a.test", "127.0.0.1", "::1"] {
        assert!(server_name(&tls, good).is_ok(), "{good}");
    }
    let problem = server_name(&tls, "a b").unwrap_err();
    assert!(problem.to_string().contains("`a b`"), "{problem}");
    tls.server_name = Some("b.test".to_owned());
    assert_eq!(server_name(&tls, "a b").unwrap(), ServerName::try_from("b.test").unwrap());
}
