//! The daemon as a process: signals, changed files, exit codes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use weir_tests::{Daemon, Gate, Origin, RawClient, Setup, free_port, get, until, wait_for_port};

const BINARY: &str = env!("CARGO_BIN_EXE_weir-under-test");
const WITHIN: Duration = Duration::from_secs(15);

/// A daemon with this configuration, its listener `web` on a port of its own.
fn daemon(toml: &str) -> (Daemon, SocketAddr) {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let toml = toml.replace("127.0.0.1:0", &address.to_string());
    let daemon = Daemon::start(BINARY, &["run"], &[("weir.toml", &toml)]);
    wait_for_port(address);
    (daemon, address)
}

/// Answers to `/slow` wait at the gate.
fn slow(gate: &Gate) -> Origin {
    let gate = gate.clone();
    Origin::answering(move |seen| {
        if seen.target == "/slow" {
            gate.pass();
        }
        Response::new(Full::new(Bytes::from_static(b"done")))
    })
}

#[test]
fn sigterm_lets_requests_in_flight_finish_and_ends_with_0() {
    let gate = Gate::default();
    let origin = slow(&gate);
    let (mut daemon, address) = daemon(&Setup::to(&origin).server("workers = 2").toml());
    // Silent, idle, and in flight.
    let _silent = RawClient::connect(address);
    let mut idle = RawClient::connect(address);
    idle.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(idle.answer().status, 200);
    let mut busy = RawClient::connect(address);
    busy.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    gate.wait_for(1);
    let started = Instant::now();
    daemon.signal("TERM");
    assert!(idle.is_closed());
    gate.open();
    let answer = busy.answer();
    assert_eq!((answer.status, answer.text()), (200, "done".to_owned()));
    assert!(busy.is_closed());
    let status = daemon.wait(WITHIN).expect("it ends");
    assert_eq!(status.code(), Some(0));
    // Nothing waited for the grace of ten seconds.
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn what_outlives_the_grace_is_cut() {
    let gate = Gate::default();
    let origin = slow(&gate);
    let (mut daemon, address) = daemon(&Setup::to(&origin).server("grace = \"1s\"").toml());
    let mut busy = RawClient::connect(address);
    busy.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    gate.wait_for(1);
    let started = Instant::now();
    daemon.signal("TERM");
    assert!(busy.try_answer("GET").is_none());
    assert_eq!(daemon.wait(WITHIN).expect("it ends").code(), Some(0));
    let took = started.elapsed();
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let gate = Gate::default();
    let origin = slow(&gate);
    let (mut daemon, address) = daemon(&Setup::to(&origin).toml());
    let mut busy = RawClient::connect(address);
    busy.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    gate.wait_for(1);
    let started = Instant::now();
    daemon.signal("TERM");
    // Two signals of which neither was looked at yet might be one.
    until("it drains", || std::net::TcpStream::connect(address).is_err());
    daemon.signal("INT");
    daemon.wait(WITHIN).expect("it ends");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn wrong_configuration_ends_with_2_and_a_taken_address_with_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = Origin::echo();
    let address = taken.local_addr().expect("an address").to_string();
    let occupied = Setup::to(&origin).toml().replace("127.0.0.1:0", &address);
    for (name, arguments, toml, code) in [
        ("no file", vec!["run", "-c", "missing.toml"], "", 2),
        ("no TOML", vec!["run"], "[", 2),
        ("an unknown key", vec!["run"], "[listeners.web]\nbint = \"127.0.0.1:0\"\n", 2),
        ("an unknown argument", vec!["run", "--what"], "", 2),
        ("no command", vec![], "", 2),
        ("a taken address", vec!["run"], occupied.as_str(), 1),
        ("check of a bad file", vec!["check"], "[listeners.web]\n", 2),
        ("check of a good file", vec!["check"], occupied.as_str(), 0),
    ] {
        let mut daemon = Daemon::start(BINARY, &arguments, &[("weir.toml", toml)]);
        let status = daemon.wait(WITHIN).expect("it ends");
        assert_eq!(status.code(), Some(code), "{name}");
    }
}

#[test]
fn a_changed_file_and_sighup_reload_and_a_broken_file_does_not() {
    let (one, two) = (Origin::saying("one"), Origin::saying("two"));
    let (daemon, address) = daemon(&Setup::to(&one).toml());
    let file = daemon.path("weir.toml");
    let text = std::fs::read_to_string(&file).expect("the configuration");
    let other = text.replace(&one.url(), &two.url());
    assert_eq!(get(address, "/").text(), "one");
    let mut kept = RawClient::connect(address);
    kept.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(kept.answer().text(), "one");
    std::fs::write(&file, &other).expect("written");
    until("a changed file is taken into use", || get(address, "/").text() == "two");
    // The connection from before is served from the new configuration.
    kept.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(kept.answer().text(), "two");
    std::fs::write(&file, "broken = [").expect("written");
    daemon.signal("HUP");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(get(address, "/").text(), "two");
    // Replaced by a rename, as editors do.
    std::fs::write(daemon.path("next"), &text).expect("written");
    std::fs::rename(daemon.path("next"), &file).expect("renamed");
    until("a replaced file is taken into use", || get(address, "/").text() == "one");
    std::fs::write(&file, &other).expect("written");
    daemon.signal("HUP");
    until("SIGHUP reloads", || get(address, "/").text() == "two");
}

#[test]
fn a_renewed_certificate_is_served_without_a_restart() {
    use weir_tests::Certificates;
    let origin = Origin::echo();
    let old = Certificates::for_names(&["localhost"]);
    let new = Certificates::for_names(&["localhost"]);
    let tls = format!(
        "tls = {{ certificates = [{{ cert = {:?}, key = {:?} }}] }}",
        old.cert(),
        old.key()
    );
    let (_daemon, address) = daemon(&Setup::to(&origin).listener(&tls).toml());
    let serves = |by: &Certificates| {
        weir_tests::tls_get(address, by.client_config(&[]), "localhost").is_ok()
    };
    assert!(serves(&old) && !serves(&new));
    for (from, to) in [(new.cert(), old.cert()), (new.key(), old.key())] {
        std::fs::copy(from, to).expect("copied");
    }
    until("the new certificate is served", || serves(&new));
}
