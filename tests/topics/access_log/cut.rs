//! Exchanges that did not come to their end, and requests that were none: what was asked is told.

use std::io::Write;
use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_tests::frames::{Frames, kind};
use weir_tests::{Gate, Origin, Proxy, RawClient, Setup, get, guest, read_head};

use super::{lines, logging};

/// The only line.
fn line(folder: &Path) -> Value {
    let line = lines(&folder.join("access.log"), 1).remove(0);
    serde_json::from_str(&line).expect("JSON")
}

fn assert_told(line: &Value, told: &[(&str, &str)]) {
    for (key, value) in told {
        assert_eq!(line[key], *value, "{key}: {line}");
    }
}

/// Reads a head, tells, and answers nothing.
fn silent() -> (Origin, Gate) {
    let gate = Gate::default();
    let origin = {
        let gate = gate.clone();
        Origin::raw(move |mut stream| {
            let gate = gate.clone();
            async move {
                read_head(&mut stream).await;
                gate.open();
                let _ = tokio::task::spawn_blocking(move || gate.pass()).await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        })
    };
    (origin, gate)
}

#[test]
fn a_client_that_goes_before_the_answer() {
    for h2 in [false, true] {
        let (origin, gate) = silent();
        let (proxy, folder) = logging(Setup::to(&origin), "json");
        if h2 {
            let mut client = Frames::connect(proxy.address("web"));
            let fields = [(":method", "PUT"), (":scheme", "http"), (":authority", "a.example")];
            client.head(
                1,
                true,
                &[&fields[..], &[(":path", "/x?y"), ("user-agent", "u")]].concat(),
            );
            gate.wait_for(1);
            client.send(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]);
            assert_eq!(line(folder.path())["protocol"], "HTTP/2");
        } else {
            let mut client = RawClient::connect(proxy.address("web"));
            client.send(b"PUT /x?y HTTP/1.1\r\nHost: a.example\r\nUser-Agent: u\r\n\r\n");
            gate.wait_for(1);
            // One that only ends its side waits for its answer.
            client.reset();
            assert_eq!(line(folder.path())["protocol"], "HTTP/1.1");
        }
        let line = line(folder.path());
        assert_told(&line, &[("method", "PUT"), ("host", "a.example"), ("path", "/x?y")]);
        assert_told(&line, &[("user_agent", "u"), ("route", "all"), ("upstream", "origin")]);
        assert_eq!(line["error"], "connection_terminated", "{line}");
    }
}

/// The exchange is the plugin's while it waits.
#[test]
fn a_client_that_goes_while_a_plugin_reads_its_body() {
    let origin = Origin::echo();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("access.log");
    let toml = format!(
        "[server]\nworkers = 1\naccess_log = {{ file = {file:?} }}\n\
         [listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.reads]\ncomponent = \"{}\"\n\
         [routes.all]\nplugins = [\"reads\"]\nupstream = \"origin\"\n\
         [upstreams.origin]\nendpoints = [\"{}\"]\n",
        guest("faulty-reading").display(),
        origin.url()
    );
    let proxy = Proxy::start(&toml);
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"POST /x HTTP/1.1\r\nHost: a\r\nx-fault: read\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n");
    // The plugin asks for the body.
    assert!(client.exactly(12).is_some_and(|head| head == b"HTTP/1.1 100"));
    client.send(b"part");
    drop(client);
    let line = line(folder.path());
    assert_told(&line, &[("method", "POST"), ("host", "a"), ("path", "/x"), ("route", "all")]);
}

