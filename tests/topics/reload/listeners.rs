//! Listeners added and removed by a reload.

use std::net::{SocketAddr, TcpListener, TcpStream};

use weir_tests::{Origin, Proxy, RawClient, free_address, get, until};

fn config(origin: &Origin, listeners: &[(&str, SocketAddr)]) -> String {
    let listeners: String = listeners
        .iter()
        .map(|(name, address)| format!("[listeners.{name}]\nbind = \"{address}\"\n"))
        .collect();
    format!(
        "{listeners}
        [routes.all]
        match = {{ path = \"/*\" }}
        upstream = \"origin\"
        [upstreams.origin]
        endpoints = [\"{}\"]
        ",
        origin.url()
    )
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[test]
fn a_listener_that_is_added_serves_at_once() {
    let (origin, first, second) = (Origin::echo(), free_address(), free_address());
    let proxy = Proxy::start(&config(&origin, &[("first", first)]));
    let mut kept = RawClient::connect(first);
    kept.send(REQUEST);
    assert_eq!(kept.answer().status, 200);
    proxy.reload(&config(&origin, &[("first", first), ("second", second)])).expect("it reloads");
    assert_eq!(get(second, "/").status, 200);
    kept.send(REQUEST);
    assert_eq!(kept.answer().status, 200, "an idle connection of the other listener is kept");
}

#[test]
fn a_listener_that_is_removed_finishes_what_it_began() {
    let (first, second) = (free_address(), free_address());
    let origin = Origin::answering(|_| {
        // Long enough for the reload to be over.
        std::thread::sleep(std::time::Duration::from_millis(400));
        http::Response::new(http_body_util::Full::new(bytes::Bytes::from_static(b"late")))
    });
    let proxy = Proxy::start(&config(&origin, &[("first", first), ("second", second)]));
    let mut idle = RawClient::connect(second);
    idle.send(REQUEST);
    assert_eq!(idle.answer().status, 200);
    let mut busy = RawClient::connect(second);
    busy.send(REQUEST);
    until("the request never comes in", || proxy.metric("weir_requests_in_flight") >= 1.0);
    proxy.reload(&config(&origin, &[("first", first)])).expect("it reloads");
    assert!(TcpStream::connect(second).is_err(), "nobody listens there any more");
    assert!(idle.is_closed(), "an idle connection is closed");
    let answer = busy.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "late"));
    assert!(busy.is_closed(), "and then the connection");
    assert_eq!(get(first, "/").status, 200);
    // The address is free again.
    drop(TcpListener::bind(second).expect("the port is free"));
}

#[test]
fn a_listener_that_moves_serves_at_its_new_address() {
    let (origin, before, after) = (Origin::echo(), free_address(), free_address());
    let proxy = Proxy::start(&config(&origin, &[("web", before)]));
    assert_eq!(get(before, "/").status, 200);
    proxy.reload(&config(&origin, &[("web", after)])).expect("it reloads");
    assert_eq!(proxy.address("web"), after);
    assert_eq!(get(after, "/").status, 200);
    assert!(TcpStream::connect(before).is_err());
}

#[test]
fn a_listener_with_another_name_keeps_its_connections() {
    let (origin, address) = (Origin::echo(), free_address());
    let proxy = Proxy::start(&config(&origin, &[("old", address)]));
    let mut kept = RawClient::connect(address);
    kept.send(REQUEST);
    assert_eq!(kept.answer().status, 200);
    proxy.reload(&config(&origin, &[("new", address)])).expect("it reloads");
    assert_eq!(get(address, "/").status, 200);
    kept.send(REQUEST);
    let answer = kept.try_answer("GET");
    assert_eq!(answer.map(|answer| answer.status), Some(200), "the same address, another name");
}
