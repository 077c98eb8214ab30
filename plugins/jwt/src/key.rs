//! One key.
//!
//! In: PEM, the parts of a JWK or a secret, parsed once. Out: whether a signature is good.
//! Never: lets the token choose: a key of one type never sees an algorithm of another.

use hmac::{Hmac, KeyInit};
use rsa::RsaPublicKey;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::pkcs8::Document;
use rsa::pkcs8::der::Decode;
use rsa::pkcs8::der::oid::ObjectIdentifier;
use rsa::pkcs8::spki::SubjectPublicKeyInfoRef;
use rsa::traits::PublicKeyParts;
use weir_sdk::{Error, Result, bail};

use crate::algorithm::Algorithm;
use crate::material::Material;

/// One key.
pub struct Key {
    pub id: Option<String>,
    /// What it may verify.
    pub algorithms: Vec<Algorithm>,
    material: Material,
}

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

// === impl Key ===

impl Key {
    /// A secret for HMAC; it has to be as long as the hash (RFC 7518, 3.2).
    pub fn secret(secret: &[u8]) -> Result<Self> {
        if secret.len() < 32 {
            bail!("it has {} bytes, HS256 needs at least 32 (RFC 7518, 3.2)", secret.len());
        }
        Ok(Self::of(Material::Secret {
            hs256: Hmac::new_from_slice(secret)?,
            hs384: Box::new(Hmac::new_from_slice(secret)?),
            hs512: Box::new(Hmac::new_from_slice(secret)?),
            bytes: secret.len(),
        }))
    }

    pub fn pem(pem: &str) -> Result<Self> {
        let pem = pem.trim();
        let label = pem
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.split_once("-----"))
            .map(|(label, _)| label);
        let der = || Document::from_pem(pem).map(|(_, document)| document);
        match label {
            Some("PUBLIC KEY") => Self::spki(der()?.as_bytes()),
            Some("RSA PUBLIC KEY") => Self::rsa(RsaPublicKey::from_pkcs1_der(der()?.as_bytes())?),
            Some(label) if label.ends_with("PRIVATE KEY") => {
                bail!("it is a private key; give the public one, and keep this one secret")
            }
            Some(label) => {
                bail!("it is a `{label}`; `PUBLIC KEY` and `RSA PUBLIC KEY` are understood")
            }
            None => bail!("it is no PEM: that begins with -----BEGIN PUBLIC KEY-----"),
        }
    }

    fn spki(der: &[u8]) -> Result<Self> {
        let info = SubjectPublicKeyInfoRef::from_der(der)?;
        let key = info.subject_public_key.raw_bytes();
        match info.algorithm.oid {
            RSA_ENCRYPTION => Self::rsa(RsaPublicKey::from_pkcs1_der(key)?),
            EC_PUBLIC_KEY => match info.algorithm.parameters_oid()? {
                P256 => Self::p256(key),
                P384 => Self::p384(key),
                P521 => Self::p521(key),
                other => bail!("the curve {other} is none of P-256, P-384 and P-521"),
            },
            ED25519 => Self::ed25519(key),
            other => bail!("{other} is the type of no key that signs tokens"),
        }
    }

    pub fn rsa(key: RsaPublicKey) -> Result<Self> {
        if key.n().bits() < 2048 {
            bail!("an RSA key has at least 2048 bits (RFC 7518, 3.3), this has {}", key.n().bits());
        }
        Ok(Self::of(Material::Rsa(Box::new(key))))
    }

    /// A point as SEC 1 writes it.
    pub fn p256(point: &[u8]) -> Result<Self> {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(not_a_point)?;
        Ok(Self::of(Material::P256(Box::new(key))))
    }

    pub fn p384(point: &[u8]) -> Result<Self> {
        let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(not_a_point)?;
        Ok(Self::of(Material::P384(Box::new(key))))
    }

    pub fn p521(point: &[u8]) -> Result<Self> {
        let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(not_a_point)?;
        Ok(Self::of(Material::P521(Box::new(key))))
    }

    pub fn ed25519(key: &[u8]) -> Result<Self> {
        let key = ed25519_dalek::VerifyingKey::try_from(key).map_err(not_a_point)?;
        Ok(Self::of(Material::Ed25519(Box::new(key))))
    }

    /// What verifying so many bytes takes, in microseconds.
    pub fn cost(&self, length: usize) -> u64 {
        self.material.cost(length)
    }

    /// Whether the signature is good.
    pub fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        self.material.verify(algorithm, signed, signature)
    }

    fn of(material: Material) -> Self {
        Self { id: None, algorithms: material.algorithms(), material }
    }
}

fn not_a_point(_: p256::ecdsa::Error) -> Error {
    Error::new("it is no point on its curve")
}
