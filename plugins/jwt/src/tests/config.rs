//! Configurations that are refused, and what the operator is told.

use weir_sdk::serde_json::{Value, json};
use weir_sdk::testing;

use super::vectors::*;
use super::{SECRET, encode};
use crate::Jwt;

#[test]
fn a_wrong_configuration_says_what_to_write_and_shows_no_secret() {
    let key = |jwk: Value| json!({ "jwks": { "keys": [jwk] } });
    let short = "topsecret";
    for (config, says) in [
        (json!({}), "exactly one of"),
        (json!({ "secret": SECRET, "public_key": RSA }), "exactly one of"),
        (json!({ "secret": short }), "secret: it has 9 bytes, HS256 needs at least 32"),
        (json!({ "secret": &SECRET[..40], "algorithms": ["HS512"] }), "no key can verify HS512"),
        (json!({ "secret": SECRET, "algorithms": ["RS256"] }), "no key can verify RS256"),
        (json!({ "public_key": RSA, "algorithms": ["RS256", "ES256"] }), "no key can verify ES256"),
        (json!({ "secret": SECRET, "algorithms": ["none"] }), "unknown variant"),
        (json!({ "public_key": "topsecret" }), "public_key: "),
        (json!({ "public_key": RSA_1024 }), "at least 2048 bits"),
        (json!({ "public_key": X25519 }), "the type of no key that signs tokens"),
        (json!({ "public_key": "-----BEGIN PRIVATE KEY-----\ntopsecret" }), "it is a private key"),
        (
            json!({ "public_key": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }),
            "`CERTIFICATE`",
        ),
        (json!({ "jwks": "topsecret" }), "no JSON object with a list of `keys`"),
        (json!({ "jwks": { "keys": [] } }), "none of its keys"),
        (key(json!({ "kty": "X", "k": "topsecret" })), "none of its keys"),
        (key(json!({ "kty": "oct", "k": encode(SECRET), "use": "enc" })), "none of its keys"),
        (key(json!({ "kty": "oct", "k": encode(SECRET), "alg": "A256KW" })), "none of its keys"),
        (key(json!({ "kty": "oct", "k": "topsecretabc" })), "keys[0]: it has"),
        (key(json!({ "kty": "oct", "k": "=topsecret" })), "keys[0]: `k` is no base64url"),
        (key(json!({ "kty": "oct" })), "keys[0]: `k` is missing"),
        (key(json!({ "kty": "RSA", "n": "AQAB" })), "keys[0]: `e` is missing"),
        (key(json!({ "kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB" })), "`x` has 3 bytes"),
        (
            key(json!({ "kty": "EC", "crv": "P-256", "x": encode([1; 32]), "y": encode([1; 32]) })),
            "no point on its curve",
        ),
        (
            key(json!({ "kty": "OKP", "crv": "Ed25519", "x": encode([7; 31]), "d": "topsecret" })),
            "keys[0]: it is a private key",
        ),
        (json!({ "secret": SECRET, "header": "" }), "no place for a token"),
        (json!({ "secret": SECRET, "realm": "\"" }), "realm: a realm has no quotes"),
        (json!({ "secret": SECRET, "leeway": 30 }), "leeway"),
        (json!({ "secret": SECRET, "claim": [] }), "unknown field `claim`"),
    ] {
        let text = config.to_string();
        let error = testing::Plugin::<Jwt>::configure(config).err().map(|error| error.to_string());
        let error = error.unwrap_or_else(|| panic!("accepted: {text}"));
        assert!(error.contains(says), "{text}: {error}");
        assert!(!error.contains("topsecret") && !error.contains(&SECRET[..40]), "{error}");
    }
}
