//! Certificates made for a test.

use std::path::{Path, PathBuf};

/// An authority and one certificate that it signed.
pub struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    /// For these names or addresses.
    pub fn for_names(names: &[&str]) -> Certificates {
        let folder = tempfile::tempdir().expect("a folder");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let ca_key = rcgen::KeyPair::generate().expect("a key");
        let mut ca = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_certificate = ca.self_signed(&ca_key).expect("an authority");
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate().expect("a key");
        let leaf = rcgen::CertificateParams::new(names).expect("names");
        let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
        for (file, text) in [
            ("ca.pem", ca_certificate.pem()),
            ("cert.pem", leaf.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            std::fs::write(folder.path().join(file), text).expect("written");
        }
        Certificates { folder }
    }

    /// As `openssl req -x509` makes it: an authority that is the server's certificate itself.
    pub fn self_signed(names: &[&str]) -> Certificates {
        let folder = tempfile::tempdir().expect("a folder");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut parameters = rcgen::CertificateParams::new(names).expect("parameters");
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).expect("a certificate").pem();
        for (file, text) in [
            ("ca.pem", &certificate),
            ("cert.pem", &certificate),
            ("key.pem", &key.serialize_pem()),
        ] {
            std::fs::write(folder.path().join(file), text).expect("written");
        }
        Certificates { folder }
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn cert(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Certificates {
    /// For a TLS origin.
    pub fn server_config(&self, h2: bool) -> std::sync::Arc<rustls::ServerConfig> {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let certificate = CertificateDer::from_pem_file(self.cert()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(self.key()).expect("a key");
        let mut config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a pair");
        if h2 {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        config.into()
    }

    /// For a TLS client that trusts the authority.
    pub fn client_config(&self, alpn: &[&[u8]]) -> std::sync::Arc<rustls::ClientConfig> {
        let mut config = rustls::ClientConfig::clone(&self.client_config_of(rustls::ALL_VERSIONS));
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config.into()
    }

    /// The same, that speaks these versions only.
    pub fn client_config_of(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> std::sync::Arc<rustls::ClientConfig> {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject as _;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.ca()).expect("an authority")).expect("added");
        rustls::ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(roots)
            .with_no_client_auth()
            .into()
    }
}
