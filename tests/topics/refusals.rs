//! What the proxy itself refuses has what the chain adds to responses, once: a browser's page reads no
//! answer without.

use std::io::Write;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use hyper::body::{Body, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use weir_tests::{Answer, Origin, RawClient, Setup, get, h2, read_head};

const PAGE: &str = "https://app.example";
/// Tells pages apart: who is not shown the field lets nobody in.
const CORS: &str = "{ allow_origins = [\"https://app.example\", \"https://other.example\"] }";
/// A second time would be seen.
const MARKS: &str = "{ response = { add = { x-mark = \"one\" } } }";

/// How a client asks.
enum Ask {
    /// These bytes, with the page's field behind the first line.
    Bytes(&'static str),
    /// The same, and then a body that comes too slowly.
    Drips,
    /// Over HTTP/2, with so many fields.
    Fields(usize),
    /// Over HTTP/2, a body of which nothing comes.
    Stops,
}

/// A name, the proxy, how it is asked, what it answers, and whether the request got so far that it is
/// its route's.
struct Case {
    name: &'static str,
    setup: Setup,
    ask: Ask,
    status: u16,
    is_routed: bool,
}

fn cases(echo: &Origin, silent: &Origin) -> Vec<Case> {
    use Ask::{Bytes, Drips, Fields, Stops};
    let to = || Setup::to(echo);
    let only = || to().route("match = { path = \"/only\" }");
    let limited = || to().listener("body_limit = \"3B\"");
    let rate = "min_body_rate = \"1KB\"\nmin_body_rate_window = \"200ms\"";
    let late = || Setup::to(silent).upstream("timeouts = { first_byte = \"200ms\" }");
    let down = || Setup::to_url("http://127.0.0.1:1");
    let old = "GET / HTTP/1.1\r\nVia: 1 weir, 1 weir, 1 weir, 1 weir, 1 weir, 1 weir, 1 weir, 1 weir, \
               1 weir, 1 weir\r\n\r\n";
    let two = "OPTIONS / HTTP/1.1\r\nMax-Forwards: 1\r\nMax-Forwards: 0\r\n\r\n";
    let chunks = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
    let slash = "GET /a%2Fb HTTP/1.1\r\n\r\n";
    let strict = "path = \"strict\"";
    let plain = "GET / HTTP/1.1\r\n\r\n";
    [
        ("a path, by the listener", to().listener(strict), Bytes(slash), 400, true),
        ("a path, by the route", to().route(strict), Bytes(slash), 400, true),
        ("a loop", to(), Bytes(old), 508, true),
        ("two Max-Forwards", to(), Bytes(two), 400, true),
        ("the last hop", to(), Bytes("OPTIONS / HTTP/1.1\r\nMax-Forwards: 0\r\n\r\n"), 200, true),
        (
            "an announced body",
            limited(),
            Bytes("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"),
            413,
            true,
        ),
        ("a body in chunks", limited(), Bytes(chunks), 413, true),
        ("a body that drips", to().listener(rate), Drips, 408, true),
        ("a body that stops", to().listener("body_timeout = \"200ms\""), Stops, 408, true),
        ("an endpoint that is silent", late(), Bytes(plain), 504, true),
        ("an endpoint that is not there", down(), Bytes(plain), 502, true),
        ("no route", only(), Bytes(plain), 404, false),
        (
            "fields",
            to().listener("max_headers = 3"),
            Bytes("GET / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n"),
            431,
            false,
        ),
        ("fields of HTTP/2", to().listener("max_headers = 3"), Fields(9), 431, false),
        ("a path that is none", to(), Bytes("GET /%00 HTTP/1.1\r\n\r\n"), 400, false),
        ("a name that is none", to(), Bytes("GET / HTTP/1.1\r\nbad name: x\r\n\r\n"), 400, false),
        ("a coding", to(), Bytes("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"), 501, false),
        ("a tunnel", to(), Bytes("CONNECT a:80 HTTP/1.1\r\n\r\n"), 501, false),
    ]
    .map(|(name, setup, ask, status, is_routed)| Case { name, setup, ask, status, is_routed })
    .into()
}

#[test]
fn every_refusal_has_what_the_chain_adds_and_has_it_once() {
    let echo = Origin::echo();
    let silent = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    for by_listener in [true, false] {
        for Case { name, setup, ask, status, is_routed } in cases(&echo, &silent) {
            let setup = match by_listener {
                true => setup.listener("plugins = [\"cors\", \"headers\"]").upstream(&format!(
                    "[plugins.cors]\ncomponent = \"cors\"\nconfig = {CORS}\n\
                     [plugins.headers]\ncomponent = \"headers\"\nconfig = {MARKS}"
                )),
                false => setup.plugin("cors", CORS).plugin("headers", MARKS),
            };
            let proxy = setup.start();
            let answer = ask.at(proxy.address("web"));
            assert_eq!(answer.status, status, "{name}: {answer:?}");
            let (allowed, marks) = match by_listener || is_routed {
                true => (Some(PAGE), 1),
                false => (None, 0),
            };
            let place = if by_listener { "the listener's" } else { "the route's" };
            assert_eq!(answer.header("access-control-allow-origin"), allowed, "{name}, {place}");
            let seen = answer.headers.get_all("x-mark").iter().count();
            assert_eq!(seen, marks, "{name}, {place}: {answer:?}");
        }
    }
}

/// It has nothing that the plugin could have held back.
#[test]
fn a_hook_that_fails_leaves_a_refusal_as_it_was() {
    let origin = Origin::echo();
    let long = "y".repeat(100_000);
    let config = format!(
        "{{ response = {{ set = {{ x-long = {long:?} }}, add = {{ x-mark = \"one\" }} }} }}"
    );
    let proxy = Setup::to(&origin).listener("path = \"strict\"").plugin("headers", &config).start();
    assert_eq!(get(proxy.address("web"), "/").status, 500, "the hook does not fail");
    let answer = get(proxy.address("web"), "/a%2Fb");
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("x-long"), None);
    let failures = r#"weir_plugin_failures_total{plugin="headers",hook="response",reason="error"}"#;
    assert_eq!(proxy.metric(failures), 2.0, "{}", proxy.metrics());
}

/// Of what was not made safe a plugin sees the few fields that an answer needs.
#[test]
fn a_hook_is_shown_little_of_what_was_refused() {
    let origin = Origin::echo();
    let set = "{ x-told = \"{request.method} {request.host} {request.header.origin} \
               {request.header.x-own}{request.header.cookie}.\", x-client = \"{client.address}\" }";
    let proxy = Setup::to(&origin)
        .server("trusted_proxies = [\"127.0.0.1\"]")
        .listener("path = \"strict\"")
        .plugin("headers", &format!("{{ response = {{ set = {set} }} }}"))
        .start();
    let fields =
        "Host: a\r\nOrigin: https://b\r\nX-Own: 1\r\nCookie: c\r\nX-Forwarded-For: 203.0.113.7";
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(format!("PUT /a%2Fb HTTP/1.1\r\n{fields}\r\n\r\n").as_bytes());
    let answer = client.answer();
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("x-told"), Some("PUT a https://b ."));
    assert_eq!(answer.header("x-client"), Some("203.0.113.7"));
    assert!(client.is_closed());
}

