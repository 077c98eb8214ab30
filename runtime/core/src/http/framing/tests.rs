mod seeded;

use fastrand::Rng;

use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes: 512, fields: 8 };

/// Feeds a stream in pieces of the sizes that `cut` names; says what was found and where.
fn feed(stream: &[u8], limits: HeadLimits, mut cut: impl FnMut() -> usize) -> Outcome {
    let mut guard = FramingGuard::new(limits);
    let mut at = 0;
    while at < stream.len() {
        let end = at.saturating_add(cut().max(1)).min(stream.len());
        let inspected = guard.inspect(&stream[at..end]);
        match inspected.then {
            Then::End | Then::Head => at = end,
            Then::Respell(end) => at += end,
            Then::Wait => {
                guard.resume();
                at += inspected.clean;
            }
            Then::Refused(violation) => return Err((violation, at + inspected.clean)),
        }
    }
    Ok((guard.state, guard.is_between()))
}

type Outcome = Result<(State, bool), (Violation, usize)>;

fn whole(stream: &[u8]) -> Outcome {
    feed(stream, LIMITS, || usize::MAX)
}

/// The result must be the same however the stream is cut.
fn check(stream: &[u8], limits: HeadLimits, seed: u64) -> Outcome {
    let whole = feed(stream, limits, || usize::MAX);
    let violation = |outcome: &Outcome| outcome.map_err(|(violation, _)| violation);
    let bytewise = feed(stream, limits, || 1);
    assert_eq!(violation(&bytewise), violation(&whole), "byte by byte: {}", show(stream));
    let mut random = Rng::with_seed(seed);
    for _ in 0..4 {
        let cut = feed(stream, limits, || random.usize(..20));
        assert_eq!(violation(&cut), violation(&whole), "seed {seed}: {}", show(stream));
    }
    if stream.len() <= 400 {
        for at in 1..stream.len() {
            let mut first = Some(at);
            let cut = feed(stream, limits, || first.take().unwrap_or(usize::MAX));
            assert_eq!(violation(&cut), violation(&whole), "cut at {at}: {}", show(stream));
        }
    }
    whole
}

fn show(stream: &[u8]) -> String {
    stream.escape_ascii().to_string()
}

#[test]
fn good_streams_pass() {
    let streams: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost:a\r\nx:\r\ny: \t \r\nz: caf\xc3\xa9 \xff\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na\nbGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \t 0 \r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 003\r\nHost: a\r\n\r\n\r\n\0",
        b"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\n\r\0\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTRANSFER-ENCODING: Chunked\r\n\r\n0a;x=\"y z\";q\t\r\n0123456789\r\n00;a\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nGrpc-Status: 0\r\nx: y\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n",
        b"M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for stream in streams {
        assert_eq!(check(stream, LIMITS, 1), Ok((State::Start, true)), "{}", show(stream));
    }
}

#[test]
fn unfinished_streams_are_waited_for() {
    let streams: &[(&[u8], State)] = &[
        (b"", State::Start),
        (b"G", State::Start),
        (b"GET / HTTP/1.1\r", State::Start),
        (b"GET / HTTP/1.1\r\n", State::Fields),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r", State::Fields),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", State::Length(1)),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", State::ChunkSize),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na", State::ChunkData(1)),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na", State::ChunkCr),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r", State::ChunkLf),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", State::Trailers),
    ];
    for (stream, state) in streams {
        let between = stream.is_empty();
        assert_eq!(check(stream, LIMITS, 2), Ok((*state, between)), "{}", show(stream));
    }
}

