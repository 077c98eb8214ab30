//! Streams out of seeds: any bytes, and good requests with changes.

use fastrand::Rng;

use super::*;

/// What must hold for any bytes; a fuzz target can call it as it is. What the guard lets pass as a
/// head, the parser behind it takes for the same head, or refuses.
fn fuzz(stream: &[u8], seed: u64) {
    let outcome = check(stream, LIMITS, seed);
    let mut guard = FramingGuard::new(LIMITS);
    let mut end = None;
    for (at, byte) in stream.iter().enumerate() {
        let begun = guard.state == State::Fields;
        if matches!(guard.inspect(std::slice::from_ref(byte)).then, Then::Refused(_)) {
            break;
        }
        if begun && guard.state != State::Fields {
            end = Some(at + 1);
            break;
        }
    }
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let parsed = httparse::Request::new(&mut fields).parse(stream);
    match (end, parsed) {
        (Some(end), Ok(httparse::Status::Complete(parsed))) => {
            assert_eq!(parsed, end, "another head: {}", show(stream));
        }
        (Some(_), Ok(httparse::Status::Partial)) => {
            panic!("the parser waits for more: {}", show(stream));
        }
        (None, Ok(httparse::Status::Complete(_))) => {
            assert!(outcome.is_err(), "the parser went on alone: {}", show(stream));
        }
        _ => {}
    }
}

#[test]
fn streams_are_read_the_same_however_they_are_cut() {
    let pieces: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\n",
        b"POST /x HTTP/1.1\r\n",
        b"PUT / HTTP/1.0\r\n",
        b"Host: a\r\n",
        b"Content-Length: 5\r\n",
        b"content-length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"5\r\nabcde\r\n",
        b"1;e=f\r\nx\r\n",
        b"0\r\n",
        b"0\r\n\r\n",
        b"hello",
        b"x: y\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b":",
        b"a",
        b"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
    ];
    let mut random = Rng::with_seed(7);
    let mut good = 0;
    for seed in 0..20_000 {
        let mut stream = pieces[random.usize(..3)].to_vec();
        for _ in 0..random.usize(..10) {
            // Mostly what may follow, sometimes anything.
            let some = if random.usize(..6) == 0 { pieces.len() } else { 16 };
            stream.extend_from_slice(pieces[random.usize(..some)]);
        }
        fuzz(&stream, seed);
        good += usize::from(whole(&stream).is_ok());
    }
    assert!((2_000..18_000).contains(&good), "the generator makes both kinds: {good} good");
}

#[test]
fn changes_of_good_requests() {
    let good: &[&[u8]] = &[
        b"POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nt: u\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nAccept: */*\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    let bytes = b"\r\n\t\0 :;,+-_0x19aZ\x0b\xff/";
    let mut random = Rng::with_seed(11);
    for seed in 0..20_000 {
        let mut stream = good[random.usize(..good.len())].to_vec();
        for _ in 0..=random.usize(..3) {
            let at = random.usize(..stream.len());
            let byte = bytes[random.usize(..bytes.len())];
            match random.usize(..3) {
                0 => stream[at] = byte,
                1 => stream.insert(at, byte),
                _ => {
                    stream.remove(at);
                }
            }
        }
        fuzz(&stream, seed);
    }
}
