//! Signals that come before it serves, while it reloads, and while it ends.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use weir_tests::{
    Daemon, Origin, RawClient, Setup, free_address, get, request, until, wait_for_port,
};

use super::super::system::{BINARY, System, WITHIN};

/// Every plugin whose component takes its time to compile, each under some names.
fn slow_to_build(web: std::net::SocketAddr) -> String {
    let mut text = format!("[listeners.web]\nbind = \"{web}\"\n");
    for (name, config) in [
        (
            "basic-auth",
            "users = { a = \"$2b$04$abcdefghijklmnopqrstuuG1R7b0vFTzyv.XPbbgXcrYBlUGYgOqy\" }",
        ),
        ("jwt", "secret = \"0123456789abcdef0123456789abcdef\""),
        ("rewrite", "strip_prefix = \"/a\""),
        ("cors", "allow_origins = [\"https://a.test\"]"),
        ("headers", "response = { set = { a = \"b\" } }"),
    ] {
        text += &format!("[plugins.{name}]\ncomponent = \"{name}\"\nconfig = {{ {config} }}\n");
    }
    text += "[plugins.mock]\ncomponent = \"mock\"\n[routes.all]\n\
             plugins = [\"basic-auth\", \"jwt\", \"rewrite\", \"cors\", \"headers\", \"mock\"]\n";
    text
}