#[test]
fn request_lines_that_are_none() {
    for (line, violation) in [
        ("GET /", Violation::Version),
        ("GET", Violation::Version),
        ("GET / HTTP/0.9", Violation::Version),
        ("GET / HTTP/1.32", Violation::Version),
        ("GET / HTTP/1.1.", Violation::Version),
        ("GET / HTTP/1.a", Violation::Version),
        ("GET / HTTP/2.0", Violation::MajorVersion),
        ("GET / HTTP/3.1", Violation::MajorVersion),
        ("GET / HTTP/2.00", Violation::Version),
        ("GET / HTTP/2.x", Violation::Version),
        ("GET / HTTP/11", Violation::Version),
        ("GET / http/1.1", Violation::Version),
        ("GET / HTTP/1.1 ", Violation::Version),
        ("GET / \tHTTP/1.1", Violation::Version),
        ("GET  HTTP/1.1", Violation::RequestLine),
        ("GET HTTP/1.1", Violation::RequestLine),
        (" HTTP/1.1", Violation::RequestLine),
        ("GET  / HTTP/1.1", Violation::RequestLine),
        ("GET /  HTTP/1.1", Violation::RequestLine),
        ("GET /a b HTTP/1.1", Violation::RequestLine),
        ("GET\t/ HTTP/1.1", Violation::RequestLine),
        (" GET / HTTP/1.1", Violation::RequestLine),
        ("G(T / HTTP/1.1", Violation::RequestLine),
        ("GET: / HTTP/1.1", Violation::RequestLine),
    ] {
        let stream = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(check(stream.as_bytes(), LIMITS, 3), Err((violation, 0)), "{line:?}");
    }
}

#[test]
fn field_lines_that_are_none() {
    for (line, violation) in [
        (&b" Host: a"[..], Violation::LeadingSpace),
        (b"\tHost: a", Violation::LeadingSpace),
        (b"x: y\r\n folded", Violation::LeadingSpace),
        (b"x: y\r\n\tfolded", Violation::LeadingSpace),
        (b"x: y\r\n ", Violation::LeadingSpace),
        (b"Host : a", Violation::SpaceBeforeColon),
        (b"Content-Length : 3", Violation::SpaceBeforeColon),
        (b"Transfer-Encoding\t: chunked", Violation::SpaceBeforeColon),
        (b"no colon", Violation::SpaceBeforeColon),
        (b"nocolon", Violation::FieldName),
        (b": empty", Violation::FieldName),
        (b"a\x0b: b", Violation::FieldName),
        (b"\xff: b", Violation::FieldName),
        (b"a(b: c", Violation::FieldName),
        (b"x: a\0b", Violation::Nul),
        (b"x: a\rb", Violation::BareCr),
        (b"x: a\r\r", Violation::BareCr),
        (b"x: a\nb: c", Violation::BareLf),
        (b"x: a\n", Violation::BareLf),
        (b"\n", Violation::BareLf),
    ] {
        let stream = [b"GET / HTTP/1.1\r\n", line, b"\r\n\r\n"].concat();
        let outcome = check(&stream, LIMITS, 4).map_err(|(violation, _)| violation);
        assert_eq!(outcome, Err(violation), "{}", show(line));
    }
    // Also where the request line should be.
    assert_eq!(whole(b"GET / HTTP/1.1\nHost: a\n\n"), Err((Violation::BareLf, 0)));
    assert_eq!(whole(b"\nGET / HTTP/1.1\r\n"), Err((Violation::BareLf, 0)));
    assert_eq!(whole(b"GET /\0 HTTP/1.1\r\n"), Err((Violation::Nul, 0)));
    assert_eq!(whole(b"\x16\x03\x01\x00"), Err((Violation::Nul, 0)), "TLS on a plain port");
}

