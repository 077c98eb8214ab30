//! Responses: what is read of them, however they are cut, and what is refused.

use std::time::Duration;

use http::response::Parts;

use super::*;

/// What came of a response.
#[derive(Debug)]
struct Got {
    parts: Parts,
    body: Result<(Bytes, Option<HeaderMap>), String>,
    reusable: bool,
}

/// Has a response read that comes in `pieces`, then the end of the stream if it `closes`.
async fn read(method: Method, pieces: &[&[u8]], closes: bool) -> Result<Got, Fault> {
    let (connection, mut endpoint) = connected();
    let asked = Asked::new(method, "/", &[]);
    let (outgoing, asking) = (asked.outgoing(), async {
        let mut request = [0; 1024];
        let _ = endpoint.read(&mut request).await.expect("the request");
        for piece in pieces {
            endpoint.write_all(piece).await.expect("written");
            // The other side gets to read it.
            tokio::task::yield_now().await;
        }
        if closes {
            drop(endpoint);
            return None;
        }
        Some(endpoint)
    });
    let answered = async {
        let Answer { parts, body, .. } = connection.exchange(&outgoing, Body::Empty).await?;
        let body = match collect(body).await {
            Ok(collected) => Ok(collected),
            Err(error) => Err(error.told()),
        };
        Ok((parts, body))
    };
    let both = async { tokio::join!(answered, asking) };
    let both = tokio::time::timeout(Duration::from_secs(10), both).await;
    let (answered, endpoint) = both.expect("it does not wait for what will not come");
    let (parts, body) = answered?;
    let reusable = connection.rest() && connection.is_quiet();
    drop(endpoint);
    Ok(Got { parts, body, reusable })
}

