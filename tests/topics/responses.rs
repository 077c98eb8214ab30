//! How a response ends and what it says of itself, whoever made it, on HTTP/1.1 as on HTTP/2.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use weir_tests::frames::{END_STREAM, Frames, kind};
use weir_tests::{Answer, Origin, Proxy, RawClient, Setup, guest, h2, request};

/// One answer over HTTP/2: its head, and whether the stream ended with it.
fn over_h2(address: SocketAddr, method: &str, fields: &[(&str, &str)]) -> (Answer, bool) {
    let mut ask = Request::builder().method(method).uri("http://a/x");
    for (name, value) in fields {
        ask = ask.header(*name, *value);
    }
    let answer = h2(address, ask.body(Bytes::new()).expect("a request"));
    let mut client = Frames::connect(address);
    let own = [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", "/x")];
    client.head(1, true, &[&own, fields].concat());
    let head = client.find(kind::HEADERS, 1).expect("a head");
    (answer, head.flags & END_STREAM != 0)
}

/// One answer over HTTP/1.1, and that another follows on the same connection: nothing of a body was
/// left between them.
fn over_h1(address: SocketAddr, method: &str, fields: &[(&str, &str)]) -> Answer {
    let mut client = RawClient::connect(address);
    let mut head = format!("{method} /x HTTP/1.1\r\nHost: a\r\n");
    for (name, value) in fields {
        head += &format!("{name}: {value}\r\n");
    }
    client.send(format!("{head}\r\n").as_bytes());
    let answer = client.answer_to(method);
    client.send(format!("{head}\r\n").as_bytes());
    let again = client.answer_to(method);
    assert_eq!(answer.status, again.status, "{method}: {again:?}");
    answer
}

/// What must hold of an answer that has no body.
fn assert_bodiless(name: &str, proxy: &Proxy, method: &str, fields: &[(&str, &str)], status: u16) {
    let address = proxy.address("web");
    let h1 = over_h1(address, method, fields);
    let (h2, ended) = over_h2(address, method, fields);
    assert!(ended, "{name}: the stream goes on after the head");
    for answer in [h1, h2] {
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert!(answer.body.is_empty(), "{name}: {answer:?}");
        assert!(answer.header("date").is_some(), "{name}: {answer:?}");
        let length = answer.header("content-length");
        match status {
            _ if method == "HEAD" && status != 204 => {}
            205 => assert_eq!(length, Some("0"), "{name}"),
            _ => assert_eq!(length, None, "{name}"),
        }
    }
}

#[test]
fn head_has_no_body_whoever_answers() {
    let origin = Origin::echo();
    let down = Setup::to_url("http://127.0.0.1:1");
    let refused = Setup::to(&origin).plugin("key-auth", "{ keys = [\"k\"] }");
    let mock = Setup::to(&origin).plugin("mock", "{ status = 200, body = \"a body\" }");
    let unrouted = Setup::to(&origin).route("match = { path = \"/only\" }");
    for (name, setup, status) in [
        ("an endpoint", Setup::to(&origin), 200),
        ("no endpoint", down, 502),
        ("no route", unrouted, 404),
        ("a plugin", mock, 200),
        ("a plugin that refuses", refused, 401),
    ] {
        let proxy = setup.start();
        assert_bodiless(name, &proxy, "HEAD", &[], status);
        // The length is a GET's.
        let get = request(proxy.address("web"), "GET", "/x", &[], b"");
        let head = request(proxy.address("web"), "HEAD", "/x", &[], b"");
        if name != "an endpoint" {
            assert_eq!(head.header("content-length"), get.header("content-length"), "{name}");
        }
    }
}

#[test]
fn a_refusal_before_routing_has_no_body_for_head_either() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = Frames::connect(proxy.address("web"));
    let fields = [(":method", "HEAD"), (":scheme", "http"), (":authority", "a"), (":path", "/%00")];
    client.head(1, true, &fields);
    let head = client.find(kind::HEADERS, 1).expect("a head");
    assert_ne!(head.flags & END_STREAM, 0);
}

