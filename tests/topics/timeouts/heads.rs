//! Heads of requests that begin and never end, wherever they begin.

use std::io::Write;
use std::time::{Duration, Instant};

use weir_tests::{Origin, RawClient, Setup};

use super::within;

#[test]
fn a_head_that_never_ends_is_a_408() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).listener("header_timeout = \"300ms\"").start();
    let address = proxy.address("web");
    let started = Instant::now();
    let mut client = RawClient::connect(address);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n");
    assert_eq!(client.answer().status, 408);
    assert!(client.is_closed());
    within("a head that stops", Duration::from_millis(300), started);
    // Drip by drip.
    let mut client = RawClient::connect(address);
    let mut writer = client.stream().try_clone().expect("a clone");
    std::thread::spawn(move || {
        let _ = writer.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: ");
        while writer.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let started = Instant::now();
    assert_eq!(client.answer().status, 408);
    within("a head that drips", Duration::from_millis(300), started);
    // A second head on a kept connection.
    let mut client = RawClient::connect(address);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    client.send(b"GET / HT");
    assert_eq!(client.answer().status, 408);
    // The same, where it came with the end of the request before: nothing more is read for it.
    for before in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
    ] {
        let mut client = RawClient::connect(address);
        client.send(format!("{before}{before}GET / HT").as_bytes());
        for status in [200, 200, 408] {
            assert_eq!(client.answer().status, status, "{before}");
        }
    }
}
