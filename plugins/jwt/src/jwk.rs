//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).
//!
//! In: a set of keys as the operator pastes it. Out: the keys that can verify a token.
//! Never: stumbles over a key of a type it does not know (RFC 7517, 5), or takes a private one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::{BoxedUint, RsaPublicKey};
use serde::Deserialize;
use weir_sdk::{Error, Problems, Result, Schema, Secret, bail};

use crate::algorithm::Algorithm;
use crate::key::Key;

/// A set of keys: a table, or JSON text.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Jwks {
    Text(Secret),
    Set(Set),
}

#[derive(Deserialize)]
pub struct Set {
    keys: Vec<Jwk>,
}

/// One key; members that do not matter here are left out.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// The secret of an `oct` key.
    k: Option<Secret>,
    /// Whether it is a private key.
    d: Option<serde::de::IgnoredAny>,
}

impl Schema for Jwks {
    fn members(out: &mut String) {
        out.push_str(r#""type":["string","object"],"writeOnly":true"#);
    }
}

// === impl Jwks ===

impl Jwks {
    pub fn keys(self) -> Result<Vec<Key>> {
        let set = match self {
            Self::Set(set) => set,
            // The error of the reader could quote a secret.
            Self::Text(text) => serde_json::from_str(text.expose())
                .map_err(|_| Error::new("it is no JSON object with a list of `keys` (RFC 7517)"))?,
        };
        let mut keys = Vec::new();
        let mut problems = Problems::new();
        for (at, jwk) in set.keys.into_iter().enumerate() {
            let key = jwk.key().map_err(|error| error.at(at).at("keys"));
            keys.extend(problems.take(key).flatten());
        }
        problems.or(())?;
        if keys.is_empty() {
            bail!("none of its keys can verify a token");
        }
        Ok(keys)
    }
}

// === impl Jwk ===

impl Jwk {
    /// The key; `None` if it is for something else, or of a type not known here.
    fn key(self) -> Result<Option<Key>> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Ok(None);
        }
        if self.d.is_some() {
            bail!("it is a private key; give the public one, and keep this one secret");
        }
        let curve = self.crv.as_deref().unwrap_or_default();
        let mut key = match (self.kty.as_str(), curve) {
            ("oct", _) => {
                let secret = self.k.as_ref().map(Secret::expose);
                Key::secret(&bytes("k", secret)?)?
            }
            ("RSA", _) => {
                let number = |name, text: &Option<String>| {
                    bytes(name, text.as_deref())
                        .map(|bytes| BoxedUint::from_be_slice_vartime(&bytes))
                };
                let (n, e) = (number("n", &self.n)?, number("e", &self.e)?);
                Key::rsa(RsaPublicKey::new(n, e)?)?
            }
            ("EC", "P-256") => Key::p256(&self.point(32)?)?,
            ("EC", "P-384") => Key::p384(&self.point(48)?)?,
            ("EC", "P-521") => Key::p521(&self.point(66)?)?,
            ("OKP", "Ed25519") => Key::ed25519(&bytes("x", self.x.as_deref())?)?,
            _ => return Ok(None),
        };
        if let Some(name) = &self.alg {
            let only = Algorithm::named(name);
            key.algorithms.retain(|algorithm| Some(*algorithm) == only);
        }
        key.id = self.kid;
        Ok(Some(key).filter(|key| !key.algorithms.is_empty()))
    }

    /// The point as SEC 1 writes it, uncompressed.
    fn point(&self, length: usize) -> Result<Vec<u8>> {
        let mut point = vec![4];
        for (name, text) in [("x", &self.x), ("y", &self.y)] {
            let coordinate = bytes(name, text.as_deref())?;
            if coordinate.len() != length {
                bail!("`{name}` has {} bytes, its curve has {length}", coordinate.len());
            }
            point.extend(coordinate);
        }
        Ok(point)
    }
}

fn bytes(name: &str, text: Option<&str>) -> Result<Vec<u8>> {
    let Some(text) = text else { bail!("`{name}` is missing") };
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| Error::new(format!("`{name}` is no base64url without padding")))
}
