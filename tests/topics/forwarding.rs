//! X-Forwarded-*, Forwarded and Via: who is believed, and what the endpoint is told.

use weir_tests::{Origin, Seen, Setup, request};

const CLAIMS: &[(&str, &str)] = &[
    ("host", "a.example:8080"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-port", "443"),
    ("x-forwarded-prefix", "/evil"),
    ("x-real-ip", "203.0.113.7"),
    ("forwarded", "for=203.0.113.7;proto=https"),
    ("via", "1.0 fred"),
];

fn value<'a>(seen: &'a Seen, name: &str) -> Vec<&'a str> {
    seen.headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect()
}

#[test]
fn claims_of_an_untrusted_peer_are_replaced() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let address = proxy.address("web");
    request(address, "GET", "/", CLAIMS, b"");
    let seen = origin.last();
    assert_eq!(value(&seen, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(value(&seen, "x-forwarded-proto"), ["http"]);
    assert_eq!(value(&seen, "x-forwarded-host"), ["a.example:8080"]);
    assert_eq!(value(&seen, "x-forwarded-port"), [address.port().to_string()]);
    assert_eq!(value(&seen, "forwarded"), ["for=127.0.0.1;proto=http"]);
    assert!(value(&seen, "x-real-ip").is_empty() && value(&seen, "x-forwarded-prefix").is_empty());
    assert_eq!(value(&seen, "via").join(", "), "1.0 fred, 1.1 weir");
}

#[test]
fn a_trusted_peer_is_believed_and_appended_to() {
    let origin = Origin::echo();
    let config = "{ request = { set = { x-client = \"{client.address}\" } } }";
    let proxy = Setup::to(&origin)
        .server("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]")
        .plugin("headers", config)
        .start();
    request(proxy.address("web"), "GET", "/", CLAIMS, b"");
    let seen = origin.last();
    assert_eq!(value(&seen, "x-forwarded-for").join(", "), "203.0.113.7, 127.0.0.1");
    assert_eq!(value(&seen, "x-forwarded-proto"), ["https"]);
    assert_eq!(value(&seen, "x-forwarded-host"), ["evil.example"]);
    assert_eq!(
        value(&seen, "forwarded").join(", "),
        "for=203.0.113.7;proto=https, for=127.0.0.1;proto=http"
    );
    assert_eq!(value(&seen, "x-client"), ["203.0.113.7"]);
    for (claim, client) in [
        ("203.0.113.7, 10.1.1.1", "203.0.113.7"),
        ("203.0.113.7, 198.51.100.1, 10.1.1.1", "198.51.100.1"),
        ("nonsense, 10.1.1.1", "10.1.1.1"),
        ("nonsense", "127.0.0.1"),
    ] {
        request(proxy.address("web"), "GET", "/", &[("x-forwarded-for", claim)], b"");
        assert_eq!(value(&origin.last(), "x-client"), [client], "{claim}");
    }
}

#[test]
fn without_claims_a_trusted_peer_is_the_client() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).server("trusted_proxies = [\"127.0.0.1\"]").start();
    request(proxy.address("web"), "GET", "/", &[], b"");
    let seen = origin.last();
    assert_eq!(value(&seen, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(value(&seen, "forwarded"), ["for=127.0.0.1;proto=http"]);
}

/// IPv6 brackets are kept in Forwarded.
#[test]
fn an_ipv6_client_is_quoted_in_forwarded() {
    let origin = Origin::echo();
    let toml = Setup::to(&origin).toml().replace("127.0.0.1:0", "[::1]:0");
    let Ok(proxy) = weir_tests::Proxy::try_start(&toml) else {
        // A machine without IPv6 says so; nothing else may keep the listener from starting.
        assert!(std::net::TcpListener::bind("[::1]:0").is_err());
        return;
    };
    request(proxy.address("web"), "GET", "/", &[], b"");
    let seen = origin.last();
    assert_eq!(value(&seen, "forwarded"), ["for=\"[::1]\";proto=http"]);
    assert_eq!(value(&seen, "x-forwarded-for"), ["::1"]);
}
