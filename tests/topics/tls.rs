//! TLS on both sides: which certificate a client sees, and what of an endpoint's is accepted.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use weir_tests::{
    Certificates, Daemon, Origin, RawClient, Setup, free_address, get, tls_get, tls_version, until,
    wait_for_port,
};

fn listener(certificates: &[&Certificates], more: &str) -> String {
    let pairs: Vec<String> = certificates
        .iter()
        .map(|pair| format!("{{ cert = {:?}, key = {:?} }}", pair.cert(), pair.key()))
        .collect();
    format!("tls = {{ certificates = [{}]{more} }}", pairs.join(", "))
}

#[test]
fn the_certificate_is_chosen_by_sni() {
    let one = Certificates::for_names(&["one.example"]);
    let two = Certificates::for_names(&["two.example", "*.two.example"]);
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).listener(&listener(&[&one, &two], "")).start();
    for (name, certificates, accepted) in [
        ("one.example", &one, true),
        ("two.example", &two, true),
        ("a.two.example", &two, true),
        ("ONE.example", &one, true),
        ("one.example", &two, false),
        ("a.b.two.example", &two, false),
        // The first serves names that nobody has; a client that checks refuses it.
        ("three.example", &one, false),
    ] {
        let answer = tls_get(proxy.address("web"), certificates.client_config(&[]), name);
        assert_eq!(answer.is_ok(), accepted, "{name}: {answer:?}");
    }
    let seen = origin.last().headers;
    assert_eq!(seen["x-forwarded-proto"], "https");
    assert_eq!(seen["forwarded"], "for=127.0.0.1;proto=https;host=localhost");
    assert!(proxy.metrics().contains("weir_certificate_expiry_timestamp_seconds{"));
}

#[test]
fn both_versions_are_spoken_unless_the_older_is_switched_off() {
    let certificates = Certificates::for_names(&["localhost"]);
    let origin = Origin::echo();
    let both = Setup::to(&origin).listener(&listener(&[&certificates], "")).start();
    let newer = listener(&[&certificates], ", min_version = \"1.3\"");
    let newer = Setup::to(&origin).listener(&newer).start();
    for (proxy, version, spoken) in [
        (&both, &rustls::version::TLS12, true),
        (&both, &rustls::version::TLS13, true),
        (&newer, &rustls::version::TLS12, false),
        (&newer, &rustls::version::TLS13, true),
    ] {
        let got = tls_version(proxy.address("web"), &certificates, version);
        assert_eq!(got, spoken.then_some(version.version), "{version:?}");
    }
}

#[test]
fn alpn_settles_the_protocol() {
    let certificates = Certificates::for_names(&["localhost"]);
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).listener(&listener(&[&certificates], "")).start();
    for (offered, via) in [
        (&[b"h2".as_slice(), b"http/1.1"][..], "2 weir"),
        (&[b"http/1.1"], "1.1 weir"),
        (&[], "1.1 weir"),
        (&[b"http/1.0"], "1.1 weir"),
        (&[b"http/1.0", b"http/1.1"], "1.1 weir"),
    ] {
        let config = certificates.client_config(offered);
        let answer = tls_get(proxy.address("web"), config, "localhost").expect("an answer");
        assert_eq!(answer.status, 200);
        assert_eq!(origin.last().headers["via"], via);
    }
}