impl Ask {
    fn at(&self, address: SocketAddr) -> Answer {
        match self {
            Ask::Bytes(bytes) => {
                let mut client = RawClient::connect(address);
                client.send(with_page(bytes).as_bytes());
                client.answer()
            }
            Ask::Drips => {
                let mut client = RawClient::connect(address);
                let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
                client.send(with_page(head).as_bytes());
                let mut writer = client.stream().try_clone().expect("a clone");
                std::thread::spawn(move || {
                    while writer.write_all(b"1\r\nx\r\n").is_ok() {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                });
                client.answer()
            }
            Ask::Fields(count) => {
                let mut ask = Request::get("http://a/").header("origin", PAGE);
                for number in 1..*count {
                    ask = ask.header(format!("x-{number}"), "1");
                }
                h2(address, ask.body(Bytes::new()).expect("a request"))
            }
            Ask::Stops => stopping(address),
        }
    }
}

/// With host and page behind the first line.
fn with_page(bytes: &str) -> String {
    bytes.replacen("\r\n", &format!("\r\nHost: a:80\r\nOrigin: {PAGE}\r\n"), 1)
}

/// A body of which nothing comes.
struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

fn stopping(address: SocketAddr) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("a handshake");
        tokio::spawn(connection);
        let ask = Request::post("http://a/").header("origin", PAGE).body(Nothing);
        let answer = sender.send_request(ask.expect("a request")).await.expect("a response");
        let headers: HeaderMap = answer.headers().clone();
        Answer { status: answer.status().as_u16(), headers, body: Vec::new() }
    })
}
