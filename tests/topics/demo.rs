//! `weir demo`: what it prints is what it does.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use bytes::Bytes;
use weir::cli::demo::{EXAMPLES, Example, To, With};
use weir_tests::{Answer, Daemon, RawClient, h2, request};

const BINARY: &str = env!("CARGO_BIN_EXE_weir-under-test");

/// The demo on free ports, and where it says that it listens.
struct Demo {
    daemon: Daemon,
    printed: String,
    web: SocketAddr,
    admin: SocketAddr,
}

impl Demo {
    fn start() -> Demo {
        let options = ["demo", "--bind", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut daemon = Daemon::start(BINARY, &options, &[]);
        let printed = daemon.printed_until("Ctrl-C ends it.");
        let address = |end: &str| {
            printed
                .lines()
                .filter_map(|line| line.split_once("http://")?.1.strip_suffix(end)?.parse().ok())
                .next()
                .unwrap_or_else(|| panic!("no line for {end}:\n{printed}"))
        };
        Demo { web: address("/"), admin: address("/metrics"), daemon, printed }
    }

    fn address(&self, to: To) -> SocketAddr {
        match to {
            To::Web => self.web,
            To::Admin => self.admin,
        }
    }

    /// What `curl` would send.
    fn send(&self, example: &Example) -> Answer {
        let address = self.address(example.to);
        let mut method = "GET";
        let mut fields = Vec::new();
        let mut body = "";
        let mut http2 = false;
        for with in example.with {
            match *with {
                With::Method(given) => method = given,
                With::Field(name, value) => fields.push((name, value.to_owned())),
                With::User(_, encoded) => {
                    fields.push(("authorization", format!("Basic {encoded}")));
                }
                With::Body(given) => (method, body) = ("POST", given),
                With::Http2 => http2 = true,
            }
        }
        if http2 {
            let uri = format!("http://{address}{}", example.target);
            let head = http::Request::builder().method(method).uri(uri);
            return h2(address, head.body(Bytes::from_static(body.as_bytes())).expect("a request"));
        }
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request(address, method, example.target, &fields, body.as_bytes())
    }
}

#[test]
fn every_line_that_is_printed_answers_as_promised() {
    let demo = Demo::start();
    let mut wrong = Vec::new();
    for example in EXAMPLES {
        let base = format!("http://{}", demo.address(example.to));
        let lines = format!("  {}\n      → {}\n", example.command(&base), example.promise());
        assert!(demo.printed.contains(&lines), "not printed:\n{lines}");
        for _ in 1..example.times {
            let before = demo.send(example);
            assert_eq!(before.status, 200, "{lines}");
        }
        let answer = demo.send(example);
        let kept = |shows: &weir::cli::demo::Shows| {
            shows.is_kept(|name| answer.header(name), &answer.text())
        };
        if answer.status != example.answers || !example.shows.iter().all(kept) {
            let Answer { status, headers, .. } = &answer;
            wrong.push(format!("{lines}      got {status} {headers:?}\n{}", answer.text()));
        }
    }
    assert!(wrong.is_empty(), "promised otherwise:\n{}", wrong.join("\n"));
}

#[test]
fn it_balances_and_ends_when_it_is_interrupted() {
    let mut demo = Demo::start();
    let mut client = RawClient::connect(demo.web);
    let mut endpoints = BTreeSet::new();
    for _ in 0..2 {
        client.send(b"GET /balanced HTTP/1.1\r\nhost: demo\r\n\r\n");
        endpoints.extend(client.answer().header("x-endpoint").map(str::to_owned));
    }
    assert_eq!(endpoints, ["one", "two"].map(str::to_owned).into());
    drop(client);
    demo.daemon.signal("INT");
    let status = demo.daemon.wait(Duration::from_secs(15)).expect("it ends");
    assert!(status.success(), "{status}");
}

#[test]
fn a_taken_port_is_an_error_that_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let mut daemon =
        Daemon::start(BINARY, &["demo", "--bind", &address, "--admin", "127.0.0.1:0"], &[]);
    let status = daemon.wait(Duration::from_secs(60)).expect("it ends");
    assert_eq!(status.code(), Some(1));
    let mut said = String::new();
    daemon.errors().read_to_string(&mut said).expect("text");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(said.contains("--bind"), "{said}");
}