#[test]
fn a_status_without_a_body_has_none_whoever_sets_it() {
    let origin = Origin::echo();
    let faulty = format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.sets]\ncomponent = \"{}\"\n\
         [routes.all]\nplugins = [\"sets\"]\nupstream = \"origin\"\n\
         [upstreams.origin]\nendpoints = [\"{}\"]\n",
        guest("faulty").display(),
        origin.url()
    );
    let faulty = Proxy::start(&faulty);
    for status in [204, 205, 304] {
        let fault = format!("response-status-{status}");
        let name = format!("{status} set on a response");
        assert_bodiless(&name, &faulty, "GET", &[("x-fault", &fault)], status);
        let config = format!("{{ status = {status}, body = \"a body\" }}");
        let proxy = Setup::to(&origin).plugin("mock", &config).start();
        assert_bodiless(&format!("{status} replied"), &proxy, "GET", &[], status);
        let h2c = Origin::h2c(move |_| {
            let body = if status == 304 { Bytes::new() } else { Bytes::from("a body") };
            let response = Response::builder().status(status);
            response.body(Full::new(body)).expect("a response")
        });
        let proxy = Setup::to(&h2c).upstream("protocol = \"http2\"").start();
        assert_bodiless(&format!("{status} of an h2 endpoint"), &proxy, "GET", &[], status);
    }
    for (status, length, bytes) in [
        (204, None, b"HTTP/1.1 204 No Content\r\ncontent-length: 6\r\n\r\n".as_slice()),
        (205, Some("0"), b"HTTP/1.1 205 Reset Content\r\ncontent-length: 6\r\n\r\na body"),
        (
            205,
            Some("0"),
            b"HTTP/1.1 205 Reset Content\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        ),
        (304, None, b"HTTP/1.1 304 Not Modified\r\ncontent-length: 6\r\n\r\n"),
    ] {
        let origin = Origin::replying(bytes);
        let proxy = Setup::to(&origin).start();
        let address = proxy.address("web");
        let (answer, ended) = over_h2(address, "GET", &[]);
        assert!(ended, "{status}");
        let h1 = request(address, "GET", "/", &[], b"");
        for answer in [answer, h1] {
            assert_eq!((answer.status, answer.body.len()), (status, 0));
            assert_eq!(answer.header("content-length"), length, "{answer:?}");
        }
    }
}

/// The client asked for a body, and the endpoint did not: the length was of what it did not send.
#[test]
fn a_length_without_its_body_is_not_passed_on() {
    let origin = Origin::replying(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n");
    let toml = format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.asks]\ncomponent = \"{}\"\n\
         [routes.all]\nplugins = [\"asks\"]\nupstream = \"origin\"\n\
         [upstreams.origin]\nendpoints = [\"{}\"]\n",
        guest("faulty").display(),
        origin.url()
    );
    let proxy = Proxy::start(&toml);
    let fields = [("x-fault", "ask-head")];
    let h1 = request(proxy.address("web"), "GET", "/", &fields, b"");
    let (h2, ended) = over_h2(proxy.address("web"), "GET", &fields);
    assert!(ended);
    for answer in [h1, h2] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-length"), Some("0"), "{answer:?}");
    }
}

#[test]
fn an_unknown_status_has_no_reason() {
    let origin = Origin::replying(b"HTTP/1.1 299 Strange\r\ncontent-length: 0\r\n\r\n");
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let text = String::from_utf8(client.rest()).expect("text");
    assert!(text.starts_with("HTTP/1.1 299 \r\n"), "{text}");
}

#[test]
fn what_an_endpoint_wants_to_be_upgraded_to_arrives() {
    let origin = Origin::replying(
        b"HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
          content-length: 0\r\n\r\n",
    );
    let proxy = Setup::to(&origin).start();
    let answer = request(proxy.address("web"), "GET", "/", &[], b"");
    assert_eq!(answer.status, 426);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("connection"), Some("upgrade"));
    // No protocol is switched on HTTP/2 (RFC 9113, 8.2.2).
    let (answer, _) = over_h2(proxy.address("web"), "GET", &[]);
    assert_eq!((answer.status, answer.header("upgrade")), (426, None));
}

