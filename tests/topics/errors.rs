//! What the proxy itself answers: the form, the reason, and nothing that is nobody's business.

use weir_tests::{Origin, Setup, free_port, request};

const PROBLEM: &str = "application/problem+json";
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const XHTML: &str = "application/xhtml+xml; charset=utf-8";

#[test]
fn the_form_follows_accept() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).route("match = { path = \"/only\" }").start();
    for (accept, form) in [
        ("", PROBLEM),
        ("*/*", PROBLEM),
        ("application/json", PROBLEM),
        ("application/problem+json", PROBLEM),
        ("text/html,application/xhtml+xml,*/*;q=0.8", HTML),
        ("application/xhtml+xml", XHTML),
        ("TEXT/HTML", HTML),
        ("text/html;q=0", PROBLEM),
        ("text/html;q=0.1, application/json", PROBLEM),
        ("text/plain", TEXT),
        ("image/png, text/*;q=0.1", TEXT),
        ("nonsense", PROBLEM),
    ] {
        let answer = request(proxy.address("web"), "GET", "/", &[("accept", accept)], b"");
        assert_eq!(answer.status, 404, "{accept}");
        assert_eq!(answer.header("content-type"), Some(form), "{accept}");
        assert_eq!(answer.header("vary"), Some("accept"), "{accept}");
        match form {
            PROBLEM => {
                let problem: serde_json::Value =
                    serde_json::from_slice(&answer.body).expect("a problem");
                assert_eq!(problem["status"], 404, "{accept}");
                assert_eq!(problem["title"], "Not Found", "{accept}");
            }
            HTML | XHTML => {
                let page = answer.text();
                assert!(page.starts_with("<!doctype html>\n"), "{page}");
                assert!(page.contains("<h1>404 Not Found</h1>\n<p>no route</p>"), "{page}");
            }
            _ => assert_eq!(answer.text(), "404 Not Found: no route\n", "{accept}"),
        }
    }
}

/// A list is all of its lines.
#[test]
fn accept_may_have_several_lines() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).route("match = { path = \"/only\" }").start();
    let ask = |fields: &[(&str, &str)]| request(proxy.address("web"), "GET", "/", fields, b"");
    for (first, second, form) in [
        ("image/png", "text/plain", TEXT),
        ("", "text/html", HTML),
        ("application/json", "text/plain", PROBLEM),
    ] {
        let answer = ask(&[("accept", first), ("accept", second)]);
        assert_eq!(answer.header("content-type"), Some(form), "{first} {second}");
    }
}

#[test]
fn an_upstream_error_names_its_kind_and_no_address() {
    let port = free_port();
    let proxy = Setup::to_url(format!("http://127.0.0.1:{port}")).start();
    for accept in ["text/plain", "application/json"] {
        let answer = request(proxy.address("web"), "GET", "/", &[("accept", accept)], b"");
        assert_eq!(answer.status, 502);
        assert_eq!(answer.header("proxy-status"), Some("weir; error=connection_refused"));
        assert!(!answer.text().contains(&port.to_string()), "{}", answer.text());
    }
}

#[test]
fn each_cause_has_its_status_and_kind() {
    let unresolved = Setup::to_url("http://does-not-exist.invalid:80");
    let empty = Origin::replying(b"");
    let garbage = Origin::replying(b"garbage\r\n\r\n");
    let plain = Origin::echo();
    let https = plain.url().replace("http:", "https:");
    for (setup, status, kind) in [
        (unresolved, 502, "dns_error"),
        (Setup::to(&empty), 502, "connection_terminated"),
        (Setup::to(&garbage), 502, "http_protocol_error"),
        (Setup::to_url(https).upstream("tls = { verify = false }"), 502, "tls_protocol_error"),
    ] {
        let proxy = setup.start();
        let answer = request(proxy.address("web"), "GET", "/", &[], b"");
        assert_eq!(answer.status, status, "{kind}: {answer:?}");
        let expected = format!("weir; error={kind}");
        assert_eq!(answer.header("proxy-status"), Some(expected.as_str()));
    }
}

#[test]
fn an_error_keeps_the_connection_and_head_has_no_body() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).route("match = { path = \"/only\" }").start();
    let mut client = weir_tests::RawClient::connect(proxy.address("web"));
    for method in ["GET", "HEAD", "GET"] {
        client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let answer = client.answer_to(method);
        assert_eq!(answer.status, 404, "{method}");
        assert!(answer.header("content-length").is_some(), "{method}");
        assert_eq!(answer.header("via"), Some("1.1 weir"), "{method}");
    }
}

#[test]
fn a_request_that_goes_round_in_circles_is_stopped() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let toml = Setup::to_url(url).toml().replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    let proxy = weir_tests::Proxy::start(&toml);
    let answer = request(proxy.address("web"), "GET", "/", &[], b"");
    assert_eq!(answer.status, 508);
    assert_eq!(answer.header("proxy-status"), Some("weir; error=proxy_loop_detected"));
}

#[test]
fn a_route_without_upstream_needs_a_plugin_that_replies() {
    let toml = "[listeners.web]\nbind = \"127.0.0.1:0\"\n\
        [plugins.headers]\ncomponent = \"headers\"\n[routes.all]\nplugins = [\"headers\"]\n";
    let proxy = weir_tests::Proxy::start(toml);
    let answer = request(proxy.address("web"), "GET", "/", &[], b"");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("proxy-status"), Some("weir; error=proxy_configuration_error"));
}
