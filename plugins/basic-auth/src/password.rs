//! Passwords as they are kept: hashed, or plain from a secret.
//!
//! In: the text of the configuration, then candidates. Out: whether a candidate is the password.
//! Never: finds out at the first request that a hash is none, or takes what could not be computed for a
//! wrong password.

use argon2::password_hash::phc::PasswordHash as ArgonHash;
use argon2::password_hash::{self, PasswordVerifier};
use argon2::{Argon2, MIN_SALT_LEN, Params, Version};
use base64ct::{Base64ShaCrypt, Encoding};
use sha_crypt::{PasswordHashRef, ShaCrypt};
use weir_sdk::{Error, Result, Secret, bail};

use crate::cost::Cost;

/// A password as it is kept.
pub enum Password {
    Plain(Secret),
    Bcrypt(Secret, Cost),
    Argon2(Box<ArgonHash>, Cost),
    ShaCrypt(Secret, Cost),
}

// === impl Password ===

impl Password {
    pub fn parse(secret: Secret) -> Result<Self> {
        let text = secret.expose();
        if let Some(plain) = text.strip_prefix("plain:") {
            if plain.is_empty() {
                bail!("the password is empty: anybody could send it");
            }
            return Ok(Self::Plain(plain.into()));
        }
        match text.split('$').nth(1) {
            Some("2a" | "2b" | "2x" | "2y") if text.starts_with('$') => {
                let hash: bcrypt::HashParts = text.parse().map_err(|_| malformed("bcrypt"))?;
                if text.len() != 60 || !(4..=31).contains(&hash.get_cost()) {
                    return Err(malformed("bcrypt"));
                }
                Ok(Self::Bcrypt(secret, Cost::Bcrypt(hash.get_cost())))
            }
            Some("argon2id") if text.starts_with('$') => {
                let hash = ArgonHash::new(text).map_err(|_| malformed("argon2id"))?;
                let params = Params::try_from(&hash).map_err(|_| malformed("argon2id"))?;
                let has_salt = hash.salt.as_ref().is_some_and(|salt| salt.len() >= MIN_SALT_LEN);
                let is_known = hash.version.is_none_or(|number| Version::try_from(number).is_ok());
                if !has_salt || !is_known || hash.hash.is_none() {
                    return Err(malformed("argon2id"));
                }
                let cost = Cost::Argon2 { kibibytes: params.m_cost(), passes: params.t_cost() };
                Ok(Self::Argon2(Box::new(hash), cost))
            }
            Some("5" | "6") if text.starts_with('$') => {
                let rounds = sha_crypt_rounds(text).ok_or_else(|| malformed("sha-crypt"))?;
                let cost = if text.starts_with("$5") { Cost::Sha256 } else { Cost::Sha512 };
                Ok(Self::ShaCrypt(secret, cost(rounds)))
            }
            _ => {
                let error = "it is no hash of a kind known here ($2b$, $argon2id$, $5$, $6$)";
                Err(Error::new(error).help("a password itself is written as \"plain:…\""))
            }
        }
    }

    /// What it takes to compare with it; `None`: next to nothing.
    pub fn cost(&self) -> Option<Cost> {
        match self {
            Self::Plain(_) => None,
            Self::Bcrypt(_, cost) | Self::Argon2(_, cost) | Self::ShaCrypt(_, cost) => Some(*cost),
        }
    }

    /// Compares in constant time; hashing takes as long as the hash says.
    ///
    /// # Errors
    /// It could not be computed, for lack of memory. What lacks time is ended by the proxy.
    pub fn matches(&self, candidate: &[u8]) -> Result<bool> {
        match self {
            Self::Plain(password) => Ok(password.matches(candidate)),
            Self::Bcrypt(hash, _) => bcrypt::verify(candidate, hash.expose())
                .map_err(|error| Error::new(error.to_string())),
            Self::Argon2(hash, _) => {
                verified(Argon2::default().verify_password(candidate, &**hash))
            }
            Self::ShaCrypt(hash, _) => {
                let hash = PasswordHashRef::new(hash.expose())?;
                verified(ShaCrypt::SHA256.verify_password(candidate, hash))
            }
        }
    }
}

/// Only one of these errors says that the password is another.
pub fn verified(outcome: password_hash::Result<()>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// How many it has: `$5$rounds=5000$salt$hash`, or 5000 without them.
fn sha_crypt_rounds(text: &str) -> Option<u32> {
    PasswordHashRef::new(text).ok()?;
    let mut fields = text.split('$').skip(1);
    let length = match fields.next()? {
        "5" => 43,
        _ => 86,
    };
    let mut salt = fields.next()?;
    let mut rounds = 5_000;
    if let Some(written) = salt.strip_prefix("rounds=") {
        rounds = written.parse().ok()?;
        if !(1_000..=999_999_999).contains(&rounds) {
            return None;
        }
        salt = fields.next()?;
    }
    let hash = fields.next()?;
    let is_whole = hash.len() == length && Base64ShaCrypt::decode(hash, &mut [0; 64]).is_ok();
    (salt.len() <= 16 && is_whole && fields.next().is_none()).then_some(rounds)
}

/// Without the text: it is a secret.
fn malformed(kind: &str) -> Error {
    Error::new(format!("it begins as a {kind} hash but is none")).help("copy the whole of it")
}
