//! Peers that are slow, and not as slow as to be let go: what would have let them go goes on beside them.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use weir_tests::frames::{END_STREAM, Frames, kind};
use weir_tests::{Gate, Origin, RawClient, Setup, get, guest, read_head, slowly};

use super::is_told;

/// It goes on when another one that stopped as it began is given up.
#[test]
fn a_body_that_goes_on_is_let_in_however_slow_it_is() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).listener("body_timeout = \"1s\"").start();
    slowly(Duration::from_secs(1), |beat| {
        let begin = || {
            let mut client = RawClient::connect(proxy.address("web"));
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            client.send(b"1\r\nx\r\n");
            client
        };
        let (mut stops, mut goes_on) = (begin(), begin());
        let given_up = std::thread::spawn(move || stops.rest());
        while !given_up.is_finished() {
            goes_on.send(b"1\r\nx\r\n");
            beat.pause();
        }
        goes_on.send(b"0\r\n\r\n");
        goes_on.try_answer("POST").is_some_and(|answer| answer.status == 200)
    });
}

/// `body_timeout` is the client's. What an endpoint keeps to itself is for `idle` to bound, whoever
/// waits for it: a stream of events may be silent for long.
#[test]
fn a_response_may_be_silent_for_longer_than_a_body() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin = Origin::raw(move |mut stream| {
        let held = held.clone();
        async move {
            if read_head(&mut stream).await.starts_with(b"POST") {
                return tokio::time::sleep(Duration::from_secs(60)).await;
            }
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nfirst,\r\n";
            let _ = stream.write_all(head).await;
            let _ = tokio::task::spawn_blocking(move || held.pass()).await;
            let _ = stream.write_all(b"4\r\nlast\r\n0\r\n\r\n").await;
        }
    });
    let rewritten = format!(
        "[plugins.rewrites]\ncomponent = {:?}\n[routes.rewritten]\nmatch.path = \"/rewritten\"\n\
         plugins = [\"rewrites\"]\nupstream = \"origin\"",
        guest("faulty")
    );
    let proxy =
        Setup::to(&origin).listener("body_timeout = \"300ms\"").upstream(&rewritten).start();
    let address = proxy.address("web");
    let begins = |path: &str| {
        let mut client = RawClient::connect(address);
        let fields = "Host: a\r\nX-Fault: response-body-none";
        client.send(format!("GET {path} HTTP/1.1\r\n{fields}\r\n\r\n").as_bytes());
        client.stream().peek(&mut [0]).expect("it begins");
        client
    };
    let (mut plain, mut rewritten) = (begins("/"), begins("/rewritten"));
    let mut multiplexed = Frames::connect(address);
    let ask = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
    multiplexed.head(1, true, &ask);
    let mut body = multiplexed.find(kind::DATA, 1).expect("it begins").payload;
    // Each is given up after its time; together they take longer than any grace of a sweep.
    for _ in 0..4 {
        let mut stops = RawClient::connect(address);
        stops.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
        stops.rest();
    }
    gate.open();
    assert_eq!(plain.answer().text(), "first,last");
    let answer = rewritten.answer();
    assert_eq!((answer.text(), answer.header("x-changed").is_some()), ("first,last".into(), true));
    loop {
        let frame = multiplexed.find(kind::DATA, 1).expect("the rest");
        body.extend(frame.payload);
        if frame.flags & END_STREAM != 0 {
            break;
        }
    }
    assert_eq!(body, b"first,last");
}

/// By default a long upload is none of the endpoint's faults: it has its time from the last byte.
#[test]
fn a_long_upload_leaves_an_endpoint_its_time() {
    let origin = Origin::raw(|mut stream| async move {
        if read_head(&mut stream).await.starts_with(b"GET") {
            return tokio::time::sleep(Duration::from_secs(60)).await;
        }
        if is_told(&mut stream).await {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let proxy = Setup::to(&origin).upstream("timeouts = { first_byte = \"1s\" }").start();
    let address = proxy.address("web");
    slowly(Duration::from_secs(1), |beat| {
        let mut client = RawClient::connect(address);
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        // Of the same endpoint, and with nothing to send.
        let late = std::thread::spawn(move || get(address, "/").status);
        while !late.is_finished() {
            client.send(b"1\r\nx\r\n");
            beat.pause();
        }
        assert_eq!(late.join().expect("no panic"), 504);
        client.send(b"1\r\n!\r\n0\r\n\r\n");
        client.answer().status == 200
    });
}
