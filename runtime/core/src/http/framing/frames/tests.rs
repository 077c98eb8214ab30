use super::*;

/// Codes of what the tests need.
fn encoded(text: &str) -> Vec<u8> {
    let mut bits = String::new();
    for character in text.chars() {
        bits += match character {
            '/' => "011000",
            'a' => "00011",
            '#' => "111111111010",
            '>' => "111111111011",
            '~' => "1111111111101",
            other => panic!("{other}"),
        };
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    let bytes = bits.as_bytes().chunks(8).map(|byte| std::str::from_utf8(byte).unwrap());
    bytes.map(|byte| u8::from_str_radix(byte, 2).unwrap()).collect()
}

fn string(text: &[u8], huffman: bool) -> Vec<u8> {
    let flag = if huffman { 0x80 } else { 0 };
    let mut out = match text.len() {
        short @ 0..127 => vec![flag | short as u8],
        long => vec![flag | 0x7f, (long - 127) as u8 & 0x7f | 0x80, ((long - 127) >> 7) as u8],
    };
    out.extend_from_slice(text);
    out
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags, 0, 0, 0, 1]);
    frame.extend(payload);
    frame
}

/// In any pieces, the connection comes out as wanted.
fn check(frames: &[Vec<u8>], wanted: &[Vec<u8>]) {
    let preface = vec![b'#'; PREFACE];
    let stream = [std::slice::from_ref(&preface), frames].concat().concat();
    let wanted = [std::slice::from_ref(&preface), wanted].concat().concat();
    for piece in [1, 2, 3, 7, stream.len()] {
        let mut seen = stream.clone();
        let mut follower = Frames::default();
        seen.chunks_mut(piece).for_each(|piece| follower.inspect(piece));
        assert_eq!(seen, wanted, "in pieces of {piece}");
    }
}

fn path(literal: &[u8], value: &[u8], huffman: bool) -> Vec<u8> {
    // Beside it other fields: indexed, a long value, and one that has a `#` of its own.
    let long = [b'#'; 300];
    [
        &[0x82, 0xff, 0x80, 0x01, 0x3f, 0xe1, 0x1f][..],
        literal,
        &string(value, huffman),
        &[0x00],
        &string(b"x-a", false),
        &string(&long, false),
        &[0x0f, 0x02],
        &string(b"#", false),
        &[0x84],
    ]
    .concat()
}

#[test]
fn a_fragment_becomes_what_no_target_has() {
    let plain_name = [&[0x00][..], &string(b":path", false)].concat();
    let coded_name = [&[0x40][..], &string(PATH_ENCODED, true)].concat();
    for literal in [&[0x44][..], &[0x45], &[0x04], &[0x14], &plain_name, &coded_name] {
        for (text, wanted) in [("/a#a", "/a>a"), ("/#", "/>"), ("/a~~a#", "/a~~a>"), ("/a", "/a")] {
            let from = path(literal, text.as_bytes(), false);
            let to = path(literal, wanted.as_bytes(), false);
            check(&[frame(HEADERS, 4, &from)], &[frame(HEADERS, 4, &to)]);
            let from = path(literal, &encoded(text), true);
            let to = path(literal, &encoded(wanted), true);
            check(&[frame(HEADERS, 4, &from)], &[frame(HEADERS, 4, &to)]);
        }
    }
}

#[test]
fn padding_priority_and_continuations_are_followed() {
    let (from, to) = (path(&[0x44], b"/a#a", false), path(&[0x44], b"/a>a", false));
    let dressed = |block: &[u8]| [&[3, 0, 0, 0, 0, 9][..], block, b"###"].concat();
    let frames = |block: &[u8]| {
        vec![
            frame(4, 0, b"######"),
            frame(HEADERS, 4 | PADDED | PRIORITY, &dressed(block)),
            frame(0, 0, b"data #"),
            frame(HEADERS, 0, &block[..9]),
            frame(CONTINUATION, 0, &block[9..12]),
            frame(CONTINUATION, 4, &block[12..]),
            frame(HEADERS, 4, block),
        ]
    };
    check(&frames(&from), &frames(&to));
}

#[test]
fn nonsense_is_passed_on() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..2_000 {
        let mut bytes: Vec<u8> = (0..200).map(|_| random.u8(..)).collect();
        bytes.splice(..0, frame(HEADERS, random.u8(..), &[0x44, 0xff, 0xff, 0xff]));
        let length = bytes.len();
        Frames::default().inspect(&mut bytes);
        assert_eq!(bytes.len(), length);
    }
}
