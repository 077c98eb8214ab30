//! The keys of the configuration, and which of them a token is verified with.
//!
//! In: PEM, JWK or a secret, parsed once. Out: whether a signature is good.
//! Never: lets the token choose: a key of one type never sees an algorithm of another.

use hmac::{Hmac, KeyInit};
use rsa::RsaPublicKey;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::pkcs8::Document;
use rsa::pkcs8::der::Decode;
use rsa::pkcs8::der::oid::ObjectIdentifier;
use rsa::pkcs8::spki::SubjectPublicKeyInfoRef;
use rsa::traits::PublicKeyParts;
use weir_sdk::{Error, Problems, Result, Secret, bail};

use crate::algorithm::{ALL, Algorithm};
use crate::jwk::Jwks;
use crate::material::Material;
use crate::refusal::Refusal;

/// The keys of the configuration.
pub struct Keys(Vec<Key>);

/// One key.
pub struct Key {
    pub id: Option<String>,
    /// What it may verify.
    pub algorithms: Vec<Algorithm>,
    material: Material,
}

/// What the keys that are tried for one token may cost together, in microseconds: well below the 50 ms
/// that a hook has by default. One is tried in any case.
const MAX_COST: u64 = 12_000;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

// === impl Keys ===

impl Keys {
    /// Takes the keys from one of the three ways to give them; keeps those that `wanted` has use
    /// for.
    pub fn new(
        wanted: Vec<Algorithm>,
        secret: Option<Secret>,
        pem: Option<String>,
        jwks: Option<Jwks>,
    ) -> Result<Self> {
        let mut keys = match (secret, pem, jwks) {
            (Some(secret), None, None) => {
                let key = Key::secret(secret.expose().as_bytes());
                vec![key.map_err(|error| error.at("secret"))?]
            }
            (None, Some(pem), None) => {
                vec![Key::pem(&pem).map_err(|error| error.at("public_key"))?]
            }
            (None, None, Some(jwks)) => jwks.keys().map_err(|error| error.at("jwks"))?,
            (secret, pem, jwks) => {
                let error =
                    Error::new("exactly one of `secret`, `public_key` and `jwks` is needed");
                let given = [("jwks", jwks.is_some()), ("public_key", pem.is_some())];
                let more =
                    given.iter().find(|(_, given)| *given && (secret.is_some() || pem.is_some()));
                return Err(match more {
                    Some((key, _)) => error.help("remove the others").at(key),
                    None => error,
                });
            }
        };
        if !wanted.is_empty() {
            let mut problems = Problems::new();
            for (at, algorithm) in wanted.iter().enumerate() {
                let fits = keys.iter().any(|key| key.algorithms.contains(algorithm));
                let name = ALL.iter().find(|(_, known)| known == algorithm).map(|(name, _)| *name);
                if let (Some(name), false) = (name, fits) {
                    let help = "HS384 and HS512 need a secret of at least 48 and 64 bytes, the \
                                others a key of their own type";
                    let error = Error::new(format!("no key can verify {name}"));
                    problems.add(error.help(help).at(at).at("algorithms"));
                }
            }
            problems.or(())?;
            for key in &mut keys {
                key.algorithms.retain(|algorithm| wanted.contains(algorithm));
            }
            keys.retain(|key| !key.algorithms.is_empty());
        }
        Ok(Self(keys))
    }

    /// Verifies with the keys that bear the token's `kid`; if none does, or the token has none,
    /// with those without, or all. In their order, and as many as [`MAX_COST`] allows: whoever has
    /// many keys signs with a `kid`.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), Refusal> {
        let named = |key: &&Key| id.is_some() && key.id.as_deref() == id;
        let id_is_known = self.0.iter().any(|key| named(&key));
        let fits = |key: &&Key| match id {
            None => true,
            Some(_) if id_is_known => named(key),
            Some(_) => key.id.is_none(),
        };
        let mut refusal = Refusal::Algorithm;
        let mut cost = 0;
        for key in self.0.iter().filter(fits) {
            if key.algorithms.contains(&algorithm) {
                cost += key.material.cost(signed.len());
                if cost > MAX_COST && refusal == Refusal::Signature {
                    break;
                }
                if key.material.verify(algorithm, signed, signature) {
                    return Ok(());
                }
                refusal = Refusal::Signature;
            }
        }
        Err(refusal)
    }
}

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

    fn of(material: Material) -> Self {
        Self { id: None, algorithms: material.algorithms(), material }
    }
}

fn not_a_point(_: p256::ecdsa::Error) -> Error {
    Error::new("it is no point on its curve")
}