#[test]
fn a_connection_that_closes_after_an_unread_body_says_so() {
    let origin = Origin::echo();
    let refuses = Setup::to(&origin).plugin("key-auth", "{ keys = [\"k\"] }").start();
    let down = Setup::to_url("http://127.0.0.1:1").start();
    let early = Origin::replying(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    let early = Setup::to(&early).start();
    for (name, proxy, status) in
        [("a plugin", &refuses, 401), ("no endpoint", &down, 502), ("early", &early, 403)]
    {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\npart");
        let answer = client.answer();
        assert_eq!(answer.status, status, "{name}");
        assert_eq!(answer.header("connection"), Some("close"), "{name}: {answer:?}");
        client.stream().shutdown(std::net::Shutdown::Write).expect("shut down");
        assert!(client.is_closed(), "{name}");
    }
}

/// Most refused bodies are small and here already: they cost no connection.
#[test]
fn an_unread_body_that_is_here_already_keeps_the_connection() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).plugin("key-auth", "{ keys = [\"k\"] }").start();
    let mut client = RawClient::connect(proxy.address("web"));
    for body in [
        "content-length: 4\r\n\r\nbody",
        "transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    ] {
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{body}").as_bytes());
        let answer = client.answer();
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("connection"), None, "{body}: {answer:?}");
    }
}

#[test]
fn a_rewritten_part_says_which_part_it_is() {
    let part = Origin::replying(
        b"HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-3/10\r\netag: \"a\"\r\n\
          content-length: 4\r\n\r\nbody",
    );
    let toml = format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.rewrites]\ncomponent = \"{}\"\n\
         [routes.all]\nplugins = [\"rewrites\"]\nupstream = \"origin\"\n\
         [upstreams.origin]\nendpoints = [\"{}\"]\n",
        guest("faulty").display(),
        part.url()
    );
    let proxy = Proxy::start(&toml);
    let fields = [("x-fault", "response-body-none")];
    let answer = request(proxy.address("web"), "GET", "/", &fields, b"");
    assert_eq!((answer.status, answer.text()), (206, "body".to_owned()));
    assert_eq!(answer.header("content-range"), Some("bytes 0-3/10"));
    assert_eq!(answer.header("etag"), Some("W/\"a\""));
    // HEAD says what a GET would: another length than the endpoint's.
    let whole = Origin::replying(b"HTTP/1.1 200 OK\r\netag: \"a\"\r\ncontent-length: 4\r\n\r\n");
    let proxy = Proxy::start(&toml.replace(&part.url(), &whole.url()));
    let answer = request(proxy.address("web"), "HEAD", "/", &fields, b"");
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(answer.header("etag"), Some("W/\"a\""));
}

/// A plugin that merely reads a body changes nothing of what is said of its bytes.
#[test]
fn a_body_that_was_only_read_is_the_same_one() {
    let head = "HTTP/1.1 200 OK\r\netag: \"a\"\r\naccept-ranges: bytes\r\n\
                content-digest: sha-256=:x:\r\n";
    for body in [
        "content-length: 4\r\n\r\nbody",
        "transfer-encoding: chunked\r\n\r\n\
                  4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n",
    ] {
        let origin = Origin::replying(format!("{head}{body}").leak().as_bytes());
        let toml = format!(
            "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.reads]\ncomponent = \"{}\"\n\
             [routes.all]\nplugins = [\"reads\"]\nupstream = \"origin\"\n\
             [upstreams.origin]\nendpoints = [\"{}\"]\n",
            guest("faulty-reading").display(),
            origin.url()
        );
        let proxy = Proxy::start(&toml);
        let fields = [("x-fault", "response-read")];
        let answer = request(proxy.address("web"), "GET", "/", &fields, b"");
        assert_eq!((answer.status, answer.text()), (200, "body".to_owned()));
        assert_eq!(answer.header("x-length"), Some("4"));
        for (name, value) in
            [("etag", "\"a\""), ("accept-ranges", "bytes"), ("content-digest", "sha-256=:x:")]
        {
            assert_eq!(answer.header(name), Some(value), "{body}");
        }
    }
}

#[test]
fn a_guest_cannot_ask_for_a_tunnel() {
    let origin = Origin::echo();
    let toml = format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.connects]\ncomponent = \"{}\"\n\
         [routes.all]\nplugins = [\"connects\"]\nupstream = \"origin\"\n\
         [upstreams.origin]\nendpoints = [\"{}\"]\n",
        guest("faulty").display(),
        origin.url()
    );
    let proxy = Proxy::start(&toml);
    let ask = |fault| request(proxy.address("web"), "GET", "/", &[("x-fault", fault)], b"");
    assert_eq!(ask("connect").status, 500);
    assert!(origin.seen().is_empty());
    assert_eq!(ask("connect-quietly").status, 200);
    assert_eq!(origin.last().method, "GET");
}
