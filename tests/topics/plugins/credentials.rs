//! basic-auth, key-auth, jwt: who has no credentials stays outside, and who has is known upstream
//! without them.

use super::Setup;

#[test]
fn basic_auth() {
    let setup = Setup::new(
        "basic-auth",
        r#"
config = { realm = "staff", users = { alice = "$5$rounds=1000$weirtests$ndLInfVE/rVRM30hoXKAX/bVJEJLEHhSUloZMa9j7V5", robot = "plain:secret" } }
"#,
    );
    let answer = setup.get("/", &[]);
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge, Some(r#"Basic realm="staff", charset="UTF-8""#));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));

    // alice:wrong, nobody:secret, and what is no credentials at all.
    for wrong in ["Basic YWxpY2U6d3Jvbmc=", "Basic bm9ib2R5OnNlY3JldA==", "Basic !", "Bearer x"] {
        assert_eq!(setup.get("/", &[("authorization", wrong)]).status, 401, "{wrong}");
    }
    assert!(setup.origin.seen().is_empty(), "the upstream was asked");

    // alice:open sesame, robot:secret; in any case of the scheme, and twice for the cache.
    for right in [
        "Basic YWxpY2U6b3BlbiBzZXNhbWU=",
        "basic YWxpY2U6b3BlbiBzZXNhbWU=",
        "Basic cm9ib3Q6c2VjcmV0",
    ] {
        assert_eq!(setup.get("/", &[("authorization", right)]).status, 200, "{right}");
        assert!(!setup.origin.last().headers.contains_key("authorization"), "it is hidden");
    }
    let two = [("authorization", "Basic cm9ib3Q6c2VjcmV0"), ("authorization", "Basic x")];
    assert_eq!(setup.get("/", &two).status, 401);
}

/// As much memory as the README says: what is accepted can be computed.
#[test]
fn basic_auth_takes_the_largest_hash_that_fits() {
    let hash = "$argon2id$v=19$m=94208,t=1,p=1$Q+yEgJxFJqDg11cAQZR7fg$mV7Arb3Pajtwc5g8GweZDF9m5KxIAGq1vEXQHq0uOrM";
    // As many plain ones as a configuration may have beside it, and no time that is short.
    let users: String = (0..500).map(|n| format!("u{n} = \"plain:x\"\n")).collect();
    let table = format!(
        "limits.deadline = \"10s\"\n[plugins.it.config.users]\nlarge = \"{hash}\"\n{users}"
    );
    let setup = Setup::new("basic-auth", &table);
    // large:open sesame, and a wrong one.
    let right = setup.get("/", &[("authorization", "Basic bGFyZ2U6b3BlbiBzZXNhbWU=")]);
    assert_eq!(right.status, 200);
    let wrong = setup.get("/", &[("authorization", "Basic bGFyZ2U6b3BlbiBzZXNhbQ==")]);
    assert_eq!(wrong.status, 401);
    // What the plugin itself takes is found out by trying.
    let refused = weir_tests::Proxy::try_start(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.p]\ncomponent = \"basic-auth\"\n\
         limits.memory = \"20MiB\"\n\
         config.users.a = \"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$J0h/eOIccad38gI2gY5uzw\"\n\
         [routes.all]\nplugins = [\"p\"]\n",
    );
    let refused = refused.err().expect("refused").to_string();
    assert!(refused.contains("more than `limits.memory` leaves"), "{refused}");
    assert!(refused.contains("raise it to \"27MiB\""), "{refused}");
}

/// SHA-crypt takes the longer the longer the password is, which a client chooses.
#[test]
fn basic_auth_takes_no_password_that_a_hash_has_no_time_for() {
    let hash =
        |start: &str, length: usize| format!("{start}$sixteenbytessalt${}", ".".repeat(length));
    // As slow as they may be for a password of a kilobyte, and as slow as they may be at all. With the name
    // and its colon as they are sent, and lengths of passwords that are hashed and that are not.
    let users = [
        ("aa", "YWE6", hash("$5$rounds=87000", 43), [(1024, true), (1025, false)]),
        ("ab", "YWI6", hash("$6$rounds=139000", 86), [(1024, true), (1025, false)]),
        ("ac", "YWM6", hash("$5$rounds=833000", 43), [(64, true), (1024, false)]),
        ("ad", "YWQ6", hash("$6$rounds=952000", 86), [(64, true), (1024, false)]),
    ];
    let mut table = "[plugins.it.config.users]\n".to_owned();
    for (name, _, hash, _) in &users {
        table += &format!("{name} = \"{hash}\"\n");
    }
    let setup = Setup::new("basic-auth", &table);
    for (name, start, _, lengths) in users {
        for (length, is_hashed) in lengths {
            // The letter `a`.
            let password = "YWFh".repeat(length / 3) + ["", "YQ==", "YWE="][length % 3];
            let credentials = format!("Basic {start}{password}");
            let answer = setup.get("/", &[("authorization", &credentials)]);
            let text = answer.text();
            assert_eq!(answer.status, 401, "{name} {length}: {text}");
            assert_ne!(text.contains("the password is longer than"), is_hashed, "{name}: {text}");
        }
    }
}

