//! `Expect: 100-continue` (RFC 9110, 10.1.1): a body is asked for when somebody wants it, and never
//! beside an answer that does not.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_tests::{Origin, Proxy, RawClient, Setup, guest, read_head};

const ASK: &[u8] =
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Reads heads, and answers each with these bytes and, where it asked for it, the body's answer.
fn origin(first: &'static [u8], heads: &Arc<Mutex<Vec<String>>>) -> Origin {
    let heads = heads.clone();
    Origin::raw(move |mut stream| {
        let heads = heads.clone();
        async move {
            loop {
                let head = read_head(&mut stream).await;
                if head.is_empty() {
                    return;
                }
                let text = String::from_utf8_lossy(&head).into_owned();
                heads.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                let _ = stream.write_all(first).await;
                if first == CONTINUE {
                    let _ = stream.read_exact(&mut [0; 4]).await;
                    let _ = stream.write_all(OK).await;
                }
            }
        }
    })
}

fn seen(heads: &Arc<Mutex<Vec<String>>>) -> Vec<String> {
    heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[test]
fn an_endpoint_that_asks_for_the_body_gets_it() {
    let heads = Arc::default();
    let origin = origin(CONTINUE, &heads);
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    for _ in 0..2 {
        client.send(ASK);
        assert_eq!(client.exactly(CONTINUE.len()).as_deref(), Some(CONTINUE));
        client.send(b"body");
        assert_eq!(client.answer().status, 200);
    }
    assert!(seen(&heads).iter().all(|head| head.contains("\r\nexpect: 100-continue\r\n")));
    assert_eq!(origin.connections(), 1);
}

#[test]
fn an_endpoint_that_refuses_before_is_not_sent_the_body() {
    let heads = Arc::default();
    let no = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
    let origin = origin(no, &heads);
    let proxy = Setup::to(&origin).start();
    for round in 1..=2 {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(ASK);
        let text = String::from_utf8(client.rest()).expect("text");
        assert!(text.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{text}");
        assert!(text.contains("connection: close\r\n"), "{text}");
        // The endpoint may wait for the body for ever: its connection is not used again.
        assert_eq!(origin.connections(), round);
    }
}

/// HTTP/1.0 knows no 100, and many a server does not answer with one.
#[test]
fn an_endpoint_that_does_not_ask_gets_the_body_after_a_while() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let mut body = [0; 4];
        if stream.read_exact(&mut body).await.is_ok() && body == *b"body" {
            let _ = stream.write_all(OK).await;
        }
    });
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(ASK);
    assert_eq!(client.exactly(CONTINUE.len()).as_deref(), Some(CONTINUE));
    client.send(b"body");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn what_a_plugin_has_asked_for_is_not_asked_for_again() {
    let echo = Origin::echo();
    let toml = format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.reads]\ncomponent = \"{}\"\n\
         [routes.all]\nplugins = [\"reads\"]\nupstream = \"origin\"\n\
         [upstreams.origin]\nendpoints = [\"{}\"]\n",
        guest("faulty-reading").display(),
        echo.url()
    );
    let proxy = Proxy::start(&toml);
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\
          X-Fault: read\r\n\r\n",
    );
    assert_eq!(client.exactly(CONTINUE.len()).as_deref(), Some(CONTINUE));
    client.send(b"body");
    assert_eq!(client.answer().status, 200);
    let seen = echo.last();
    assert_eq!((seen.headers.contains_key("expect"), &*seen.body), (false, b"body".as_slice()));
}

/// A list is one, with empty members and with the same twice (RFC 9110, 5.6.1).
#[test]
fn an_expectation_in_a_list_is_one() {
    let heads = Arc::default();
    let origin = origin(CONTINUE, &heads);
    let proxy = Setup::to(&origin).start();
    for said in ["100-continue,", ", 100-continue", "100-continue, 100-Continue", "100-CONTINUE"] {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: {said}\r\n\r\n")
                .as_bytes(),
        );
        assert_eq!(client.exactly(CONTINUE.len()).as_deref(), Some(CONTINUE), "{said}");
        client.send(b"body");
        assert_eq!(client.answer().status, 200, "{said}");
    }
    let seen = seen(&heads);
    let one = |head: &String| head.to_ascii_lowercase().contains("\r\nexpect: 100-continue\r\n");
    assert!(seen.iter().all(one), "{seen:?}");
}

#[test]
fn an_expectation_without_a_body_goes_no_further() {
    let echo = Origin::echo();
    let proxy = Setup::to(&echo).start();
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody",
    ] {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(request.as_bytes());
        assert_eq!(client.answer().status, 200, "{request}");
        assert!(!echo.last().headers.contains_key("expect"), "{request}");
    }
}

/// What a client goes on sending before it is asked arrives, too.
#[test]
fn a_client_that_does_not_wait_is_served_at_once() {
    let heads = Arc::default();
    let origin = origin(CONTINUE, &heads);
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(ASK);
    client.send(b"body");
    assert_eq!(client.answer().status, 200);
}