/// Whether the process has a handler for SIGHUP.
fn hears(daemon: &Daemon) -> bool {
    let path = format!("/proc/{}/status", daemon.id());
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"));
    caught
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

/// A daemon that compiles everything anew, into this folder.
fn cold(text: &str, cache: &Path) -> Daemon {
    Daemon::start_as(BINARY, &["run"], &[("weir.toml", text)], |command| {
        command.env("XDG_CACHE_HOME", cache);
    })
}

#[test]
fn a_signal_that_comes_before_it_serves_is_heard() {
    let web = free_address();
    let cache = tempfile::tempdir().expect("a folder");
    let text = slow_to_build(web);
    let mut ended = cold(&text, cache.path());
    until("it hears", || hears(&ended));
    assert!(std::net::TcpStream::connect(web).is_err(), "it serves already: nothing is shown");
    ended.signal("HUP");
    ended.signal("TERM");
    assert_eq!(ended.wait(WITHIN).expect("it ends").code(), Some(0));
    assert!(std::net::TcpStream::connect(web).is_err());
    // A reload that was asked for before anything served comes right after.
    let mut reloaded = cold(&text, cache.path());
    until("it hears", || hears(&reloaded));
    reloaded.signal("HUP");
    reloaded.wait_for_line("configuration reloaded");
}

#[test]
fn while_it_reloads_it_hears_the_end() {
    let web = free_address();
    let cache = tempfile::tempdir().expect("a folder");
    let small = format!(
        "[listeners.web]\nbind = \"{web}\"\n[plugins.mock]\ncomponent = \"mock\"\n\
         [routes.all]\nplugins = [\"mock\"]\n"
    );
    let mut daemon = cold(&small, cache.path());
    until("it serves", || std::net::TcpStream::connect(web).is_ok());
    daemon.replace("weir.toml", slow_to_build(web));
    let started = Instant::now();
    daemon.signal("HUP");
    daemon.signal("TERM");
    let status = daemon.wait(WITHIN).expect("it ends");
    assert_eq!(status.code(), Some(0), "after {:?}", started.elapsed());
}

/// Not before: until files have been quiet for a second nothing is loaded.
#[test]
fn while_it_builds_what_it_read_it_hears_the_end() {
    let web = free_address();
    let cache = tempfile::tempdir().expect("a folder");
    let empty = format!("[listeners.web]\nbind = \"{web}\"\n");
    let mut daemon = cold(&empty, cache.path());
    daemon.wait_for_line("\"message\":\"ready\"");
    daemon.replace("weir.toml", slow_to_build(web));
    daemon.signal("HUP");
    // The first of six.
    daemon.wait_for_line("plugin loaded");
    daemon.signal("TERM");
    assert_eq!(daemon.wait(WITHIN).expect("it ends").code(), Some(0));
}

/// Three thousand orders to reload are not three thousand reloads in a line.
#[test]
fn a_flood_of_sighup_delays_neither_requests_nor_the_end() {
    let origin = Origin::saying("one");
    let mut system = System::start(&Setup::to(&origin));
    for _ in 0..30 {
        let process = std::iter::repeat_n(system.daemon.id().to_string(), 100);
        let sent = Command::new("kill").arg("-HUP").args(process).status();
        assert!(sent.expect("kill runs").success());
        assert_eq!(get(system.web, "/").text(), "one");
    }
    until("one is heard", || system.reloads("success") >= 1.0);
    system.daemon.signal("TERM");
    assert_eq!(system.daemon.wait(WITHIN).expect("it ends").code(), Some(0));
}

#[test]
fn after_sigterm_it_is_not_ready_and_still_accepts_for_a_while() {
    let origin = Origin::saying("one");
    let mut system = System::start(&Setup::to(&origin).server("drain_delay = \"6s\""));
    assert_eq!(get(system.admin, "/readyz").status, 200);
    let started = Instant::now();
    system.daemon.signal("TERM");
    until("it is not ready", || get(system.admin, "/readyz").status == 503);
    let mut served = 0;
    while let Ok(stream) = std::net::TcpStream::connect(system.web) {
        drop(stream);
        if started.elapsed().as_secs() < 2 {
            assert_eq!(get(system.web, "/").text(), "one");
            served += 1;
        }
    }
    assert!(served > 0);
    assert!(started.elapsed().as_secs() >= 2, "{:?}", started.elapsed());
    assert_eq!(system.daemon.wait(WITHIN).expect("it ends").code(), Some(0));
}

#[test]
fn what_ends_says_so_to_whoever_has_it_reload() {
    let origin = Origin::saying("one");
    let mut system = System::start(&Setup::to(&origin).server("drain_delay = \"1h\""));
    system.daemon.signal("TERM");
    until("it is not ready", || get(system.admin, "/readyz").status == 503);
    // Also where what there is now would be refused, or is the same.
    for text in [None, Some("broken = [")] {
        if let Some(text) = text {
            system.daemon.replace("weir.toml", text);
        }
        let answer = request(system.admin, "POST", "/reload", &[], b"");
        assert_eq!(answer.status, 503, "{}", answer.text());
        let told: serde_json::Value = serde_json::from_str(&answer.text()).expect("JSON");
        let why = ["the process ends: nothing new is taken into use"];
        assert_eq!(told, serde_json::json!({ "reloaded": false, "problems": why }));
    }
    system.daemon.signal("HUP");
    system.daemon.wait_for_line("told to reload: the process ends");
    assert_eq!(get(system.web, "/").text(), "one");
    system.daemon.signal("TERM");
    assert_eq!(system.daemon.wait(WITHIN).expect("it ends").code(), Some(0));
}

#[test]
fn a_person_at_a_terminal_and_a_second_signal_wait_for_no_delay() {
    let origin = Origin::saying("one");
    let setup = Setup::to(&origin).server("drain_delay = \"1h\"");
    let mut system = System::start(&setup);
    system.daemon.signal("INT");
    assert_eq!(system.daemon.wait(WITHIN).expect("it ends").code(), Some(0));
    let mut system = System::start(&setup);
    system.daemon.signal("TERM");
    until("it is not ready", || get(system.admin, "/readyz").status == 503);
    system.daemon.signal("TERM");
    assert_eq!(system.daemon.wait(WITHIN).expect("it ends").code(), Some(0));
}

#[test]
fn readiness_fails_while_an_essential_upstream_has_nobody_left() {
    let origin = Origin::saying("one");
    let health = "health = { path = \"/\", interval = \"50ms\", healthy = 1, unhealthy = 1 }";
    let system = System::start(&Setup::to(&origin).upstream(health).upstream("essential = true"));
    assert_eq!(get(system.admin, "/readyz").status, 200);
    drop(origin);
    until("it is not ready", || get(system.admin, "/readyz").status == 503);
    let text = get(system.admin, "/readyz").text();
    assert!(text.contains("no endpoint of upstream origin is healthy"), "{text}");
    assert_eq!(get(system.admin, "/livez").status, 200);
    let text = system.toml().replace("essential = true", "essential = false");
    system.daemon.replace("weir.toml", text);
    until("it is ready without it", || get(system.admin, "/readyz").status == 200);
}

#[test]
fn a_request_that_its_client_gave_up_counts_as_cancelled() {
    let gate = weir_tests::Gate::default();
    let at = gate.clone();
    let origin = Origin::answering(move |_| {
        at.pass();
        http::Response::default()
    });
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    gate.wait_for(1);
    client.reset();
    let endpoint = origin.address();
    let series = format!(
        "weir_upstream_requests_total{{upstream=\"origin\",endpoint=\"{endpoint}\",outcome=\"cancelled\"}}"
    );
    until("it is counted", || proxy.metric(&series) == 1.0);
    gate.open();
}

#[test]
fn the_first_configuration_has_a_time_too() {
    let origin = Origin::saying("one");
    let system = System::start(&Setup::to(&origin));
    let time = system.metric("weir_config_last_reload_success_timestamp_seconds");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time");
    assert!((now.as_secs_f64() - time).abs() < 600.0, "{time}");
    assert_eq!(system.reloads("success"), 0.0);
    wait_for_port(system.web);
}