#[test]
fn key_auth() {
    let setup = Setup::new(
        "key-auth",
        r#"config = { keys = [{ key = "k-partner", name = "partner" }, "k-own"], query = "key", cookie = "key" }"#,
    );
    let answer = setup.get("/", &[]);
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), Some(r#"ApiKey realm="restricted""#));
    assert_eq!(setup.get("/", &[("x-api-key", "k-partner2")]).status, 401);
    assert_eq!(setup.get("/?key=k-own", &[("x-api-key", "wrong")]).status, 401);
    assert_eq!(setup.get("/?key=k-own&key=k-own", &[]).status, 401);
    assert_eq!(setup.get("/?key=wrong", &[("x-api-key", "k-own")]).status, 401);
    assert_eq!(setup.get("/", &[("cookie", "key=k-own; key=wrong")]).status, 401);
    // Some upstreams split a query at ";" too, and would believe what nobody verified.
    for query in ["x=1;key=wrong&key=k-own", "key=k-own&x=1;key=wrong", "key=k-own;key=wrong"] {
        assert_eq!(setup.get(&format!("/?{query}"), &[]).status, 401, "{query}");
    }
    assert_eq!(setup.get("/?x=1;key=wrong", &[("x-api-key", "k-own")]).status, 401);
    let two = [("cookie", "key=k-own"), ("x-api-key", "wrong")];
    assert_eq!(setup.get("/", &two).status, 401);
    assert!(setup.origin.seen().is_empty(), "the upstream was asked");

    assert_eq!(setup.get("/", &[("X-Api-Key", "k-partner")]).status, 200);
    assert!(!setup.origin.last().headers.contains_key("x-api-key"), "it is hidden");
    assert_eq!(setup.get("/a?b=c&key=k-own&d", &[]).status, 200);
    assert_eq!(setup.origin.last().target, "/a?b=c&d");
    assert_eq!(setup.get("/a?b=c;d&e;f", &[("x-api-key", "k-own")]).status, 200);
    assert_eq!(setup.origin.last().target, "/a?b=c;d&e;f");
    assert_eq!(setup.get("/a?b=c;key=k-own;d&e", &[]).status, 200);
    assert_eq!(setup.origin.last().target, "/a?b=c;d&e");
    assert_eq!(setup.get("/", &[("cookie", "a=b; key=k-own; c=d")]).status, 200);
    assert_eq!(setup.origin.last().headers["cookie"], "a=b; c=d");
}

/// HS256 with the secret below, valid until 2100: `iss`, `aud`, `sub` alice, `roles` a and b.
pub(super) const GOOD: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0IiwiYXVkIjoiYXBpIiwic3ViIjoiYWxpY2UiLCJleHAiOjQxMDI0NDQ4MDAsInJvbGVzIjpbImEiLCJiIl19.jeKVKN1z1JzhYqKuXVywHLXpnZ8YhKLJr6cEL-O6JlM";
/// The same, expired in 2001.
const OLD: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0IiwiYXVkIjoiYXBpIiwic3ViIjoiYWxpY2UiLCJleHAiOjEwMDAwMDAwMDB9.LsWqdG15ygMqB2ymjcRFKtobL31MCaSQfd4AKfgN6pE";
/// For another audience.
const OTHER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0IiwiYXVkIjoib3RoZXIiLCJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.tKOO0RUmXArF3egq2LVuem6ybJaRSeBX2up_8sxpJr8";
/// Signed with another secret.
const FORGED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0IiwiYXVkIjoiYXBpIiwic3ViIjoiYWxpY2UiLCJleHAiOjQxMDI0NDQ4MDB9.zwOs1D2l2BOJT6eSRCFTGCu8nnTWwRrIP504b-2KZR4";
/// Not signed: `alg` is `none`.
const UNSIGNED: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0IiwiYXVkIjoiYXBpIiwic3ViIjoiYWxpY2UiLCJleHAiOjQxMDI0NDQ4MDB9.";

