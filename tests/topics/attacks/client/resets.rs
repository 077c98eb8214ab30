//! Streams that are reset before they are served (CVE-2023-44487).

use weir_tests::frames::{END_HEADERS, END_STREAM, Frames, NEWEST, indexed, kind};
use weir_tests::{Daemon, Origin, Setup, free_address, resident_bytes, wait_for_port};

/// Streams at a time: fewer than a connection may have.
const STREAMS: u32 = 100;
/// Times that all are reset and begun anew.
const ROUNDS: u32 = 100;
/// Of a field that is said once and repeated by a byte each time (RFC 7541, 6.2.1 and 6.1).
const FIELD: usize = 3_900;
const REPEATED: usize = 15;

/// `GET http://a/`.
const HEAD: &[u8] = b"\x82\x86\x84\x01\x01a";

/// A byte for each of fifteen fields made sixty kilobytes of each stream, and all that were reset were
/// kept until their turn: a gigabyte and a half in four seconds.
#[test]
fn streams_that_are_reset_at_once_are_not_kept() {
    let web = free_address();
    let origin = Origin::saying("fine");
    let toml = Setup::to(&origin).toml().replace("127.0.0.1:0", &web.to_string());
    let program = env!("CARGO_BIN_EXE_weir-under-test");
    let daemon = Daemon::start(program, &["run", "-c", "weir.toml"], &[("weir.toml", &toml)]);
    wait_for_port(web);
    let before = resident_bytes(daemon.id());
    let mut client = Frames::connect(web);
    let cookie = indexed(b"\x40\x06cookie", &"b".repeat(FIELD));
    let first = [HEAD, &cookie].concat();
    client.send(kind::HEADERS, END_HEADERS | END_STREAM, 1, &first);
    assert_eq!(client.status(1), 200);
    let repeats = [HEAD, &[NEWEST; REPEATED]].concat();
    let (mut next, mut most, mut begun) = (3, 0, Vec::new());
    for _ in 0..ROUNDS {
        for stream in begun.drain(..) {
            client.send(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        }
        begun.extend((next..next + 2 * STREAMS).step_by(2));
        next += 2 * STREAMS;
        for stream in &begun {
            client.send(kind::HEADERS, END_HEADERS | END_STREAM, *stream, &repeats);
        }
        client.all_is_read();
        most = most.max(resident_bytes(daemon.id()).saturating_sub(before));
    }
    println!("{most} bytes more at most");
    // They are 600 MB together.
    assert!(most < 96 << 20, "{most} bytes more");
}
