//! gRPC calls: their client's time, and nobody else's; metadata as it is written.

use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use tokio::io::AsyncReadExt;
use weir_tests::endpoint::framed;
use weir_tests::frames::{END_STREAM, Frames, GRPC_CALL, kind};
use weir_tests::{Answer, Origin, Setup, h2, read_head};

/// Takes a call, and says nothing.
fn silent() -> Origin {
    Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
}

fn call(proxy: &weir_tests::Proxy, timeout: Option<&str>) -> Answer {
    let mut ask =
        Request::post("http://a/service/Method").header("content-type", "application/grpc");
    ask = ask.header("te", "trailers");
    if let Some(timeout) = timeout {
        ask = ask.header("grpc-timeout", timeout);
    }
    h2(proxy.address("web"), ask.body(Bytes::from("call")).expect("a request"))
}

#[test]
fn a_call_ends_at_its_clients_deadline() {
    let origin = silent();
    let proxy = Setup::to(&origin).start();
    let started = Instant::now();
    let answer = call(&proxy, Some("200m"));
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("4")), "{answer:?}");
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_bound_that_is_written_holds_for_calls_too() {
    let origin = silent();
    for setup in [
        Setup::to(&origin).route("timeout = \"200ms\""),
        Setup::to(&origin).upstream("timeouts = { first_byte = \"200ms\" }"),
    ] {
        let answer = call(&setup.start(), Some("1H"));
        assert_eq!(answer.header("grpc-status"), Some("4"), "{answer:?}");
    }
}

/// Whether a block of fields has the value `4`, plain or in Huffman's code (RFC 7541, B).
fn says_late(block: &[u8]) -> bool {
    block.windows(2).any(|pair| matches!(pair, [1, b'4'] | [0x81, 0x6b]))
}

/// The client's time is over, whatever is still on its way: its own messages, or the endpoint's.
#[test]
fn a_stream_of_messages_ends_at_its_clients_deadline() {
    let fields = [&GRPC_CALL[..], &[("grpc-timeout", "300m")]].concat();
    let origin = silent();
    let proxy = Setup::to(&origin).start();
    let mut client = Frames::connect(proxy.address("web"));
    client.head(1, false, &fields);
    client.send(kind::DATA, 0, 1, b"\0\0\0\0\x01a");
    let head = client.find(kind::HEADERS, 1).expect("an answer");
    assert!(says_late(&head.payload), "{head:?}");
    let begins = Origin::raw(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        read_head(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n\
            transfer-encoding: chunked\r\n\r\n6\r\n\0\0\0\0\x01a\r\n";
        let _ = stream.write_all(head).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let proxy = Setup::to(&begins).start();
    let mut client = Frames::connect(proxy.address("web"));
    client.head(1, true, &fields);
    client.find(kind::HEADERS, 1).expect("a head");
    let trailers = client.find(kind::HEADERS, 1).expect("trailers");
    assert!(says_late(&trailers.payload), "{trailers:?}");
    // Messages that go on coming prolong nothing.
    let drips = Origin::raw(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        read_head(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n\
            transfer-encoding: chunked\r\n\r\n";
        let mut sent = stream.write_all(head).await;
        while sent.is_ok() {
            sent = stream.write_all(b"6\r\n\0\0\0\0\x01a\r\n").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let proxy = Setup::to(&drips).start();
    let mut client = Frames::connect(proxy.address("web"));
    client.head(1, true, &fields);
    client.find(kind::HEADERS, 1).expect("a head");
    let trailers = client.find(kind::HEADERS, 1).expect("trailers");
    assert!(says_late(&trailers.payload), "{trailers:?}");
}

/// A stream of messages may have pauses; what is no call by all that gRPC wants has to keep up.
#[test]
fn a_call_may_come_slowly() {
    let origin = Origin::echo();
    let lines = "min_body_rate = \"1KB\"\nmin_body_rate_window = \"200ms\"";
    let proxy = Setup::to(&origin).listener(lines).start();
    let begin = |te: &[(&str, &str)]| {
        let mut client = Frames::connect(proxy.address("web"));
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", "/service/Method"),
            ("content-type", "application/grpc"),
        ];
        client.head(1, false, &[&fields, te].concat());
        client
    };
    let (mut call, mut none) = (begin(&[("te", "trailers")]), begin(&[]));
    let mut writer = none.stream().try_clone().expect("a clone");
    let refused = std::thread::spawn(move || none.status(1));
    while !refused.is_finished() {
        call.send(kind::DATA, 0, 1, b"x");
        let _ = writer.write_all(&framed(kind::DATA, 0, 1, b"x"));
        std::thread::sleep(Duration::from_millis(20));
    }
    // In gRPC's form.
    assert_eq!(refused.join().expect("no panic"), 200, "a media type alone is no call");
    assert!(origin.seen().is_empty());
    call.send(kind::DATA, END_STREAM, 1, b"x");
    assert_eq!(call.status(1), 200);
    assert!(origin.last().body.iter().all(|byte| *byte == b'x'));
}

#[test]
fn metadata_keeps_its_names() {
    let origin = Origin::h2c(|_| http::Response::default());
    let proxy = Setup::to(&origin).upstream("protocol = \"http2\"").start();
    let ask = Request::post("http://a/service/Method")
        .header("content-type", "application/grpc")
        .header("user_id", "1")
        .header("trace_proto-bin", "AA==");
    h2(proxy.address("web"), ask.body(Bytes::new()).expect("a request"));
    let seen = origin.last().headers;
    assert_eq!(
        (&seen["user_id"], &seen["trace_proto-bin"]),
        (&"1".parse().unwrap(), &"AA==".parse().unwrap())
    );
}