#[test]
fn jwt() {
    let setup = Setup::new(
        "jwt",
        r#"
[plugins.it.config]
secret = "0123456789abcdef0123456789abcdef"
issuer = "https://idp.test"
audience = "api"
hide = true
claims_to_headers = { sub = "x-user", roles = "x-roles", missing = "x-missing" }
"#,
    );
    let answer = setup.get("/", &[("x-user", "admin")]);
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="restricted""#));
    for bad in [OLD, OTHER, FORGED, UNSIGNED, "not.a.token", &GOOD[..GOOD.len() - 4]] {
        let answer = setup.get("/", &[("authorization", &format!("Bearer {bad}"))]);
        assert_eq!(answer.status, 401, "{bad}");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains(r#"error="invalid_token""#), "{challenge}");
    }
    assert!(setup.origin.seen().is_empty(), "the upstream was asked");

    for _ in 0..2 {
        let fields = [
            ("authorization", format!("Bearer {GOOD}")),
            ("x-user", "admin".to_owned()),
            ("x-missing", "forged".to_owned()),
        ];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(setup.get("/", &fields).status, 200);
        let seen = setup.origin.last();
        assert_eq!(seen.headers["x-user"], "alice", "the client's own is replaced");
        assert_eq!(seen.headers["x-roles"], "a,b");
        assert!(!seen.headers.contains_key("x-missing"), "the client's own is removed");
        assert!(!seen.headers.contains_key("authorization"), "it is hidden");
    }
}

/// What was verified is what arrives, and nothing beside it.
#[test]
fn jwt_takes_one_token_in_all_places_together() {
    let setup = Setup::new(
        "jwt",
        "config = { secret = \"0123456789abcdef0123456789abcdef\", query = \"t\", cookie = \"s\" }",
    );
    let bearer = format!("Bearer {GOOD}");
    let cookie = format!("s={GOOD}");
    let (two, other) = (format!("s={GOOD}; s={FORGED}"), format!("s={FORGED}"));
    let forged = format!("/?t={FORGED}");
    for (path, fields) in [
        ("/", &[("cookie", two.as_str())][..]),
        ("/", &[("cookie", &*cookie), ("cookie", &*other)]),
        ("/", &[("authorization", &*bearer), ("cookie", &*other)]),
        ("/", &[("authorization", &*bearer), ("authorization", "Bearer x")]),
        (&*forged, &[("authorization", &*bearer)]),
        (&*forged, &[("cookie", &*cookie)]),
    ] {
        let answer = setup.get(path, fields);
        assert_eq!(answer.status, 400, "{path} {fields:?}");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains(r#"error="invalid_request""#), "{challenge}");
    }
    assert!(setup.origin.seen().is_empty(), "the upstream was asked");
    // The crumbs of HTTP/2 are one field.
    let crumbs = http::Request::get("http://localhost/")
        .header("cookie", &cookie)
        .header("cookie", &other)
        .body(bytes::Bytes::new())
        .expect("a request");
    assert_eq!(weir_tests::h2(setup.proxy.address("web"), crumbs).status, 400);
    // As Python's `http.cookies`, PHP, ASP.NET and others read it.
    for odd in ["a=b s=x", "a=b, s=x", "a=b,s=x", "S=x", "%73=x", "a=\"b\" s = x"] {
        let beside = format!("{cookie}; {odd}");
        assert_eq!(setup.get("/", &[("cookie", &beside)]).status, 400, "{odd}");
        let lone = [("authorization", &*bearer), ("cookie", odd)];
        assert_eq!(setup.get("/", &lone).status, 400, "{odd}");
    }
    for odd in ["+t=x", "%20t=x", "t%00=x", "t[]=x", "T=x", "a=b;t=x", "%74=x", "%u0074=x"] {
        let answer = setup.get(&format!("/?{odd}"), &[("authorization", &bearer)]);
        assert_eq!(answer.status, 400, "{odd}");
    }
    assert!(setup.origin.seen().is_empty(), "the upstream was asked");
    for harmless in ["q=t%3Dx", "q=t=x", "at=x&t2=y", "q[t]=x"] {
        let fields = [("authorization", &*bearer), ("cookie", "a=\"x s\"; b=s=1; ss=2; c=d e=f")];
        assert_eq!(setup.get(&format!("/?{harmless}"), &fields).status, 200, "{harmless}");
        assert_eq!(setup.origin.last().headers["cookie"], fields[1].1);
        assert_eq!(setup.origin.last().target, format!("/?{harmless}"));
    }
    let basic = [("cookie", &*cookie), ("authorization", "Basic YTpi")];
    assert_eq!(setup.get("/", &basic).status, 200);
    assert!(!setup.origin.last().headers.contains_key("authorization"));
}
