//! Passwords as they are kept: hashed, or plain from a secret.
//!
//! In: the text of the configuration, then candidates. Out: whether a candidate is the password.
//! Never: finds out at the first request that a hash is none.

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash as ArgonHash;
use sha_crypt::{PasswordHashRef, ShaCrypt};
use weir_sdk::{Error, Result, Secret, bail};

/// A password as it is kept.
pub enum Password {
    Plain(Secret),
    Bcrypt(Secret),
    Argon2(Box<ArgonHash>),
    ShaCrypt(Secret),
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
                Ok(Self::Bcrypt(secret))
            }
            Some("argon2id") if text.starts_with('$') => {
                let hash = ArgonHash::new(text).map_err(|_| malformed("argon2id"))?;
                argon2::Params::try_from(&hash).map_err(|_| malformed("argon2id"))?;
                if hash.salt.is_none() || hash.hash.is_none() {
                    return Err(malformed("argon2id"));
                }
                Ok(Self::Argon2(Box::new(hash)))
            }
            Some("5" | "6") if text.starts_with('$') => {
                sha_crypt_fields(text).ok_or_else(|| malformed("sha-crypt"))?;
                Ok(Self::ShaCrypt(secret))
            }
            _ => {
                let error = "it is no hash of a kind known here ($2b$, $argon2id$, $5$, $6$)";
                Err(Error::new(error).help("a password itself is written as \"plain:…\""))
            }
        }
    }

    /// Whether to compare costs next to nothing.
    pub fn is_cheap(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Compares in constant time; hashing takes as long as the hash says.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        match self {
            Self::Plain(password) => password.matches(candidate),
            Self::Bcrypt(hash) => bcrypt::verify(candidate, hash.expose()).unwrap_or(false),
            Self::Argon2(hash) => Argon2::default().verify_password(candidate, &**hash).is_ok(),
            Self::ShaCrypt(hash) => PasswordHashRef::new(hash.expose())
                .is_ok_and(|hash| ShaCrypt::SHA256.verify_password(candidate, hash).is_ok()),
        }
    }
}

/// `$5$rounds=5000$salt$hash`, or without the rounds.
fn sha_crypt_fields(text: &str) -> Option<()> {
    PasswordHashRef::new(text).ok()?;
    let mut fields = text.split('$').skip(1);
    let length = match fields.next()? {
        "5" => 43,
        _ => 86,
    };
    let mut salt = fields.next()?;
    if let Some(rounds) = salt.strip_prefix("rounds=") {
        let rounds: u32 = rounds.parse().ok()?;
        if !(1_000..=999_999_999).contains(&rounds) {
            return None;
        }
        salt = fields.next()?;
    }
    let hash = fields.next()?;
    (salt.len() <= 16 && hash.len() == length && fields.next().is_none()).then_some(())
}

/// Without the text: it is a secret.
fn malformed(kind: &str) -> Error {
    Error::new(format!("it begins as a {kind} hash but is none")).help("copy the whole of it")
}
