//! Requests: how they are framed, and what an endpoint may do while one is being sent.

use std::time::Duration;

use super::*;

/// What is sent for a head and a body of frames, as far as the connection gets.
async fn sent(fields: Fields<'_>, body: Body) -> (String, Option<Fault>) {
    let (connection, mut endpoint) = connected();
    let asked = Asked::new(Method::POST, "/up?a=b", fields);
    let outgoing = asked.outgoing();
    let fault = {
        let exchange = connection.exchange(&outgoing, body);
        // Paused: over once all is sent that will be.
        let waited = tokio::time::timeout(Duration::from_secs(20), exchange).await;
        waited.ok().map(|answer| answer.err().expect("nobody answers"))
    };
    drop(connection);
    let mut seen = String::new();
    endpoint.read_to_string(&mut seen).await.expect("text");
    (seen, fault)
}

/// A body that keeps its reader waiting once before each frame, as a socket would.
struct Slow {
    frames: std::vec::IntoIter<Frame<Bytes>>,
    waited: bool,
}

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.waited = !self.waited;
        if self.waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.frames.next().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.len() == 0
    }
}

fn slow(pieces: &[&'static str], trailers: Option<HeaderMap>) -> Body {
    let data = pieces.iter().map(|piece| Frame::data(Bytes::from_static(piece.as_bytes())));
    let frames: Vec<_> = data.chain(trailers.map(Frame::trailers)).collect();
    Body::Stream(Box::pin(Slow { frames: frames.into_iter(), waited: false }))
}

/// A body whose pieces come when the test sends them; it ends when the sender is dropped.
struct Sent(tokio::sync::mpsc::UnboundedReceiver<&'static str>);

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let piece = ready!(self.0.poll_recv(cx));
        Poll::Ready(piece.map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
    }
}

fn sent_later() -> (tokio::sync::mpsc::UnboundedSender<&'static str>, Body) {
    let (pieces, body) = tokio::sync::mpsc::unbounded_channel();
    (pieces, Body::Stream(Box::pin(Sent(body))))
}

#[tokio::test(start_paused = true)]
async fn a_request_is_sent_as_its_head_frames_it() {
    let trailers = HeaderMap::from_iter([
        (http::HeaderName::from_static("x-sum"), HeaderValue::from_static("7")),
        (http::header::CONTENT_LENGTH, HeaderValue::from_static("9")),
    ]);
    let full = || Body::full("abc");
    let cases: [(Fields, Body, &str); 7] = [
        (&[], Body::Empty, "host: endpoint:1\r\n\r\n"),
        (&[("content-length", "0")], Body::Empty, "content-length: 0\r\nhost: endpoint:1\r\n\r\n"),
        (
            &[("host", "b"), ("content-length", "3")],
            full(),
            "host: b\r\ncontent-length: 3\r\n\r\nabc",
        ),
        (
            &[("host", "")],
            full(),
            "host: endpoint:1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ),
        (
            &[("host", "b"), ("content-length", "3")],
            slow(&["a", "bc"], None),
            "host: b\r\ncontent-length: 3\r\n\r\nabc",
        ),
        (
            &[("host", "b")],
            slow(&["a", "", "0123456789abcdef"], None),
            "host: b\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
        ),
        (
            &[("host", "b")],
            slow(&["a"], Some(trailers)),
            "host: b\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-sum: 7\r\n\r\n",
        ),
    ];
    for (fields, body, rest) in cases {
        let (seen, fault) = sent(fields, body).await;
        assert_eq!(seen, format!("POST /up?a=b HTTP/1.1\r\n{rest}"));
        assert!(fault.is_none(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_as_long_as_promised_ends_the_exchange() {
    for (pieces, why) in [(["a", "b"], "before its Content-Length"), (["ab", "cd"], "longer")] {
        let (seen, fault) = sent(&[("content-length", "3")], slow(&pieces, None)).await;
        let fault = fault.expect("it ends");
        assert!(fault.to_string().contains(why), "{fault}");
        assert!(!seen.contains("abcd"), "{seen}");
    }
}

#[tokio::test]
async fn an_upload_goes_on_after_an_early_response() {
    let (connection, mut endpoint) = connected();
    let asked = Asked::post("3000000");
    let outgoing = asked.outgoing();
    let asking = async {
        let early = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly";
        endpoint.write_all(early).await.expect("written");
        endpoint
    };
    let body = Body::full(vec![b'x'; 3_000_000]);
    let (answer, mut endpoint) = tokio::join!(connection.exchange(&outgoing, body), asking);
    let answer = answer.expect("a response");
    assert!(!connection.is_sent(), "more than a socket holds");
    assert_eq!(collect(answer.body).await.expect("whole").0, "early");
    let draining = async {
        let (mut seen, mut buffer) = (0, vec![0; 1 << 16]);
        while seen < 3_000_000 {
            seen += endpoint.read(&mut buffer).await.expect("more");
        }
    };
    tokio::join!(connection.upload(), draining);
    assert!(connection.is_sent() && connection.rest() && connection.is_quiet());
}

#[tokio::test]
async fn an_upload_that_breaks_after_an_early_response_is_told_to_the_endpoint() {
    let (connection, mut endpoint) = connected();
    let asked = Asked::post("10");
    let outgoing = asked.outgoing();
    let early = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    endpoint.write_all(early).await.expect("written");
    let (pieces, body) = sent_later();
    pieces.send("abc").expect("taken");
    let answer = connection.exchange(&outgoing, body).await;
    answer.expect("a response");
    assert!(!connection.is_sent());
    pieces.send("def").expect("taken");
    drop(pieces);
    connection.upload().await;
    assert!(!connection.is_sent() && !connection.rest());
    let mut seen = String::new();
    endpoint.read_to_string(&mut seen).await.expect("the end of it");
    assert!(seen.ends_with("\r\n\r\nabcdef"), "{seen}");
}

#[tokio::test]
async fn no_protocol_is_switched_to_before_the_body_is_out() {
    let (connection, mut endpoint) = connected();
    let asked = Asked::post("10");
    let outgoing = asked.outgoing();
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n";
    endpoint.write_all(switch).await.expect("written");
    let (_pieces, body) = sent_later();
    let answer = connection.exchange(&outgoing, body).await;
    assert!(matches!(answer.err(), Some(Fault::Malformed(_))));
}

#[tokio::test]
async fn an_endpoint_that_refuses_a_body_is_heard_although_it_closes() {
    let (connection, mut endpoint) = connected();
    let asked = Asked::post("3000000");
    let outgoing = asked.outgoing();
    let refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n";
    endpoint.write_all(refusal).await.expect("written");
    drop(endpoint);
    let answer = connection.exchange(&outgoing, Body::full(vec![b'x'; 3_000_000])).await;
    assert_eq!(answer.expect("a response").parts.status, 413);
    assert!(!connection.rest());
}

#[tokio::test]
async fn a_request_of_which_nothing_was_sent_gives_its_body_back() {
    let (connection, endpoint) = connected();
    drop(endpoint);
    let asked = Asked::post("3");
    let fault = connection.exchange(&asked.outgoing(), slow(&["abc"], None)).await;
    assert!(matches!(fault.err(), Some(Fault::Io(_) | Fault::Closed)));
    assert!(connection.is_untouched() && !connection.has_heard());
    let body = connection.take_body().expect("the body");
    assert_eq!(collect(body).await.expect("whole").0, "abc");
}

#[tokio::test]
async fn what_follows_a_101_is_the_other_protocol() {
    let (connection, mut endpoint) = connected();
    let (asked, protocol) = (Asked::new(Method::GET, "/", &[]), HeaderValue::from_static("x"));
    let outgoing = Outgoing { upgrade: Some(&protocol), ..asked.outgoing() };
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nahead";
    endpoint.write_all(switch).await.expect("written");
    let answer = connection.exchange(&outgoing, Body::Empty).await.expect("a response");
    assert_eq!(answer.parts.status, 101);
    drop(answer);
    let mut tunnel = connection.into_tunnel().expect("nobody else has it");
    let mut seen = [0; 5];
    tunnel.read_exact(&mut seen).await.expect("what came ahead");
    assert_eq!(&seen, b"ahead");
    tunnel.write_all(b"hello").await.expect("written");
    let mut request = vec![0; 1024];
    let count = endpoint.read(&mut request).await.expect("the request");
    let request = String::from_utf8_lossy(&request[..count]);
    assert!(request.contains("connection: upgrade\r\nupgrade: x\r\n\r\n"), "{request}");
}
