//! Calls that plugins make to origins, which no upstream of the configuration names: whom they reach, by whatever
//! name, and whom not.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use weir_tests::{Certificates, Daemon, Origin, Proxy, Seen, guest, request};

const BINARY: &str = env!("CARGO_BIN_EXE_weir-under-test");

fn config(echo: &Origin, http: &str) -> String {
    format!(
        "[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n\
         [plugins.calling]\ncomponent = {:?}\ngrants = {{ http = [{http}] }}\n\
         [routes.all]\nupstream = \"echo\"\nplugins = [\"calling\"]\n\
         [upstreams.echo]\nendpoints = [{:?}]\n",
        guest("calling"),
        echo.url(),
    )
}

/// What came of a call.
fn came(proxy: SocketAddr, echo: &Origin, url: &str) -> String {
    let answer = request(proxy, "GET", "/", &[("x-call", url)], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = echo.last().headers.get("x-came").cloned();
    String::from_utf8_lossy(seen.expect("it said something").as_bytes()).into_owned()
}

fn idp(_: &Seen) -> Response<Full<Bytes>> {
    let answer = Response::builder().header("x-from", "idp").body(Full::new(Bytes::new()));
    answer.expect("a response")
}

#[test]
fn an_origin_is_called_however_it_is_spelled_and_no_other() {
    let (echo, idp) = (Origin::echo(), Origin::answering(idp));
    let port = idp.address().port();
    let granted = format!("\"http://LOCALHOST:{port}/\", \"https://partner.example\"");
    let proxy = Proxy::start(&config(&echo, &granted));
    let came = |url: &str| came(proxy.address("web"), &echo, url);
    for url in ["http://localhost:PORT/me?a=b", "HTTP://LocalHost:PORT/me?a=b"] {
        assert_eq!(came(&url.replace("PORT", &port.to_string())), "200 0 idp", "{url}");
        let seen = idp.last();
        assert_eq!(&*seen.target, "/me?a=b");
        assert_eq!(seen.headers["host"], *format!("localhost:{port}"));
    }
    assert_eq!(came(&format!("http://localhost:{port}")), "200 0 idp");
    assert_eq!(&*idp.last().target, "/");
    let asked = idp.seen().len();
    for (url, expected) in [
        // The same machine by another name is another origin.
        ("http://127.0.0.1:PORT/", "denied"),
        ("http://localhost.:PORT/", "invalid"),
        ("https://localhost:PORT/", "denied"),
        ("http://localhost/", "denied"),
        ("http://partner.example/", "denied"),
        ("https://partner.example:444/", "denied"),
        ("https://partner.example.evil.example/", "denied"),
        ("upstream://localhost:PORT/", "denied"),
        ("http://user@localhost:PORT/", "invalid"),
        ("http://localhost:PORT@evil.example/", "invalid"),
        ("http://localhost:PORT\\@evil.example/", "invalid"),
        ("http://localhost:0PORT/", "200 0 idp"),
        ("http://:PORT/", "invalid"),
        ("http:///", "invalid"),
        ("ftp://localhost:PORT/", "invalid"),
        ("://localhost:PORT/", "invalid"),
        ("//localhost:PORT/", "invalid"),
        ("http:localhost:PORT/", "invalid"),
    ] {
        let url = url.replace("PORT", &port.to_string());
        assert_eq!(came(&url), expected, "{url}");
    }
    assert_eq!(idp.seen().len(), asked + 1, "nobody else was called");
}

/// A name is whatever its owner says. `127.1` is one, and stands for 127.0.0.1 without any server of names.
#[test]
fn a_name_that_stands_for_a_private_address_has_to_be_granted_as_such() {
    let (echo, idp) = (Origin::echo(), Origin::answering(idp));
    let port = idp.address().port();
    let (url, public) = (format!("http://127.1:{port}"), format!("\"http://127.1:{port}\""));
    let private = format!("{{ url = {public}, private = true }}");
    let proxy = Proxy::start(&config(&echo, &public));
    let came = || came(proxy.address("web"), &echo, &url);
    assert_eq!(came(), "denied");
    assert_eq!(idp.connections(), 0);
    let line = proxy.metric(r#"weir_plugin_outbound_total{plugin="calling",outcome="denied"}"#);
    assert!((line - 1.0).abs() < f64::EPSILON, "{line}");
    proxy.reload(&config(&echo, &private)).expect("a good configuration");
    assert_eq!(came(), "200 0 idp");
    // The connection that is there is of a grant that is not there any more.
    proxy.reload(&config(&echo, &public)).expect("a good configuration");
    assert_eq!((came(), idp.seen().len()), ("denied".to_owned(), 1));
    // What is written as an address is meant.
    let named = format!("\"http://127.0.0.1:{port}\"");
    proxy.reload(&config(&echo, &named)).expect("a good configuration");
    assert_eq!(came(), "denied", "another origin");
}

#[test]
fn what_one_plugin_may_reach_is_not_what_another_may() {
    let (echo, idp) = (Origin::echo(), Origin::answering(idp));
    let port = idp.address().port();
    let private = format!("{{ url = \"http://127.1:{port}\", private = true }}");
    let other = format!(
        "[plugins.other]\ncomponent = {:?}\ngrants = {{ http = [\"http://127.1:{port}\"] }}\n\
         [routes.other]\nmatch.path = \"/other\"\nupstream = \"echo\"\nplugins = [\"other\"]\n",
        guest("calling"),
    );
    let proxy = Proxy::start(&(config(&echo, &private) + &other));
    let url = format!("http://127.1:{port}/");
    for (path, expected) in [("/", "200 0 idp"), ("/other", "denied"), ("/", "200 0 idp")] {
        let answer = request(proxy.address("web"), "GET", path, &[("x-call", &url)], b"");
        assert_eq!(answer.status, 200);
        assert_eq!(echo.last().headers["x-came"], expected, "{path}");
    }
}

/// By the system's authorities, for an origin has no settings of its own.
#[test]
fn an_origin_is_verified() {
    let certificates = Certificates::for_names(&["localhost"]);
    let others = Certificates::for_names(&["localhost"]);
    let (echo, trusted) = (Origin::echo(), Origin::tls(&certificates, true, idp));
    let (untrusted, plain) = (Origin::tls(&others, true, idp), Origin::answering(idp));
    let url = |origin: &Origin| format!("https://localhost:{}", origin.address().port());
    let urls = [url(&trusted), url(&untrusted), url(&plain)];
    let granted = urls.each_ref().map(|url| format!("{url:?}")).join(", ");
    let text = config(&echo, &granted);
    let mut daemon = Daemon::start_as(BINARY, &["run"], &[("weir.toml", &text)], |command| {
        command.env("SSL_CERT_FILE", certificates.ca());
    });
    let line = daemon.wait_for_line("\"listening\"");
    let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
    let address = line["address"].as_str().expect("an address").parse().expect("an address");
    assert_eq!(came(address, &echo, &urls[0]), "200 0 idp");
    assert_eq!(came(address, &echo, &urls[1]), "unavailable");
    assert_eq!(came(address, &echo, &urls[2]), "unavailable");
    assert!(untrusted.seen().is_empty() && plain.seen().is_empty());
}