#[test]
fn lengths_and_codings_that_smuggle() {
    let violations: &[(&[u8], Violation)] = &[
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked", Violation::LengthAndEncoding),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3", Violation::LengthAndEncoding),
        (b"transfer-encoding: chunked\r\nx: y\r\nCONTENT-LENGTH: 0", Violation::LengthAndEncoding),
        (
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            Violation::SeveralTransferEncodings,
        ),
        (
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            Violation::SeveralTransferEncodings,
        ),
        (b"Transfer-Encoding: identity", Violation::TransferEncoding),
        (b"Transfer-Encoding: gzip, chunked", Violation::TransferEncoding),
        (b"Transfer-Encoding: chunked, chunked", Violation::TransferEncoding),
        (b"Transfer-Encoding: chunked, identity", Violation::TransferEncoding),
        (b"Transfer-Encoding: chunked;q=1", Violation::TransferEncoding),
        (b"Transfer-Encoding: ,chunked", Violation::TransferEncoding),
        (b"Transfer-Encoding: \"chunked\"", Violation::TransferEncoding),
        (b"Transfer-Encoding: xchunked", Violation::TransferEncoding),
        (b"Transfer-Encoding: chunkedx", Violation::TransferEncoding),
        (b"Transfer-Encoding: \x0bchunked", Violation::TransferEncoding),
        (b"Transfer-Encoding: chunked\x0c", Violation::TransferEncoding),
        (b"Transfer-Encoding:", Violation::TransferEncoding),
        (b"Content-Length: 3\r\nContent-Length: 4", Violation::SeveralContentLengths),
        (b"Content-Length: 3\r\nContent-Length: 3", Violation::SeveralContentLengths),
        (b"Content-Length: 3, 3", Violation::ContentLength),
        (b"Content-Length: +1", Violation::ContentLength),
        (b"Content-Length: -1", Violation::ContentLength),
        (b"Content-Length: 1_0", Violation::ContentLength),
        (b"Content-Length: 0x10", Violation::ContentLength),
        (b"Content-Length: 1.0", Violation::ContentLength),
        (b"Content-Length: 1 0", Violation::ContentLength),
        (b"Content-Length: \x0b1", Violation::ContentLength),
        (b"Content-Length: \xd9\xa3", Violation::ContentLength),
        (b"Content-Length:", Violation::ContentLength),
        (b"Content-Length: 18446744073709551614", Violation::ContentLength),
        (b"Content-Length: 18446744073709551616", Violation::ContentLength),
        (b"Content-Length: 99999999999999999999999999", Violation::ContentLength),
    ];
    for (fields, violation) in violations {
        let stream = [b"POST / HTTP/1.1\r\nHost: a\r\n", *fields, b"\r\n\r\nabc"].concat();
        let outcome = check(&stream, LIMITS, 5).map_err(|(violation, _)| violation);
        assert_eq!(outcome, Err(*violation), "{}", show(fields));
    }
    let http10 = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let outcome = check(http10, LIMITS, 5);
    assert_eq!(outcome, Err((Violation::TransferEncodingInHttp10, 0)));
}

