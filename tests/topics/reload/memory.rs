//! Memory over fifty reloads of twenty plugins, routes and upstreams each, of a daemon of its own: no
//! other test is in its numbers. Each waits until its file is quiet.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use weir_tests::{Daemon, Origin, RawClient, free_address, guest, request, resident_bytes};

const WARM_UP: usize = 10;
const RELOADS: usize = 50;
const COPIES: usize = 20;
/// What may come on top between the end of the warm-up and the end: the allocator's own unrest. Two
/// KiB for each copy and reload, where one idle connection that stays costs eight times that.
const BOUND: usize = 2 << 20;

fn config(web: SocketAddr, admin: SocketAddr, origin: &Origin, version: usize) -> String {
    let copy = |copy: usize| {
        format!(
            r#"
            [plugins.build-{parity}-{copy}]
            component = "{}"
            config = {{ version = "{version}" }}
            [routes.load-{parity}-{copy}]
            match = {{ path = "/{copy}/*" }}
            plugins = ["ids", "build-{parity}-{copy}"]
            upstream = "origin-{parity}-{copy}"
            [upstreams.origin-{parity}-{copy}]
            endpoints = ["{}"]
            "#,
            guest("blue").display(),
            origin.url(),
            parity = version % 2,
        )
    };
    let copies: String = (0..COPIES).map(copy).collect();
    format!(
        r#"
        [server]
        workers = 2
        admin = "{admin}"
        [listeners.web]
        bind = "{web}"
        [plugins.ids]
        component = "request-id"
        {copies}
        "#,
    )
}

#[test]
fn fifty_large_reloads_leave_memory_flat() {
    let origin = Origin::saying("hi");
    let (web, admin) = (free_address(), free_address());
    let first = config(web, admin, &origin, 0);
    let daemon = Daemon::start(
        env!("CARGO_BIN_EXE_weir-under-test"),
        &["run", "-c", "weir.toml"],
        &[("weir.toml", &first)],
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    let up = |address| std::net::TcpStream::connect(address).is_ok();
    while !(up(web) && up(admin)) {
        assert!(Instant::now() < deadline, "the daemon does not come up");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut client = RawClient::connect(web);
    let mut after_warm_up = 0;
    for version in 1..=WARM_UP + RELOADS {
        let file = daemon.path("weir.toml");
        let written = daemon.path("weir.new");
        std::fs::write(&written, config(web, admin, &origin, version)).expect("written");
        std::fs::rename(&written, &file).expect("renamed");
        let answer = request(admin, "POST", "/reload", &[], b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        for copy in 0..COPIES {
            let head = format!("GET /{copy}/ HTTP/1.1\r\nhost: localhost\r\n\r\n");
            client.send(head.as_bytes());
            let answer = client.answer();
            assert_eq!(answer.header("x-answered"), Some(version.to_string().as_str()));
        }
        if version == WARM_UP {
            after_warm_up = resident_bytes(daemon.id());
        }
    }
    let at_the_end = resident_bytes(daemon.id());
    println!(
        "resident after {WARM_UP} reloads {} KiB, after {RELOADS} more {} KiB",
        after_warm_up >> 10,
        at_the_end >> 10
    );
    assert!(at_the_end < after_warm_up + BOUND, "{after_warm_up} to {at_the_end} bytes");
}
