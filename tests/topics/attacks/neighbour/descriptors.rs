//! Descriptors: the table that the system keeps of them does not grow while requests are served.

use std::net::TcpStream;

use weir_tests::{Daemon, Origin, Setup, get};

use super::super::system::{BINARY, System};

/// Of descriptors: more than a small daemon opens by itself.
const LIMIT: u64 = 700;

/// Descriptors that the system has room for without a larger table.
fn room(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).expect("Linux");
    let room = status.lines().find_map(|line| line.strip_prefix("FDSize:"));
    room.and_then(|room| room.trim().parse().ok()).expect("its size")
}

/// Each time that the table is doubled, whoever opens a file then waits milliseconds: a worker that takes a
/// connection, with everybody whom it serves.
#[test]
fn many_connections_are_no_wait_for_the_system() {
    let origin = Origin::saying("one");
    let system = System::start(&Setup::to(&origin));
    let before = room(&system.daemon);
    let connections: Vec<_> = (0..600).map(|_| TcpStream::connect(system.web)).collect();
    assert_eq!(get(system.web, "/").status, 200);
    assert!(connections.iter().all(Result::is_ok));
    assert_eq!(room(&system.daemon), before);
    assert!(before > 600, "{before}");
}

#[test]
fn there_is_room_for_no_more_than_the_limit_allows() {
    let origin = Origin::saying("one");
    let limit = format!("ulimit -n {LIMIT}; exec {BINARY} run");
    let toml = Setup::to(&origin).toml();
    let mut daemon = Daemon::start("sh", &["-c", &limit], &[("weir.toml", toml.as_str())]);
    daemon.wait_for_line("\"message\":\"ready\"");
    let room = room(&daemon);
    // The system's tables have sizes of powers of two.
    assert!((LIMIT..2 * LIMIT).contains(&room), "{room}");
}