/// What an endpoint says, the body it means, and whether the connection serves on.
const CLEAR: &[(&str, Method, &str, &str, bool)] = &[
    ("length", Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", "abc", true),
    ("length 0", Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "", true),
    ("no reason", Method::GET, "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", "", true),
    ("bare line feeds", Method::GET, "HTTP/1.1 200 OK\ncontent-length: 3\n\nabc", "abc", true),
    ("to HEAD", Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", "", true),
    ("204", Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", "", true),
    ("304", Method::GET, "HTTP/1.1 304 Not\r\ncontent-length: 9\r\n\r\n", "", true),
    (
        "chunks",
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\n\r\n",
        "abc0123456789",
        true,
    ),
    (
        "no chunk",
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "",
        true,
    ),
    (
        "interim",
        Method::GET,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        "hi",
        true,
    ),
    (
        "close",
        Method::GET,
        "HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 2\r\n\r\nhi",
        "hi",
        false,
    ),
    (
        "two minds",
        Method::GET,
        "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
        "hi",
        false,
    ),
    (
        "close in a list",
        Method::GET,
        "HTTP/1.1 200 OK\r\nconnection: x-a, close\r\ncontent-length: 2\r\n\r\nhi",
        "hi",
        false,
    ),
    (
        "a field of this hop",
        Method::GET,
        "HTTP/1.1 200 OK\r\nconnection: x-a\r\nx-a: b\r\ncontent-length: 2\r\n\r\nhi",
        "hi",
        true,
    ),
    ("HTTP/1.0", Method::GET, "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", "hi", false),
    (
        "HTTP/1.0 that stays",
        Method::GET,
        "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi",
        "hi",
        true,
    ),
    (
        "more than asked for",
        Method::GET,
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n",
        "hi",
        false,
    ),
];

#[tokio::test]
async fn a_clear_response_is_read_however_it_is_cut() {
    for (name, method, response, body, reusable) in CLEAR {
        let bytes = response.as_bytes();
        let singles: Vec<&[u8]> = bytes.chunks(1).collect();
        let mut cuts: Vec<Vec<&[u8]>> = vec![vec![bytes], singles];
        cuts.extend((1..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]));
        for pieces in cuts {
            let got = read(method.clone(), &pieces, false).await;
            let got = got.unwrap_or_else(|fault| panic!("{name}: {fault} of {pieces:?}"));
            assert_eq!(got.body.as_ref().expect(name).0, body, "{name}");
            // What comes too much may come too late to be seen.
            if *name != "more than asked for" || pieces.len() == 1 {
                assert_eq!(got.reusable, *reusable, "{name}: {pieces:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_until_the_end_ends_with_the_connection() {
    let got = read(Method::GET, &[b"HTTP/1.1 200 OK\r\n\r\nab", b"c"], true).await.expect("a head");
    assert_eq!(got.body.expect("whole").0, "abc");
    assert!(!got.reusable);
    assert_eq!(got.parts.status, 200);
}

#[tokio::test]
async fn trailers_come_after_the_body_but_not_those_that_frame() {
    let bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\
        x-sum: 7\r\ncontent-length: 9\r\nset-cookie: a=b\r\n\r\n";
    for piece in [bytes.len(), 1] {
        let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
        let got = read(Method::GET, &pieces, false).await.expect("a head");
        let (body, trailers) = got.body.expect("whole");
        assert_eq!(body, "a");
        let trailers = trailers.expect("trailers");
        assert_eq!(trailers.len(), 1);
        assert_eq!(trailers["x-sum"], "7");
        assert!(got.reusable);
    }
}

/// What breaks in a chunked body, and how that is told.
const BROKEN: &[(&str, &str)] = &[
    ("\r\n", "no size"),
    (";x\r\n", "no size"),
    (" 3\r\nabc", "no size"),
    ("-1\r\n", "no size"),
    ("g\r\n", "no size"),
    ("3 4\r\nabc", "not hexadecimal"),
    ("0x3\r\nabc", "not hexadecimal"),
    ("3\nabc", "not hexadecimal"),
    ("11111111111111111\r\n", "too large"),
    ("3\r\nabcd\r\n", "longer than its size"),
    ("3\r\nabc\n0\r\n\r\n", "longer than its size"),
    ("3\r\nabc\r0\r\n\r\n", "longer than its size"),
    ("3;a\nb\r\nabc", "line feed"),
    ("0\r\nno field\r\n\r\n", "malformed trailers"),
    ("0\r\n x: y\r\n\r\n", "malformed trailers"),
    ("0\r\nx: y\n\r\n", "malformed trailers"),
    ("0\r\n\n", "malformed trailers"),
    ("3\r\nab", "closed"),
    ("3\r\nabc", "closed"),
    ("3\r\nabc\r\n0\r\n", "closed"),
];

#[tokio::test]
async fn a_broken_coding_is_an_error_however_it_is_cut() {
    for (coding, why) in BROKEN {
        let bytes =
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", coding.as_bytes()].concat();
        for piece in [bytes.len(), 1] {
            let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
            let got = read(Method::GET, &pieces, true).await.expect("a head");
            let error = got.body.expect_err(coding);
            assert!(error.contains(why), "{coding:?}: {error}");
            assert!(!got.reusable, "{coding:?}");
        }
    }
}

#[tokio::test]
async fn what_a_head_may_take_is_bounded() {
    let fields = "a: b\r\n".repeat(head::MAX_FIELDS + 1);
    let long = format!("a: {}\r\n", "b".repeat(head::MAX_BYTES));
    for fields in [fields, long] {
        let response = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let fault = read(Method::GET, &[response.as_bytes()], false).await.expect_err("too much");
        assert!(matches!(fault, Fault::TooLarge), "{fault}");
    }
    let most = "a: b\r\n".repeat(head::MAX_FIELDS - 1);
    let response = format!("HTTP/1.1 200 OK\r\n{most}content-length: 0\r\n\r\n");
    read(Method::GET, &[response.as_bytes()], false).await.expect("as much as may be");
}

#[tokio::test]
async fn interim_responses_come_to_an_end() {
    let response = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(33);
    let fault = read(Method::GET, &[response.as_bytes()], false).await.expect_err("too many");
    assert!(fault.to_string().contains("interim"), "{fault}");
}

#[tokio::test]
async fn extensions_and_trailers_are_bounded() {
    let extensions = format!("1;{}\r\na\r\n", "x".repeat(1000)).repeat(20);
    let spaces = format!("1{}\r\na\r\n", " ".repeat(1000)).repeat(20);
    let endless = format!("1;{}", "x".repeat(20_000));
    let trailers = format!("0\r\na: {}\r\n", "b".repeat(20_000));
    for (coding, why) in [
        (extensions, "extensions"),
        (spaces, "extensions"),
        (endless, "extensions"),
        (trailers, "trailers"),
    ] {
        let response = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{coding}");
        let got = read(Method::GET, &[response.as_bytes()], true).await.expect("a head");
        let error = got.body.expect_err("too long");
        assert!(error.contains(why) && error.contains("too long"), "{error}");
    }
}

#[tokio::test]
async fn a_connection_that_speaks_unasked_is_not_quiet() {
    let (connection, mut endpoint) = connected();
    assert!(connection.is_quiet());
    endpoint.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.expect("written");
    tokio::time::timeout(Duration::from_secs(5), async {
        while connection.is_quiet() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is heard");
    let (connection, endpoint) = connected();
    drop(endpoint);
    tokio::time::timeout(Duration::from_secs(5), async {
        while connection.is_quiet() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the end is heard");
}

/// Bodies of any bytes, framed in any way, cut anywhere, are what they were.
#[tokio::test]
async fn seeded_bodies_arrive_as_they_were() {
    let mut random = fastrand::Rng::with_seed(9112);
    for round in 0..300 {
        let body: Vec<u8> = (0..random.usize(..5_000)).map(|_| random.u8(..)).collect();
        let mut response = b"HTTP/1.1 200 OK\r\n".to_vec();
        let closes = random.bool();
        if closes && random.bool() {
            response.extend_from_slice(b"\r\n");
            response.extend_from_slice(&body);
        } else if random.bool() {
            response
                .extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
            response.extend_from_slice(&body);
        } else {
            response.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
            let mut rest = &body[..];
            while !rest.is_empty() {
                let (chunk, more) = rest.split_at(random.usize(1..=rest.len()));
                response.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                response.extend_from_slice(chunk);
                response.extend_from_slice(b"\r\n");
                rest = more;
            }
            response.extend_from_slice(b"0\r\n\r\n");
        }
        let mut pieces = Vec::new();
        let mut rest = &response[..];
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(random.usize(1..=rest.len()));
            pieces.push(piece);
            rest = more;
        }
        let got = read(Method::GET, &pieces, closes).await.expect("a head");
        let (received, _) = got.body.unwrap_or_else(|why| panic!("round {round}: {why}"));
        assert_eq!(received, body, "round {round}");
    }
}
