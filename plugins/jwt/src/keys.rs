//! The keys of the configuration, and which of them a token is verified with.
//!
//! In: the three ways to give them. Out: whether a signature is good.
//! Never: tries more of them for one token than its time allows.

use weir_sdk::{Error, Problems, Result, Secret};

use crate::algorithm::{ALL, Algorithm};
use crate::jwk::Jwks;
use crate::key::Key;
use crate::refusal::Refusal;

/// The keys of the configuration.
pub struct Keys(Vec<Key>);

/// What the keys that are tried for one token may cost together, in microseconds: well below the 50 ms
/// that a hook has by default. One is tried in any case.
const MAX_COST: u64 = 12_000;

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
                cost += key.cost(signed.len());
                if cost > MAX_COST && refusal == Refusal::Signature {
                    break;
                }
                if key.verify(algorithm, signed, signature) {
                    return Ok(());
                }
                refusal = Refusal::Signature;
            }
        }
        Err(refusal)
    }
}