#[test]
fn chunks_that_are_none() {
    let violations: &[(&[u8], Violation)] = &[
        (b"\r\n", Violation::ChunkSize),
        (b"0x3\r\nabc\r\n", Violation::ChunkSize),
        (b"+3\r\nabc\r\n", Violation::ChunkSize),
        (b"-3\r\nabc\r\n", Violation::ChunkSize),
        (b" 3\r\nabc\r\n", Violation::ChunkSize),
        (b"3 \r\nabc\r\n", Violation::ChunkSize),
        (b"3 ;x\r\nabc\r\n", Violation::ChunkSize),
        (b"3\t\r\nabc\r\n", Violation::ChunkSize),
        (b"3,x\r\nabc\r\n", Violation::ChunkSize),
        (b"g\r\nabc\r\n", Violation::ChunkSize),
        (b";x\r\nabc\r\n", Violation::ChunkSize),
        (b"10000000000000003\r\nabc\r\n", Violation::ChunkSize),
        (b"00000000000000003\r\nabc\r\n", Violation::ChunkSize),
        (b"3\nabc\r\n", Violation::BareLf),
        (b"3\rabc\r\n", Violation::BareCr),
        (b"3;x\nabc\r\n", Violation::BareLf),
        (b"3;x\ry\r\nabc\r\n", Violation::BareCr),
        (b"3;x=\"\r\"\r\nabc\r\n", Violation::BareCr),
        (b"3;x\0\r\nabc\r\n", Violation::Nul),
        (b"3;x\x01\r\nabc\r\n", Violation::ChunkExtension),
        (b"3\r\nabc\n0\r\n\r\n", Violation::ChunkEnd),
        (b"3\r\nabc\r0\r\n\r\n", Violation::ChunkEnd),
        (b"3\r\nabcd\r\n", Violation::ChunkEnd),
        (b"2\r\nabc\r\n", Violation::ChunkEnd),
        (b"3\r\nabc\r\n\r\n", Violation::ChunkSize),
        (b"0\r\n\n", Violation::BareLf),
        (b"0\n\r\n", Violation::BareLf),
        (b"0\r\nx : y\r\n\r\n", Violation::SpaceBeforeColon),
        (b"0\r\n x: y\r\n\r\n", Violation::LeadingSpace),
        (b"0\r\nx: \0\r\n\r\n", Violation::Nul),
        (b"0\r\nContent-Length: 3\r\n\r\n", Violation::Trailer),
        (b"0\r\nTransfer-Encoding: chunked\r\n\r\n", Violation::Trailer),
        (b"0\r\nhost: b\r\n\r\n", Violation::Trailer),
    ];
    for (body, violation) in violations {
        let stream = [b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", *body].concat();
        let outcome = check(&stream, LIMITS, 6).map_err(|(violation, _)| violation);
        assert_eq!(outcome, Err(*violation), "{}", show(body));
    }
    let mut long = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;".to_vec();
    long.resize(long.len() + MAX_CHUNK_LINE, b'x');
    let outcome = check(&long, LIMITS, 6).map_err(|(violation, _)| violation);
    assert_eq!(outcome, Err(Violation::ChunkExtension));
}

#[test]
fn heads_up_to_the_limits_and_no_further() {
    let head = |size: usize| {
        let rest = "GET / HTTP/1.1\r\nx: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(size - rest))
    };
    for (size, expected) in [(512, Ok((State::Start, true))), (513, Err(Violation::TooLarge))] {
        let outcome = check(head(size).as_bytes(), LIMITS, 7).map_err(|(violation, _)| violation);
        assert_eq!(outcome, expected, "{size}");
        // The count begins anew with each request.
        let twice = [head(512), head(size)].concat();
        let outcome = check(twice.as_bytes(), LIMITS, 7).map_err(|(violation, _)| violation);
        assert_eq!(outcome, expected, "{size}");
    }
    let fields = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert!(check(fields(8).as_bytes(), LIMITS, 7).is_ok());
    let outcome = check(fields(9).as_bytes(), LIMITS, 7).map_err(|(violation, _)| violation);
    assert_eq!(outcome, Err(Violation::TooManyFields));
    assert_eq!(Violation::TooManyFields.status(), 431);

    let trailers = |count: usize| {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
        format!("{head}{}\r\n", "a: b\r\n".repeat(count))
    };
    assert!(check(trailers(8).as_bytes(), LIMITS, 7).is_ok());
    let outcome = check(trailers(9).as_bytes(), LIMITS, 7).map_err(|(violation, _)| violation);
    assert_eq!(outcome, Err(Violation::TooManyFields));

    let mut endless = FramingGuard::new(LIMITS);
    let mut outcomes = (0..1000).map(|_| endless.inspect(b"endless ").then);
    let outcome = outcomes.find(|then| *then != Then::Head);
    assert_eq!(outcome, Some(Then::Refused(Violation::TooLarge)));
    assert!(endless.held.len() <= LIMITS.bytes, "what is held is bounded");
}

#[test]
fn what_came_before_the_refused_head_is_clean() {
    let good = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let stream = [good, &b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n"[..]].concat();
    assert_eq!(whole(&stream), Err((Violation::ContentLength, good.len())));
}

#[test]
fn a_head_is_clean_once_it_is_whole() {
    let mut guard = FramingGuard::new(LIMITS);
    let head = |clean| Inspected { clean, then: Then::Head };
    assert_eq!(guard.inspect(b"GET / HT"), head(0));
    assert_eq!(guard.inspect(b"TP/1.1\r\nContent-Length: 3\r\n\r"), head(0));
    assert_eq!(guard.inspect(b"\nbo"), Inspected { clean: 3, then: Then::End });
    assert_eq!(guard.inspect(b"dGET"), head(1));
}

#[test]
fn a_target_to_respell_stops_the_guard_at_the_end_of_its_head() {
    let stream = b"GET / HTTP/1.1\r\n\r\nPUT /\xfc HTTP/1.1\r\nContent-Length: 1\r\n\r\nx";
    let mut guard = FramingGuard::new(LIMITS);
    let stopped = Inspected { clean: 18, then: Then::Respell(stream.len() - 1) };
    assert_eq!(guard.inspect(stream), stopped);
    assert_eq!(guard.inspect(b"x"), Inspected { clean: 1, then: Then::End });
    assert!(guard.is_between());
}

#[test]
fn targets_and_values_that_are_none() {
    for (head, violation) in [
        (&b"GET /a#b HTTP/1.1\r\n\r\n"[..], Violation::Fragment),
        (b"GET /a\x7f HTTP/1.1\r\n\r\n", Violation::RequestLine),
        (b"GET ?a HTTP/1.1\r\n\r\n", Violation::Target),
        (b"GET / HTTP/1.1\r\nx: a\x7fb\r\n\r\n", Violation::FieldValue),
        (b"GET / HTTP/1.1\r\nx: a\x01b\r\n\r\n", Violation::FieldValue),
        (b"GET / HTTP/1.1\r\nx: \xff\x7f\r\n\r\n", Violation::FieldValue),
    ] {
        assert_eq!(check(head, LIMITS, 8), Err((violation, 0)), "{}", show(head));
    }
    // What looks like one by its bits.
    let good = b"GET / HTTP/1.1\r\nx: \xff\x7e\xff\xff\x7e\x7e~\r\n\r\n";
    assert_eq!(check(good, LIMITS, 8), Ok((State::Start, true)));
}

#[test]
fn a_released_connection_is_not_looked_at() {
    let mut guard = FramingGuard::new(LIMITS);
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let all = |length| Inspected { clean: length, then: Then::End };
    assert_eq!(guard.inspect(head), all(head.len()));
    assert!(guard.is_between());
    guard.release();
    assert!(!guard.is_between());
    assert_eq!(guard.inspect(b"\0\n\r anything"), all(12));
}

#[test]
fn a_head_in_one_piece_is_not_copied() {
    let mut guard = FramingGuard::new(LIMITS);
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nx: y\r\n\r\n";
    assert_eq!(guard.inspect(head), Inspected { clean: head.len(), then: Then::End });
    assert_eq!(guard.held.capacity(), 0);
}

#[test]
fn what_follows_a_request_for_another_protocol_waits_for_its_answer() {
    let head: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUPGRADE: x\r\n\r\n";
    let body: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nab";
    for request in [head, body] {
        for cut in [1, 7, request.len(), usize::MAX] {
            let mut guard = FramingGuard::new(LIMITS);
            let mut stream = [request, b"\0\n\x81"].concat();
            let behind = stream.split_off(cut.min(stream.len()));
            let first = guard.inspect(&stream);
            let inspected = if behind.is_empty() { first } else { guard.inspect(&behind) };
            assert_eq!(inspected.then, Then::Wait, "{cut}");
            assert_eq!(guard.inspect(b"\0"), Inspected { clean: 0, then: Then::Wait });
            assert_eq!(guard.heads(), 1);
            guard.resume();
            assert!(matches!(guard.inspect(b"\0").then, Then::Refused(_)));
        }
    }
}
