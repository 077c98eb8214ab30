//! The configuration as the operator writes it.

use std::collections::BTreeMap;

use weir_sdk::{Duration, FieldName, Secret};

use crate::algorithm::Algorithm;
use crate::jwk::Jwks;

/// What the operator writes under `config = { … }`.
#[weir_sdk::config]
pub struct Config {
    /// The signatures that are accepted; without it, all that fit the keys.
    #[serde(default)]
    pub algorithms: Vec<Algorithm>,
    /// The secret of HS256, HS384 or HS512; at least 32, 48 or 64 bytes.
    pub secret: Option<Secret>,
    /// A public key as PEM: `PUBLIC KEY` or `RSA PUBLIC KEY`.
    pub public_key: Option<String>,
    /// A JSON Web Key Set (RFC 7517), as a table or as JSON text.
    pub jwks: Option<Jwks>,
    /// The header field that carries the token; empty: none does.
    #[serde(default = "header")]
    #[schema(credential = "header")]
    pub header: String,
    /// The query parameter that may carry the token instead.
    #[schema(credential = "query")]
    pub query: Option<String>,
    /// The cookie that may carry the token instead.
    #[schema(credential = "cookie")]
    pub cookie: Option<String>,
    /// Who may have issued the token (`iss`).
    pub issuer: Option<Texts>,
    /// For whom the token has to be (`aud`): any of these.
    pub audience: Option<Texts>,
    /// How far clocks may differ, for `exp` and `nbf`.
    #[serde(default = "leeway")]
    pub leeway: Duration,
    /// Claims that a token has to have.
    #[serde(default = "require")]
    pub require: Vec<String>,
    /// Claims, and the header fields that tell them to the upstream.
    #[serde(default)]
    pub claims_to_headers: BTreeMap<String, FieldName>,
    /// Takes the token out of what the upstream sees.
    #[serde(default)]
    pub hide: bool,
    /// The protection space that a 401 names.
    #[serde(default = "realm")]
    pub realm: String,
    /// The number of good tokens that an instance remembers, so that it need not verify their
    /// signatures again; 0: none.
    #[serde(default = "cache")]
    pub cache: usize,
}

/// One text or several.
#[weir_sdk::config]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}

fn header() -> String {
    "authorization".into()
}

fn leeway() -> Duration {
    Duration::from_secs(30)
}

fn require() -> Vec<String> {
    vec!["exp".into()]
}

fn realm() -> String {
    "restricted".into()
}

fn cache() -> usize {
    256
}

// === impl Texts ===

impl From<Texts> for Vec<String> {
    fn from(texts: Texts) -> Self {
        match texts {
            Texts::One(text) => vec![text],
            Texts::Many(texts) => texts,
        }
    }
}
