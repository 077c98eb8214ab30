use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weir_sdk::serde_json::{Value, json};
use weir_sdk::testing::{self, FakeRequest, request};

use super::BasicAuth;

/// Hashes that other implementations made: libxcrypt, OpenSSL; the last two of the specification
/// of SHA-crypt.
const HASHES: [(&str, &str, &str); 7] = [
    ("bcrypt", "open sesame", "$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy"),
    ("bcrypt-y", "open sesame", "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy"),
    (
        "argon",
        "open sesame",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$J0h/eOIccad38gI2gY5uz0HCloBYgjF8EI2nPrCFklw",
    ),
    ("sha256", "open sesame", "$5$rounds=1000$pepper$oWZorsUmPOKJiuz3b2Jv.1gslgXZar14XnGUa6f3M.9"),
    ("sha256-5000", "Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    (
        "sha512",
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
    ("plain", "pass:word \u{e9}", "plain:pass:word \u{e9}"),
];

fn users() -> Value {
    HASHES.iter().map(|(name, _, hash)| ((*name).to_owned(), json!(hash))).collect()
}

fn proxy(config: Value) -> testing::Plugin<BasicAuth> {
    testing::Plugin::configure(config).unwrap()
}

fn basic(name: &str, password: &str) -> FakeRequest {
    let credentials = STANDARD.encode(format!("{name}:{password}"));
    request("GET", "/").header("authorization", format!("Basic {credentials}"))
}

#[test]
fn every_kind_of_hash_is_verified() {
    for remember in ["0s", "1m"] {
        let mut proxy = proxy(json!({ "users": users(), "remember": remember }));
        for (name, password, _) in HASHES {
            // The second time it may be remembered.
            for _ in 0..2 {
                let exchange = proxy.request(basic(name, password));
                assert_eq!(exchange.forwarded().header("authorization"), None, "{name}");
                assert_eq!(exchange.attribute("auth.subject").as_deref(), Some(name));
                assert_eq!(exchange.attribute("auth.scheme").as_deref(), Some("basic"));
                for wrong in ["", "open sesam", "open sesame!", "Hello world", "pass"] {
                    assert_eq!(proxy.request(basic(name, wrong)).reply().status, 401, "{name}");
                }
            }
            for stranger in ["", "nobody", "Bcrypt", "sha256 "] {
                assert_eq!(proxy.request(basic(stranger, password)).reply().status, 401);
            }
        }
    }
}

#[test]
fn credentials_are_read_as_rfc_7617_says() {
    let authorization = |value: &str| request("GET", "/").header("authorization", value);
    let good = STANDARD.encode("plain:pass:word \u{e9}");
    for (request, passes) in [
        (request("GET", "/"), false),
        (authorization(&format!("Basic {good}")), true),
        (authorization(&format!("bAsIc   {good} ")), true),
        (authorization(&good), false),
        (authorization("Basic"), false),
        (authorization("Basic "), false),
        (authorization("Basic !!!!"), false),
        (authorization(&format!("Basic {}", STANDARD.encode("plain"))), false),
        (authorization(&format!("Bearer {good}")), false),
        (basic("plain", "pass:word \u{e9}").header("authorization", "Basic eDp5"), false),
    ] {
        let text = format!("{request:?}");
        let mut proxy = proxy(json!({ "users": users(), "realm": "the vault", "hide": false }));
        let exchange = proxy.request(request);
        assert_eq!(exchange.is_forwarded(), passes, "{text}");
        if passes {
            assert!(exchange.forwarded().header("authorization").is_some());
        } else {
            let challenge = "Basic realm=\"the vault\", charset=\"UTF-8\"";
            assert_eq!(exchange.response().header("www-authenticate"), Some(challenge));
        }
    }
}

#[test]
fn good_credentials_are_remembered_for_a_while_and_bad_ones_never() {
    let mut proxy = proxy(json!({ "users": users(), "remember": "1m" }));
    let kept = |proxy: &testing::Plugin<BasicAuth>, name: &str, password: &str| {
        let tag = proxy.plugin().tag(name.as_bytes(), password.as_bytes());
        proxy.stored(&tag).is_some()
    };
    proxy.request(basic("bcrypt", "wrong"));
    assert!(!kept(&proxy, "bcrypt", "wrong"));
    assert!(proxy.request(basic("plain", "pass:word \u{e9}")).is_forwarded());
    assert!(!kept(&proxy, "plain", "pass:word \u{e9}"), "a plain password needs no memory");
    for _ in 0..2 {
        assert!(proxy.request(basic("bcrypt", "open sesame")).is_forwarded());
        assert!(kept(&proxy, "bcrypt", "open sesame"));
    }
    assert_eq!(proxy.request(basic("nobody", "open sesame")).reply().status, 401);
    proxy.advance(std::time::Duration::from_secs(60));
    assert!(!kept(&proxy, "bcrypt", "open sesame"), "it outlives its time");
    // Another password, another key: nothing of the old configuration is believed.
    let changed = json!({ "users": { "plain": "plain:x" } });
    let other = testing::Plugin::<BasicAuth>::configure(changed).unwrap();
    assert_ne!(proxy.plugin().tag(b"a", b"b"), other.plugin().tag(b"a", b"b"));
}

#[test]
fn a_password_of_any_length_costs_no_more_than_one_of_a_kilobyte() {
    let mut proxy = proxy(json!({ "users": users() }));
    for name in ["sha512", "bcrypt", "plain", "nobody"] {
        assert_eq!(proxy.request(basic(name, &"a".repeat(1024))).reply().status, 401);
        let refused = proxy.request(basic(name, &"a".repeat(1025)));
        let body = String::from_utf8_lossy(&refused.reply().body);
        assert!(body.contains("longer than 1024 bytes"), "{name}: {body}");
    }
}

#[test]
fn a_name_that_nobody_has_takes_its_time() {
    let hash = "$2b$10$abcdefghijklmnopqrstuu4T826PRnz0Hu6YlprUuxkZxOOj5Fw5S";
    let mut proxy = proxy(json!({ "users": { "alice": hash } }));
    let mut time = |name: &str| {
        (0..3)
            .map(|_| {
                let start = Instant::now();
                assert_eq!(proxy.request(basic(name, "wrong")).reply().status, 401);
                start.elapsed()
            })
            .min()
            .unwrap_or_default()
    };
    // Coarse on purpose: without the hash it would be a hundred thousand times faster.
    let (known, unknown) = (time("alice"), time("nobody"));
    assert!(unknown * 20 > known, "{known:?} {unknown:?}");
}

/// A hash of each kind, of which nobody knows the password: it takes what it says.
fn hashes(bcrypt: u32, argon2: (u32, u32, u32), sha: (&str, u32)) -> [String; 3] {
    let (m, t, p) = argon2;
    let (kind, rounds) = sha;
    let length = if kind == "5" { 43 } else { 86 };
    [
        format!("$2b${bcrypt:02}$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy"),
        format!("$argon2id$v=19$m={m},t={t},p={p}$c29tZXNhbHQ$J0h/eOIccad38gI2gY5uzw"),
        format!("${kind}$rounds={rounds}$topsecret${}", ".".repeat(length)),
    ]
}

#[test]
fn what_could_not_be_computed_within_the_limits_is_refused() {
    let (memory, deadline) = (96 << 20, Duration::from_secs(2));
    let configure = |hash: &str, memory: u64, deadline: Duration| {
        let config = json!({ "users": { "alice": hash, "bob": "plain:x" } });
        testing::Plugin::<BasicAuth>::configure_within(config, memory, deadline)
            .err()
            .map(|error| error.to_string())
    };
    let fits =
        [hashes(13, (65_536, 3, 4), ("5", 535_000)), hashes(4, (94_208, 1, 1), ("6", 656_000))];
    for hash in fits.as_flattened() {
        assert_eq!(configure(hash, memory, deadline), None, "{hash}");
    }
    for (hash, says) in [
        (&hashes(14, (131_072, 1, 1), ("5", 999_999_999))[..], ["4s", "MiB", "a lower cost"]),
        (&hashes(15, (65_536, 90, 1), ("6", 5_000_000)), ["8s", "a lower cost", "a lower cost"]),
        (&hashes(31, (8, u32::MAX, 1), ("6", 999_999_999)), ["a lower cost"; 3]),
        (&hashes(16, (u32::MAX, 1, 1), ("5", 1_000_000)), ["a lower cost", "takes less", "3s"]),
    ]
    .into_iter()
    .flat_map(|(hashes, says)| hashes.iter().zip(says))
    {
        let error = configure(hash, memory, deadline).unwrap_or_else(|| panic!("accepted {hash}"));
        assert!(error.starts_with("users.alice: to compare with this hash"), "{error}");
        assert!(error.contains(says), "{hash}: {error}");
        assert!(error.contains("limits.deadline") != error.contains("limits.memory"), "{error}");
        assert!(!error.contains("topsecret") && !error.contains("LVz6"), "{error}");
    }
    // What is told is enough.
    for kind in ["5", "6"] {
        let [_, _, hash] = hashes(4, (8, 1, 1), (kind, 999_999_999));
        let error = configure(&hash, memory, deadline).unwrap_or_default();
        let (_, told) =
            error.split_once("a lower cost: up to ").unwrap_or_else(|| panic!("{error}"));
        let rounds: u32 = told.strip_suffix(" rounds").unwrap_or_default().parse().unwrap();
        let [_, _, most] = hashes(4, (8, 1, 1), (kind, rounds));
        assert_eq!(configure(&most, memory, deadline), None, "{told}");
        let [_, _, more] = hashes(4, (8, 1, 1), (kind, rounds + 1));
        assert!(configure(&more, memory, deadline).is_some(), "{told}");
    }
    let [bcrypt, argon2, _] = hashes(15, (131_072, 1, 1), ("5", 5_000));
    let error = configure(&bcrypt, memory, deadline).unwrap_or_default();
    assert!(error.ends_with("a lower cost: up to 13"), "{error}");
    assert_eq!(configure(&bcrypt, memory, Duration::from_secs(8)), None);
    assert_eq!(configure(&argon2, 136 << 20, deadline), None);
    assert!(configure(&bcrypt, memory, Duration::from_secs(7)).is_some());
    assert!(configure(&argon2, 128 << 20, deadline).is_some());
}

/// What SHA-crypt takes grows with the password, which a client chooses: so its rounds say how long one may be.
#[test]
fn the_more_rounds_the_shorter_the_longest_password() {
    let longest = |kind: &str, rounds: u32, deadline: u64| {
        let [_, _, hash] = hashes(4, (8, 1, 1), (kind, rounds));
        let config = json!({ "users": { "alice": hash } });
        let deadline = Duration::from_secs(deadline);
        let mut proxy =
            testing::Plugin::<BasicAuth>::configure_within(config, 96 << 20, deadline).unwrap();
        let longest = proxy.plugin().users.first().map_or(0, |user| user.longest);
        // Refused unhashed, and nobody learns by it whom there is.
        for name in ["alice", "nobody"] {
            let refused = proxy.request(basic(name, &"a".repeat(longest + 1)));
            assert_eq!(refused.reply().status, 401);
            let body = String::from_utf8_lossy(&refused.reply().body);
            assert!(body.contains(&format!("longer than {longest} bytes")), "{name}: {body}");
        }
        longest
    };
    for kind in ["5", "6"] {
        let lengths = [5_000, 50_000, 150_000, 300_000, 500_000, 800_000]
            .map(|rounds| longest(kind, rounds, 2));
        assert!(lengths.is_sorted_by(|a, b| a >= b), "{lengths:?}");
        assert_eq!(lengths.first(), Some(&1024));
        assert!(lengths.iter().all(|length| *length >= 64), "{lengths:?}");
        assert!(longest(kind, 300_000, 10) > longest(kind, 300_000, 2));
    }
    // As passlib makes them.
    assert!(longest("5", 535_000, 2) > 120 && longest("6", 656_000, 2) > 120);
}

#[test]
fn many_users_are_configured_at_once() {
    let hashes = hashes(13, (65_536, 3, 1), ("5", 535_000));
    let users: Value = hashes
        .iter()
        .cycle()
        .take(3_000)
        .enumerate()
        .map(|(n, hash)| (format!("u{n}"), json!(hash)))
        .collect();
    let start = Instant::now();
    let config = json!({ "users": users });
    testing::Plugin::<BasicAuth>::configure_within(config, 96 << 20, Duration::from_secs(2))
        .unwrap();
    // A single one of them takes a fifth of a second; the whole would take ten minutes.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn what_could_not_be_computed_is_not_wrong() {
    use super::password::verified;
    use argon2::password_hash::Error;
    assert!(verified(Ok(())).unwrap());
    assert!(!verified(Err(Error::PasswordInvalid)).unwrap());
    for error in [Error::OutOfMemory, Error::Internal, Error::SaltInvalid, Error::Version] {
        assert!(verified(Err(error)).is_err(), "{error:?}");
    }
}

#[test]
fn a_wrong_configuration_says_what_to_write_and_shows_no_hash() {
    let user = |hash: &str| json!({ "users": { "alice": hash } });
    for (config, says) in [
        (json!({}), "missing field `users`"),
        (json!({ "users": {} }), "users: it is empty"),
        (json!({ "users": { "a:b": "plain:topsecret" } }), "has a colon"),
        (json!({ "users": { "a": "topsecret", "b": "" }, "realm": "\"" }), "\nusers.b: it is no"),
        (user("topsecret"), "users.alice: it is no hash of a kind known here"),
        (user(""), "no hash of a kind"),
        (user("plain:"), "the password is empty"),
        (user("$1$topsecret$x"), "no hash of a kind"),
        (user("x$2b$topsecret"), "no hash of a kind"),
        (user("$2b$04$topsecret"), "begins as a bcrypt hash but is none"),
        (user("$2b$99$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy"), "bcrypt"),
        (user("$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/c"), "bcrypt"),
        (user("$argon2id$v=19$m=64,t=1,p=1$topsecret"), "begins as a argon2id hash but is none"),
        (user("$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$J0h/eOIccad38gI2gY5uzw"), "argon2id"),
        (user("$5$rounds=10$pepper$oWZorsUmPOKJiuz3b2Jv.1gslgXZar14XnGUa6f3M.9"), "sha-crypt"),
        (user("$argon2id$v=18$m=64,t=1,p=1$c29tZXNhbHQ$J0h/eOIccad38gI2gY5uzw"), "argon2id"),
        (user("$argon2id$v=19$m=64,t=1,p=1$c2hvcnQ$J0h/eOIccad38gI2gY5uzw"), "argon2id"),
        (user("$5$pepper$oWZorsUmPOKJiuz3b2Jv.1gslgXZar14XnGUa6f3M.z"), "sha-crypt"),
        (user("$5$topsecret"), "sha-crypt"),
        (user("$6$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8"), "sha-crypt"),
        (json!({ "users": { "alice": "plain:topsecret" }, "realm": "a\"" }), "realm: a realm has"),
        (json!({ "users": { "alice": "plain:topsecret" }, "hidden": true }), "unknown field"),
    ] {
        let text = config.to_string();
        let error = testing::Plugin::<BasicAuth>::configure(config).err();
        let error =
            error.map(|error| error.to_string()).unwrap_or_else(|| panic!("accepted {text}"));
        assert!(error.contains(says), "{text}: {error}");
        assert!(!error.contains("topsecret") && !error.contains("LVz6MZl"), "{error}");
    }
}