/// It was switched: what fails then is no upgrade. Who ended it is told.
#[test]
fn a_tunnel_that_is_reset() {
    for side in ["endpoint", "client"] {
        let origin = Origin::raw(move |mut stream| async move {
            read_head(&mut stream).await;
            let _ = stream
                .write_all(
                    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                      upgrade: websocket\r\n\r\n12345",
                )
                .await;
            let mut space = [0; 3];
            let _ = stream.read_exact(&mut space).await;
            if side == "endpoint" {
                // Dropped so, it is a reset.
                stream.set_zero_linger().expect("set");
            } else {
                // What the client never reads makes its end a reset.
                let _ = stream.write_all(b"more").await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        });
        let (proxy, folder) = logging(Setup::to(&origin), "json");
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(
            b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        );
        assert_eq!(client.answer().status, 101);
        assert_eq!(client.exactly(5).as_deref(), Some(b"12345".as_slice()));
        client.stream().write_all(b"abc").expect("sent");
        if side == "client" {
            client.stream().peek(&mut [0; 4]).expect("more");
            drop(client);
        }
        let line = line(folder.path());
        assert_told(&line, &[("method", "GET"), ("path", "/chat")]);
        assert_told(&line, &[("error", "connection_terminated")]);
        let detail = line["error_detail"].as_str().expect("a detail");
        assert!(detail.starts_with(&format!("the {side} ended the tunnel")), "{side}: {line}");
        assert_eq!(line["request_bytes"], 3, "{side}: {line}");
        // What the client took, and what it did not.
        let sent = if side == "client" { 9 } else { 5 };
        assert_eq!(line["response_bytes"], sent, "{side}: {line}");
    }
}

/// Bytes that are no request, the status, and what is told of them.
type Refused = (&'static str, u16, &'static [(&'static str, &'static str)]);

const REFUSED: &[Refused] = &[
    (
        "PUT /x?y HTTP/1.1\r\nHost: a.example\r\nUser-Agent: u\r\nbad name: x\r\n\r\n",
        400,
        // What follows the bad line was not looked at.
        &[("method", "PUT"), ("path", "/x?y"), ("host", "a.example"), ("user_agent", "u")],
    ),
    ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, &[("method", "GET"), ("path", "/a%23b")]),
    ("GET / HTTP/1.0\r\nbad name: x\r\n\r\n", 400, &[("protocol", "HTTP/1.0"), ("path", "/")]),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", 400, &[("method", "-"), ("path", "-")]),
    ("GET / HTTP/1.1\r\nx: \x7f\r\n\r\n", 400, &[("method", "GET"), ("path", "/")]),
    ("GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", 400, &[("method", "GET"), ("path", "-")]),
    ("GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", 400, &[("method", "GET"), ("path", "-")]),
    ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501, &[("method", "POST")]),
];

#[test]
fn a_refused_request_has_the_form_of_any_other_answer() {
    let origin = Origin::echo();
    for (bytes, status, told) in REFUSED {
        let (proxy, folder) = logging(Setup::to(&origin), "json");
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(bytes.as_bytes());
        let answer = client.answer();
        let name = bytes.escape_default();
        assert_eq!(answer.status, *status, "{name}");
        assert!(answer.header("date").is_some(), "{name}: {answer:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{name}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{name}");
        let line = line(folder.path());
        assert_eq!(line["status"], *status, "{name}: {line}");
        assert_told(&line, told);
        assert_told(&line, &[("error", "http_request_error"), ("client", "127.0.0.1")]);
        let series = r#"weir_errors_total{kind="http_request_error"}"#;
        assert_eq!(proxy.metric(series), 1.0, "{name}");
    }
    assert!(origin.seen().is_empty());
}

/// Whether or not a plugin adds to the answer.
#[test]
fn a_refused_path_is_told_as_it_was_written() {
    let origin = Origin::echo();
    let plain = || Setup::to(&origin).listener("path = \"strict\"");
    let marked = || plain().plugin("headers", "{ response = { set = { x-own = \"1\" } } }");
    for (name, setup, own) in [("alone", plain(), None), ("marked", marked(), Some("1"))] {
        let (proxy, folder) = logging(setup, "json");
        let answer = get(proxy.address("web"), "/a%2Fb");
        assert_eq!((answer.status, answer.header("x-own")), (400, own), "{name}");
        let line = line(folder.path());
        assert_eq!(line["status"], 400, "{name}: {line}");
        assert_told(&line, &[("method", "GET"), ("path", "/a%2Fb"), ("host", "localhost")]);
        assert_told(&line, &[("route", "all"), ("error", "http_request_error")]);
    }
}

#[test]
fn a_refusal_comes_in_the_form_that_the_client_wants() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (method, fields, kind, body) in [
        ("GET", "Accept: text/html", "text/html; charset=utf-8", true),
        ("GET", "Accept: text/plain", "text/plain; charset=utf-8", true),
        ("HEAD", "Accept: text/html", "text/html; charset=utf-8", false),
    ] {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(format!("{method} / HTTP/1.1\r\n{fields}\r\nbad name: x\r\n\r\n").as_bytes());
        let answer = client.answer_to(method);
        assert_eq!((answer.status, answer.header("content-type")), (400, Some(kind)), "{method}");
        assert_eq!(!answer.body.is_empty(), body, "{method}");
        assert!(client.is_closed(), "{method}");
    }
}

#[test]
fn a_head_that_does_not_end_is_told_so_and_logged() {
    let origin = Origin::echo();
    for begin in ["P", "POST /x HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n"] {
        let setup = Setup::to(&origin).listener("header_timeout = \"300ms\"");
        let (proxy, folder) = logging(setup, "json");
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(begin.as_bytes());
        let answer = client.answer();
        assert_eq!(answer.status, 408, "{begin:?}");
        assert!(answer.header("date").is_some() && !answer.body.is_empty(), "{answer:?}");
        assert!(client.is_closed(), "{begin:?}");
        let line = line(folder.path());
        assert_eq!(line["status"], 408, "{line}");
        if begin.len() > 1 {
            assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
            assert_told(&line, &[("method", "POST"), ("path", "/x"), ("host", "a")]);
        }
    }
}
