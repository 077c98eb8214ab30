mod config;
mod rfc;
mod vectors;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};
use weir_sdk::serde_json::{Value, json};
use weir_sdk::testing::{self, FakeRequest, request};

use super::Jwt;
use vectors::*;

/// Long enough for HS512.
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// When the fake proxy's clock starts.
const NOW: u64 = 1_767_225_600;

fn proxy(config: Value) -> testing::Plugin<Jwt> {
    testing::Plugin::configure(config).unwrap()
}

fn bearer(token: &str) -> FakeRequest {
    request("GET", "/").header("authorization", format!("Bearer {token}"))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token signed with [`SECRET`], whatever its header says.
fn sign(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let mac = |key: &[u8]| match header {
        _ if header.contains("HS384") => mac::<Hmac<Sha384>>(key, &signed),
        _ if header.contains("HS512") => mac::<Hmac<Sha512>>(key, &signed),
        _ => mac::<Hmac<Sha256>>(key, &signed),
    };
    let signature = mac(SECRET.as_bytes());
    format!("{signed}.{signature}")
}

fn mac<M: Mac + KeyInit>(key: &[u8], signed: &str) -> String {
    let mac = <M as KeyInit>::new_from_slice(key).unwrap().chain_update(signed);
    encode(mac.finalize().into_bytes())
}

fn token(claims: Value) -> String {
    sign(r#"{"alg":"HS256"}"#, &claims.to_string())
}

/// What a request with this token meets: nothing, or what the client is told.
fn refusal(proxy: &mut testing::Plugin<Jwt>, request: FakeRequest) -> Option<String> {
    let exchange = proxy.request(request);
    if exchange.is_forwarded() {
        return None;
    }
    let response = exchange.response();
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    Some(response.header("www-authenticate").unwrap().to_owned())
}

#[test]
fn every_algorithm_verifies_with_its_key_and_no_other() {
    let keys = [RSA, ES256, ES384, ES512, ED25519];
    for (algorithm, key, token) in TOKENS {
        for other in keys {
            let mut proxy = proxy(json!({ "public_key": other }));
            let exchange = proxy.request(bearer(token));
            assert_eq!(exchange.is_forwarded(), other == key, "{algorithm}");
            if other == key {
                assert_eq!(exchange.attribute("auth.subject").as_deref(), Some("alice"));
                assert_eq!(exchange.attribute("auth.scheme").as_deref(), Some("bearer"));
            }
        }
        let mut only = proxy(json!({ "public_key": key, "algorithms": [algorithm] }));
        assert!(only.request(bearer(token)).is_forwarded(), "{algorithm}");
        let mut spoilt = token.to_owned().into_bytes();
        let at = spoilt.len() - 10;
        spoilt[at] = if spoilt[at] == b'A' { b'B' } else { b'A' };
        let spoilt = String::from_utf8(spoilt).unwrap();
        let told = refusal(&mut only, bearer(&spoilt)).unwrap();
        assert!(told.contains("the signature of the token is not valid"), "{algorithm}: {told}");
    }
    let (_, _, rs256) = TOKENS[0];
    assert!(proxy(json!({ "public_key": RSA_PKCS1 })).request(bearer(rs256)).is_forwarded());
    let mut narrow = proxy(json!({ "public_key": RSA, "algorithms": ["PS256", "RS384"] }));
    assert!(refusal(&mut narrow, bearer(rs256)).unwrap().contains("in a way that is not accepted"));
}

#[test]
fn a_public_key_is_never_a_secret() {
    // The classic: the attacker signs with the text of the public key by HMAC.
    for pem in [RSA, ES256, ED25519] {
        for key in [pem, pem.trim()] {
            let signed = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), encode(r#"{"exp":1e10}"#));
            let forged = format!("{signed}.{}", mac::<Hmac<Sha256>>(key.as_bytes(), &signed));
            let told = refusal(&mut proxy(json!({ "public_key": pem })), bearer(&forged));
            assert!(told.unwrap().contains("in a way that is not accepted"));
        }
    }
}

#[test]
fn headers_of_tokens_are_read_strictly() {
    for (header, told) in [
        (r#"{"alg":"HS256"}"#, None),
        (r#"{"alg":"HS384","typ":"JWT"}"#, None),
        (r#"{"alg":"HS512","kid":"any","x":{"y":[1]}}"#, None),
        (r#"{"alg":"none"}"#, Some("in a way that is not accepted")),
        (r#"{"alg":"None"}"#, Some("in a way that is not accepted")),
        (r#"{"alg":"hs256"}"#, Some("in a way that is not accepted")),
        (r#"{"alg":"RS256"}"#, Some("in a way that is not accepted")),
        (r#"{"alg":"HS256","alg":"HS256"}"#, Some("malformed")),
        (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, Some("malformed")),
        (r#"{"alg":["HS256"]}"#, Some("malformed")),
        (r#"{"typ":"JWT"}"#, Some("malformed")),
        (r#""HS256""#, Some("malformed")),
        ("", Some("malformed")),
    ] {
        let mut proxy = proxy(json!({ "secret": SECRET }));
        let found = refusal(&mut proxy, bearer(&sign(header, r#"{"exp":1e10}"#)));
        assert_eq!(found.is_some(), told.is_some(), "{header}");
        assert!(found.unwrap_or_default().contains(told.unwrap_or_default()), "{header}");
    }
}

#[test]
fn claims_are_checked() {
    let expects = |key: &str, value: Value| {
        let mut config = json!({ "secret": SECRET, "leeway": "10s", "cache": 0 });
        config[key] = value;
        config
    };
    let plain = expects("require", json!([]));
    let required = expects("require", json!(["exp", "sub", "tenant"]));
    let issuer = expects("issuer", json!("https://idp"));
    let issuers = expects("issuer", json!(["https://idp", "https://old"]));
    let audience = expects("audience", json!(["a", "b"]));
    let forever = 9_999_999_999_u64;
    for (config, claims, told) in [
        (&plain, json!({}), None),
        (&plain, json!({ "exp": NOW + 1 }), None),
        (&plain, json!({ "exp": NOW - 9 }), None),
        (&plain, json!({ "exp": NOW - 10 }), Some("has expired")),
        (&plain, json!({ "exp": NOW as f64 - 9.5 }), None),
        (&plain, json!({ "exp": -1 }), Some("has expired")),
        (&plain, json!({ "exp": "9999999999" }), Some("malformed")),
        (&plain, json!({ "exp": true }), Some("malformed")),
        (&plain, json!({ "exp": [forever] }), Some("malformed")),
        (&plain, json!({ "exp": null }), None),
        (&plain, json!({ "nbf": NOW + 10 }), None),
        (&plain, json!({ "nbf": NOW + 11 }), Some("not valid yet")),
        (&plain, json!({ "nbf": "x" }), Some("malformed")),
        (&required, json!({ "exp": forever, "sub": "a", "tenant": 1 }), None),
        (&required, json!({ "exp": forever, "sub": "a" }), Some("lacks a claim")),
        (&required, json!({ "exp": forever, "sub": "a", "tenant": null }), Some("lacks a claim")),
        (&required, json!({ "sub": "a", "tenant": 1 }), Some("lacks a claim")),
        (&issuer, json!({ "exp": forever, "iss": "https://idp" }), None),
        (&issuer, json!({ "exp": forever, "iss": "https:\u{2f}\u{2f}idp" }), None),
        (&issuer, json!({ "exp": forever, "iss": "https://idp/" }), Some("issuer")),
        (&issuer, json!({ "exp": forever, "iss": ["https://idp"] }), Some("issuer")),
        (&issuer, json!({ "exp": forever }), Some("issuer")),
        (&issuer, json!({ "iss": "https://idp" }), Some("lacks a claim")),
        (&issuers, json!({ "exp": forever, "iss": "https://old" }), None),
        (&audience, json!({ "exp": forever, "aud": "b" }), None),
        (&audience, json!({ "exp": forever, "aud": ["x", "a"] }), None),
        (&audience, json!({ "exp": forever, "aud": ["x"] }), Some("another audience")),
        (&audience, json!({ "exp": forever, "aud": [] }), Some("another audience")),
        (&audience, json!({ "exp": forever, "aud": ["a", 1] }), Some("another audience")),
        (&audience, json!({ "exp": forever }), Some("another audience")),
    ] {
        let found = refusal(&mut proxy(config.clone()), bearer(&token(claims.clone())));
        assert_eq!(found.is_some(), told.is_some(), "{config} {claims} {found:?}");
        let found = found.unwrap_or_default();
        assert!(found.contains(told.unwrap_or_default()), "{config} {claims} {found}");
        assert!(found.is_empty() || found.contains("error=\"invalid_token\""), "{found}");
    }
    for payload in [
        r#"{"exp":1e10,"exp":1e10}"#,
        r#"{"exp":1e999}"#,
        r#"{"exp":1e10}x"#,
        r#"{"exp":1e10"#,
        "[]",
        "",
        "\u{0}",
    ] {
        let forged = sign(r#"{"alg":"HS256"}"#, payload);
        let found = refusal(&mut proxy(plain.clone()), bearer(&forged)).unwrap();
        assert!(found.contains("malformed"), "{payload}: {found}");
    }
}

#[test]
fn requests_without_one_good_token_are_told_so() {
    let good = token(json!({ "exp": NOW + 60 }));
    let get = || request("GET", "/");
    let authorization = |value: &str| get().header("authorization", value);
    let none = "Bearer realm=\"api\"";
    let malformed = "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"the token is malformed\"";
    let several = "Bearer realm=\"api\", error=\"invalid_request\", \
                   error_description=\"one token is allowed, several were sent or may be read\"";
    for (request, told) in [
        (get(), Some(none)),
        (authorization("Basic YTpi"), Some(none)),
        (authorization(&good), Some(none)),
        (authorization("Bearer"), Some(none)),
        (authorization("Bearer "), Some(malformed)),
        (authorization("Bearer a.b"), Some(malformed)),
        (authorization("Bearer a.b.c.d"), Some(malformed)),
        (authorization("Bearer .."), Some(malformed)),
        (authorization(&format!("Bearer {good}=")), Some(malformed)),
        (authorization(&format!("Bearer {good}.")), Some(malformed)),
        (authorization(&format!("bearer {good}")), None),
        (authorization(&format!("BEARER   {good} ")), None),
        (authorization(&format!("Bearer\t{good}")), None),
        (bearer(&good).header("authorization", format!("Bearer {good}")), Some(several)),
        (bearer(&good).header("authorization", "Basic YTpi"), Some(several)),
    ] {
        let text = format!("{request:?}");
        let mut proxy = proxy(json!({ "secret": SECRET, "realm": "api" }));
        assert_eq!(refusal(&mut proxy, request).as_deref(), told, "{text}");
    }
}

#[test]
fn tokens_are_found_in_other_places_and_hidden_when_told_so() {
    let good = token(json!({ "exp": NOW + 60 }));
    let config =
        json!({ "secret": SECRET, "query": "access_token", "cookie": "session", "hide": true });
    let query = format!("/a?b=1&access_token={good}");
    for found in [
        bearer(&good),
        request("GET", &query),
        request("GET", &query).header("authorization", "Basic YTpi"),
        request("GET", "/a").header("cookie", format!("a=1; session={good}")),
    ] {
        let text = format!("{found:?}");
        let exchange = proxy(config.clone()).request(found);
        let sent = exchange.forwarded();
        assert!(!sent.path_with_query().contains(&good), "{text}");
        assert!(!sent.header("cookie").unwrap_or_default().contains(&good), "{text}");
        assert!(!sent.header("authorization").unwrap_or_default().contains(&good), "{text}");
    }
    let mut open = proxy(json!({ "secret": SECRET, "header": "x-token" }));
    for value in [good.clone(), format!("Bearer {good}")] {
        let exchange = open.request(request("GET", "/").header("x-token", &value));
        assert_eq!(exchange.forwarded().header("x-token"), Some(value.as_str()));
    }
}

/// Whatever an upstream takes for the token is what was verified.
#[test]
fn one_token_in_all_the_places_together() {
    let good = token(json!({ "exp": NOW + 60 }));
    let config = json!({ "secret": SECRET, "query": "t", "cookie": "s" });
    let cookie = |value: &str| request("GET", "/").header("cookie", value);
    let two = |path: &str| request("GET", path).header("authorization", format!("Bearer {good}"));
    for several in [
        cookie(&format!("s={good}; s=forged")),
        cookie(&format!("s=forged; a=b; s={good}")),
        cookie(&format!("s={good}; s={good}")),
        cookie(&format!("s={good}; s")),
        cookie(&format!("s={good}")).header("cookie", "s=forged"),
        cookie(&format!("s={good}")).header("cookie", b"a=\xff; s=forged"),
        cookie(&format!("s={good}")).header("authorization", "Bearer forged"),
        cookie(&format!("s={good}")).header("authorization", "bearer\tforged"),
        two("/?t=forged"),
        two(&format!("/?t={good}")),
        two("/?t"),
        two("/").header("cookie", "s=forged"),
        request("GET", &format!("/?t={good}&t=forged")),
        request("GET", &format!("/?%74=forged&t={good}")),
        request("GET", &format!("/?t={good}")).header("cookie", "a=b; s=forged"),
    ] {
        let text = format!("{several:?}");
        let exchange = proxy(config.clone()).request(several);
        assert_eq!(exchange.reply().status, 400, "{text}");
        let challenge = exchange.response().header("www-authenticate").map(str::to_owned);
        assert!(challenge.unwrap_or_default().contains("invalid_request"), "{text}");
    }
    // Another scheme is no token, and goes no further than the one who could not verify it.
    for other in ["Basic YTpi", "Bearer", "Bearertoken"] {
        let request = cookie(&format!("s={good}")).header("authorization", other);
        let exchange = proxy(config.clone()).request(request);
        assert_eq!(exchange.forwarded().header("authorization"), None, "{other}");
        assert_eq!(exchange.forwarded().header("cookie"), Some(&*format!("s={good}")));
    }
}

#[test]
fn claims_go_to_header_fields_and_nobody_else_can_write_these() {
    let config = json!({
        "secret": SECRET,
        "claims_to_headers": {
            "sub": "x-user", "roles": "x-roles", "level": "x-level", "ok": "x-ok", "org": "x-org",
        },
    });
    let spoofed = |token: &str| {
        ["x-user", "x-roles", "x-level", "x-ok", "x-org"]
            .into_iter()
            .fold(bearer(token), |request, name| request.header(name, "admin").header(name, "root"))
    };
    let full = token(json!({
        "exp": NOW + 60, "sub": "zo\u{eb} \"z\"", "roles": ["a", "b"], "level": 3.5, "ok": true,
        "org": { "id": 7 },
    }));
    let bare = token(json!({ "exp": NOW + 60, "roles": [], "level": null }));
    for (token, expected) in [
        (
            &full,
            [Some("zo\u{eb} \"z\""), Some("a,b"), Some("3.5"), Some("true"), Some("{\"id\":7}")],
        ),
        (&bare, [None, Some(""), None, None, None]),
    ] {
        let mut proxy = proxy(config.clone());
        // From the second request on it is remembered.
        for _ in 0..3 {
            let exchange = proxy.request(spoofed(token));
            let sent = exchange.forwarded();
            let names = ["x-user", "x-roles", "x-level", "x-ok", "x-org"];
            assert_eq!(names.map(|name| sent.header(name)), expected);
            assert!(names.iter().all(|name| sent.header_values(name).len() < 2));
        }
    }
    let nasty = token(json!({ "exp": NOW + 60, "sub": "a\r\nx-admin: 1" }));
    let told = refusal(&mut proxy(config), bearer(&nasty)).unwrap();
    assert!(told.contains("cannot be used"), "{told}");
}

#[test]
fn a_remembered_token_expires_all_the_same() {
    for cache in [0, 1, 256] {
        let mut proxy = proxy(json!({ "secret": SECRET, "leeway": "0s", "cache": cache }));
        let good = token(json!({ "exp": NOW + 60, "nbf": NOW, "sub": "a" }));
        let other = token(json!({ "exp": NOW + 90, "sub": "b" }));
        for _ in 0..5 {
            let exchange = proxy.request(bearer(&good));
            assert_eq!(exchange.attribute("auth.subject").as_deref(), Some("a"));
            let exchange = proxy.request(bearer(&other));
            assert_eq!(exchange.attribute("auth.subject").as_deref(), Some("b"));
        }
        proxy.advance(Duration::from_secs(59));
        assert!(proxy.request(bearer(&good)).is_forwarded());
        proxy.advance(Duration::from_secs(1));
        assert!(refusal(&mut proxy, bearer(&good)).unwrap().contains("has expired"));
        assert!(proxy.request(bearer(&other)).is_forwarded());
        assert!(refusal(&mut proxy, bearer(&other[1..])).is_some());
    }
}

#[test]
fn the_key_id_chooses_the_key() {
    let oct = |kid: Value, secret: &str| {
        let mut key = json!({ "kty": "oct", "k": encode(secret) });
        if !kid.is_null() {
            key["kid"] = kid;
        }
        key
    };
    let other = "f".repeat(64);
    let named = json!({ "keys": [oct(json!("a"), SECRET), oct(json!("b"), &other)] });
    let nameless = json!({ "keys": [oct(json!("b"), &other), oct(Value::Null, SECRET)] });
    let only = json!({ "keys": [{ "kty": "oct", "k": encode(SECRET), "alg": "HS512" }] });
    for (jwks, header, passes) in [
        (&named, r#"{"alg":"HS256","kid":"a"}"#, true),
        (&named, r#"{"alg":"HS256","kid":"b"}"#, false),
        (&named, r#"{"alg":"HS256","kid":"c"}"#, false),
        (&named, r#"{"alg":"HS256"}"#, true),
        (&nameless, r#"{"alg":"HS256","kid":"c"}"#, true),
        (&nameless, r#"{"alg":"HS256","kid":"b"}"#, false),
        (&nameless, r#"{"alg":"HS256"}"#, true),
        (&only, r#"{"alg":"HS256"}"#, false),
        (&only, r#"{"alg":"HS512"}"#, true),
    ] {
        for jwks in [jwks.clone(), json!(jwks.to_string())] {
            let mut proxy = proxy(json!({ "jwks": jwks }));
            let exchange = proxy.request(bearer(&sign(header, r#"{"exp":1e10}"#)));
            assert_eq!(exchange.is_forwarded(), passes, "{jwks} {header}");
        }
    }
}
