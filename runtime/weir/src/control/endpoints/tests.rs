//! Endpoints that come and go while one configuration serves, on real sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use weir_bundle::BUILT_INS;
use weir_core::clock::Clock;
use weir_core::config::{self, Environment, Source};
use weir_wasm::Loader;

use super::*;
use crate::control::{Options, start};

/// Answers each request with its name and the request's path.
fn endpoint(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer_all(&stream, name));
        }
    });
    address
}

fn answer_all(mut stream: &TcpStream, name: &str) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(line) = lines.by_ref().take_while(|line| !line.is_empty()).next() {
        lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
        let body = format!("{name} {}", line.split(' ').nth(1).unwrap_or_default());
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.write_all([head, body].concat().as_bytes()).is_err() {
            return;
        }
    }
}

/// The body of the answer, over a connection of its own.
fn ask(proxy: SocketAddr) -> String {
    let mut stream = TcpStream::connect(proxy).expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
}

fn at(address: SocketAddr) -> config::Endpoint {
    let host = address.ip().to_string().into();
    config::Endpoint { tls: false, host, port: address.port(), weight: 1 }
}

/// A set takes the place of another; requests go to what is there now, through the same configuration.
#[test]
fn endpoints_are_others_without_another_configuration() {
    let (first, second) = (endpoint("first"), endpoint("second"));
    let text = format!(
        "[server]\nworkers = 2\n[listeners.web]\nbind = \"127.0.0.1:0\"\n\
         [upstreams.a]\nendpoints = [\"http://{first}\"]\n[routes.all]\nupstream = \"a\"\n"
    );
    let options = Options {
        source: Source::Text { name: "test.toml".into(), text },
        environment: Environment::default(),
        built_ins: BUILT_INS,
        clock: Clock::System,
        loader: Loader::default(),
    };
    let running = start(options).unwrap_or_else(|error| panic!("{error}"));
    let proxy = running.address("web").expect("it listens");
    let answers = || (0..8).map(|_| ask(proxy)).collect::<Vec<_>>();
    assert!(answers().iter().all(|answer| answer == "first /"));
    let generation = running.built().map(|built| built.generation);
    let found = |endpoints: &[config::Endpoint]| {
        let before = running.endpoints.load();
        let cluster = before[0].cluster.clone();
        let set = EndpointSet::new(cluster, endpoints, &running.metrics, Some(&before[0]));
        running.follow_endpoints(vec![set.unwrap_or_else(|error| panic!("{}", error.what))]);
    };
    found(&[at(first), at(second)]);
    let both = answers();
    assert!(["first /", "second /"].iter().all(|name| both.iter().any(|known| known == name)));
    found(&[at(second)]);
    assert!(answers().iter().all(|answer| answer == "second /"));
    found(&[]);
    assert!(ask(proxy).contains("destination_unavailable"), "{}", ask(proxy));
    found(&[at(first)]);
    assert!(answers().iter().all(|answer| answer == "first /"));
    assert_eq!(running.built().map(|built| built.generation), generation);
    assert_eq!(running.stop(Duration::from_secs(5)), 0);
}
