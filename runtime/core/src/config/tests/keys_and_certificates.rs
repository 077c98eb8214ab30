//! PEM files that are something else, and that no byte of one is told.

use super::*;
use crate::config::cases::Folder;

/// A certificate and its key.
const PAIR: (&str, &str) =
    (include_str!("../cases/certificates/a.pem"), include_str!("../cases/certificates/a.key"));

fn der(pem: &str) -> Vec<u8> {
    use rustls_pki_types::pem::PemObject;
    match pem.contains("PRIVATE KEY") {
        true => rustls_pki_types::PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .unwrap()
            .secret_der()
            .to_vec(),
        false => rustls_pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec(),
    }
}

/// What is said of a listener with these files.
fn said(cert: &[u8], key: &[u8]) -> Vec<String> {
    let folder = Folder::new();
    folder.write("cert", cert);
    folder.write("key", key);
    let file = folder.write(
        "weir.toml",
        "[listeners.web]\nbind = \"127.0.0.1:80\"\n\
         tls.certificates = [{ cert = \"cert\", key = \"key\" }]\n",
    );
    let problems = load(&Source::Path(file), &Environment::default(), &[]).unwrap_err();
    problems.iter().map(|problem| format!("{problem} {problem:?}")).collect()
}

#[test]
fn hints_for_keys_and_certificates_in_other_forms_are_reached() {
    let (cert, key) = PAIR;
    let header = |kind: &str| format!("-----BEGIN {kind}-----\nMAAB\n-----END {kind}-----\n");
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
               DEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    for (bytes, what, hint) in [
        (der(key), "is DER, not PEM", "openssl pkey -inform der"),
        (header("ENCRYPTED PRIVATE KEY").into(), "with a passphrase", "openssl pkey -in FILE"),
        (old.into(), "with a passphrase", "openssl pkey -in FILE"),
        (header("OPENSSH PRIVATE KEY").into(), "in OpenSSH's format", "ssh-keygen"),
        (header("PUBLIC KEY").into(), "a public key, but no private one", "BEGIN PRIVATE KEY"),
        (cert.into(), "a certificate, but no private key", "BEGIN PRIVATE KEY"),
        (Vec::new(), "holds no private key", "BEGIN PRIVATE KEY"),
    ] {
        let found = said(cert.as_bytes(), &bytes);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(what) && found[0].contains(hint), "{what}: {found:?}");
        assert!(found[0].contains("listeners.web.tls.certificates[0].key: "), "{found:?}");
    }
    for (bytes, what, hint) in [
        (der(cert), "is DER, not PEM", "openssl x509 -inform der"),
        (key.into(), "a private key, but no certificate", "BEGIN CERTIFICATE"),
        (b"no text".to_vec(), "holds no certificate", "BEGIN CERTIFICATE"),
    ] {
        let found = said(&bytes, key.as_bytes());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(what) && found[0].contains(hint), "{what}: {found:?}");
    }
}

#[test]
fn no_byte_of_a_damaged_file_is_told() {
    let (cert, key) = PAIR;
    let both = format!("{key}{cert}");
    let mut damaged: Vec<Vec<u8>> = Vec::new();
    // Every line left out, broken in two, cut off, or with a byte that is none of base64.
    let lines: Vec<&str> = both.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let with = |middle: &str| {
            let (before, after) = (lines[..i].join("\n"), lines[i + 1..].join("\n"));
            format!("{before}\n{middle}\n{after}\n").into_bytes()
        };
        let (left, right) = line.split_at(line.len() / 2);
        damaged.push(with(""));
        damaged.push(with(&format!("{left}-----{right}")));
        damaged.push(with(&format!("{left}\u{1}{right}")));
        damaged.push(with(&format!("-----BEGIN {right}")));
        damaged.push(with(left));
        damaged.push(lines[..i].join("\n").into_bytes());
    }
    // A key under the label of a certificate.
    damaged.push(key.replace("PRIVATE KEY", "CERTIFICATE").into_bytes());
    let secrets: Vec<&str> = key.lines().filter(|line| !line.starts_with('-')).collect();
    for file in damaged {
        let folder = Folder::new();
        folder.write("both.pem", &file);
        let weir = folder.write(
            "weir.toml",
            "[listeners.web]\nbind = \"127.0.0.1:80\"\n\
             tls.certificates = [{ cert = \"both.pem\", key = \"both.pem\" }]\n\
             [routes.a]\nupstream = \"a\"\n\
             [upstreams.a]\nendpoints = [\"https://a\"]\ntls.ca = \"both.pem\"\n",
        );
        // As a configuration, too: nobody would, until somebody does.
        for source in [weir, folder.path().join("both.pem")] {
            let told = match load(&Source::Path(source), &Environment::default(), &[]) {
                Ok(config) => format!("{:?}", config.warnings),
                Err(problems) => format!("{problems} {problems:?}"),
            };
            for secret in &secrets {
                let half = &secret[secret.len() / 2..];
                assert!(!told.contains(half), "{told}");
                assert!(!told.contains(&secret[..secret.len() / 2]), "{told}");
            }
        }
    }
}