#[test]
fn plain_http_to_a_tls_listener_harms_nobody() {
    let certificates = Certificates::for_names(&["localhost"]);
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).listener(&listener(&[&certificates], "")).start();
    let mut client = weir_tests::RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.rest();
    let config = certificates.client_config(&[]);
    assert!(tls_get(proxy.address("web"), config, "localhost").is_ok());
    assert_eq!(proxy.metric(r#"weir_tls_handshake_failures_total{listener="web"}"#), 1.0);
}

/// A thousand that begin a handshake and say no more, from another address.
#[test]
fn half_a_handshake_keeps_nobody_out_and_has_its_end() {
    let certificates = Certificates::for_names(&["localhost"]);
    let origin = Origin::saying("said");
    let proxy = Setup::to(&origin)
        .listener(&listener(&[&certificates], ""))
        .listener("handshake_timeout = \"2s\"")
        .start();
    let address = proxy.address("web");
    let ask = || tls_get(address, certificates.client_config(&[]), "localhost");
    let half = || {
        let mut client = RawClient::connect_from([127, 0, 0, 2], address);
        // A record of a handshake, whose message goes on.
        client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
        client
    };
    let halves: Vec<_> = std::iter::repeat_with(half).take(1_000).collect();
    let failed = || proxy.metric(r#"weir_tls_handshake_failures_total{listener="web"}"#);
    assert_eq!(ask().expect("an answer").text(), "said");
    until("all have their end", || failed() >= 1_000.0);
    until("none is open", || proxy.metric(r#"weir_connections{listener="web"}"#) == 0.0);
    drop(halves);
    assert_eq!(ask().expect("an answer").text(), "said");
}

fn say(text: &'static str) -> impl Fn(&weir_tests::Seen) -> Response<Full<Bytes>> {
    move |_| Response::new(Full::new(Bytes::from_static(text.as_bytes())))
}

#[test]
fn an_endpoint_is_verified() {
    let good = Certificates::for_names(&["127.0.0.1", "other.example"]);
    let other = Certificates::for_names(&["127.0.0.1"]);
    let named = Certificates::for_names(&["other.example"]);
    let ca = |of: &Certificates| format!("ca = {:?}", of.ca());
    for (name, serves, tls, status) in [
        ("the right authority", &good, ca(&good), 200),
        ("another authority", &good, ca(&other), 502),
        ("no authority: the system's", &good, String::new(), 502),
        ("another name", &named, ca(&named), 502),
        (
            "the name that is configured",
            &named,
            ca(&named) + ", server_name = \"other.example\"",
            200,
        ),
        (
            "a configured name that is wrong",
            &good,
            ca(&good) + ", server_name = \"wrong.example\"",
            502,
        ),
        ("not verified", &named, "verify = false".to_owned(), 200),
    ] {
        let origin = Origin::tls(serves, false, say("secure"));
        let url = origin.url().replace("http:", "https:");
        let setup = Setup::to_url(url).upstream(&format!("tls = {{ {tls} }}"));
        let Ok(proxy) = weir_tests::Proxy::try_start(&setup.toml()) else {
            // Only a machine without authorities of its own cannot build this one.
            assert!(tls.is_empty(), "{name}");
            continue;
        };
        let answer = get(proxy.address("web"), "/");
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        let why = (status == 502).then_some("weir; error=tls_certificate_error");
        assert_eq!(answer.header("proxy-status"), why, "{name}");
    }
}

#[test]
fn alpn_with_an_endpoint_settles_the_protocol() {
    let certificates = Certificates::for_names(&["127.0.0.1"]);
    for (h2, protocol, via) in [
        (true, "auto", Some("2 weir")),
        (false, "auto", Some("1.1 weir")),
        (true, "http2", Some("2 weir")),
        (false, "http2", None),
        (false, "http1", Some("1.1 weir")),
    ] {
        let origin = Arc::new(Origin::tls(&certificates, h2, say("secure")));
        let url = origin.url().replace("http:", "https:");
        let lines = format!("protocol = {protocol:?}\ntls = {{ ca = {:?} }}", certificates.ca());
        let proxy = Setup::to_url(url).upstream(&lines).start();
        for _ in 0..3 {
            let answer = get(proxy.address("web"), "/");
            let expected = if via.is_some() { 200 } else { 502 };
            assert_eq!(answer.status, expected, "{h2} {protocol}: {answer:?}");
            if via.is_some() {
                assert_eq!(answer.header("via"), via, "{h2} {protocol}");
            }
        }
        if via.is_some() {
            assert_eq!(origin.connections(), 1, "{h2} {protocol}");
        }
    }
}

/// Its own authority, and the server's certificate: rustls alone takes none for the other.
#[test]
fn a_self_signed_certificate_that_is_named_is_trusted() {
    let own = Certificates::self_signed(&["127.0.0.1"]);
    let other = Certificates::self_signed(&["127.0.0.1"]);
    let elsewhere = Certificates::self_signed(&["other.example"]);
    for (name, serves, named, status) in [
        ("the certificate itself", &own, &own, 200),
        ("another one", &own, &other, 502),
        ("made for another name", &elsewhere, &elsewhere, 502),
    ] {
        let origin = Origin::tls(serves, false, say("secure"));
        let url = origin.url().replace("http:", "https:");
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("access.log");
        let proxy = Setup::to_url(url)
            .upstream(&format!("tls = {{ ca = {:?} }}", named.ca()))
            .server(&format!("access_log = {{ format = \"json\", file = {log:?} }}"))
            .start();
        assert_eq!(get(proxy.address("web"), "/").status, status, "{name}");
        if status == 502 {
            let logged = || std::fs::read_to_string(&log).unwrap_or_default();
            weir_tests::until("the log says why", || logged().contains("it says: subject"));
            let why = if name == "another one" { "does not name it" } else { "was not made for" };
            assert!(logged().contains(why), "{name}: {}", logged());
        }
    }
}

/// An endpoint that speaks no TLS: the log says so, with what it said instead, and why it is left out.
#[test]
fn why_there_is_no_tls_with_an_endpoint_is_told() {
    let origin = Origin::echo();
    let web = free_address();
    let toml = Setup::to(&origin)
        .upstream("health = { path = \"/\", interval = \"100ms\", unhealthy = 1 }")
        .toml()
        .replace("127.0.0.1:0", &web.to_string())
        .replace("http://", "https://");
    let binary = env!("CARGO_BIN_EXE_weir-under-test");
    let mut daemon = Daemon::start(binary, &["run"], &[("weir.toml", &toml)]);
    let line = daemon.wait_for_line("endpoint is unhealthy");
    let why = origin.url().replace("http://", "");
    assert!(line.contains(&why) && line.contains("\"why\":\"tls_protocol_error: TLS"), "{line}");
    wait_for_port(web);
    assert_eq!(get(web, "/").status, 502);
    let line = daemon.wait_for_line("no TLS with an endpoint");
    assert!(line.contains(&format!("\"endpoint\":\"{why}\"")), "{line}");
    assert!(line.contains("\"suppressed\":0"), "{line}");
}
