//! What a key is made of, and the signatures that it can verify (RFC 7518, 3; RFC 8037, 3.1).
//!
//! In: what was signed, and a signature. Out: whether it is good.
//! Never: gives an algorithm a key of another type: what has no line here is not good.

use hmac::{Hmac, Mac};
use p256::ecdsa::signature::Verifier;
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, Pss, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::algorithm::Algorithm;

/// A key by its type.
pub enum Material {
    /// Hash states that have taken in the padded key already, both of them.
    Secret {
        hs256: Hmac<Sha256>,
        hs384: Box<Hmac<Sha384>>,
        hs512: Box<Hmac<Sha512>>,
        bytes: usize,
    },
    Rsa(Box<RsaPublicKey>),
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    P521(Box<p521::ecdsa::VerifyingKey>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
}

// === impl Material ===

impl Material {
    /// What a key of this type, and this length, may verify.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        use Algorithm::*;
        match self {
            Self::Secret { bytes, .. } => [(HS256, 32), (HS384, 48), (HS512, 64)]
                .into_iter()
                .filter(|(_, least)| bytes >= least)
                .map(|(algorithm, _)| algorithm)
                .collect(),
            Self::Rsa(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
            Self::P256(_) => vec![ES256],
            Self::P384(_) => vec![ES384],
            Self::P521(_) => vec![ES512],
            Self::Ed25519(_) => vec![EdDSA],
        }
    }

    /// What a verification costs, in microseconds as the README measured them, hashing `length` bytes
    /// included.
    pub fn cost(&self, length: usize) -> u64 {
        let key = match self {
            Self::Secret { .. } => 3,
            Self::Ed25519(_) => 100,
            // Squared with the length; this for 2,048 bits.
            Self::Rsa(key) => {
                let bits = u64::from(key.n().bits()).min(1 << 20);
                450 * bits * bits / (2048 * 2048)
            }
            Self::P256(_) => 600,
            Self::P384(_) => 2_600,
            Self::P521(_) => 3_300,
        };
        key + length as u64 / 128
    }

    /// Whether the signature is good.
    pub fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        use Algorithm::*;
        match (self, algorithm) {
            (Self::Secret { hs256, .. }, HS256) => mac(hs256, signed, signature),
            (Self::Secret { hs384, .. }, HS384) => mac(&**hs384, signed, signature),
            (Self::Secret { hs512, .. }, HS512) => mac(&**hs512, signed, signature),
            (Self::Rsa(key), RS256) => {
                let scheme = Pkcs1v15Sign::new::<Sha256>();
                key.verify(scheme, &Sha256::digest(signed), signature).is_ok()
            }
            (Self::Rsa(key), RS384) => {
                let scheme = Pkcs1v15Sign::new::<Sha384>();
                key.verify(scheme, &Sha384::digest(signed), signature).is_ok()
            }
            (Self::Rsa(key), RS512) => {
                let scheme = Pkcs1v15Sign::new::<Sha512>();
                key.verify(scheme, &Sha512::digest(signed), signature).is_ok()
            }
            // The salt is as long as the hash (RFC 7518, 3.5).
            (Self::Rsa(key), PS256) => {
                let scheme = Pss::<Sha256>::new_with_salt(32);
                key.verify(scheme, &Sha256::digest(signed), signature).is_ok()
            }
            (Self::Rsa(key), PS384) => {
                let scheme = Pss::<Sha384>::new_with_salt(48);
                key.verify(scheme, &Sha384::digest(signed), signature).is_ok()
            }
            (Self::Rsa(key), PS512) => {
                let scheme = Pss::<Sha512>::new_with_salt(64);
                key.verify(scheme, &Sha512::digest(signed), signature).is_ok()
            }
            (Self::P256(key), ES256) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
            (Self::P384(key), ES384) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
            (Self::P521(key), ES512) => p521::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
            (Self::Ed25519(key), EdDSA) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok()),
            _ => false,
        }
    }
}

/// Compares in constant time, and the whole of it.
fn mac<M: Mac + Clone>(keyed: &M, signed: &[u8], signature: &[u8]) -> bool {
    keyed.clone().chain_update(signed).verify_slice(signature).is_ok()
}
