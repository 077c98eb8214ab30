//! The admin listener: every page, and no secret on any of them.

use std::net::SocketAddr;

use serde_json::Value;
use weir_tests::{Daemon, Gate, Origin, Setup, free_port, get, request, until, wait_for_port};

const SECRET: &str = "correct-horse-battery";

fn start(origin: &Origin) -> (Daemon, SocketAddr, SocketAddr) {
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let (web, admin) = (address(free_port()), address(free_port()));
    let toml = Setup::to(origin)
        .server(&format!("admin = \"{admin}\""))
        .plugin("key-auth", &format!("{{ keys = [\"{SECRET}\"] }}"))
        .upstream("health = { path = \"/health\" }")
        .toml()
        .replace("127.0.0.1:0", &web.to_string());
    let binary = env!("CARGO_BIN_EXE_weir-under-test");
    let daemon = Daemon::start(binary, &["run"], &[("weir.toml", &toml)]);
    wait_for_port(web);
    wait_for_port(admin);
    (daemon, web, admin)
}

#[test]
fn every_page_answers_and_none_shows_a_secret() {
    let origin = Origin::echo();
    let (daemon, web, admin) = start(&origin);
    assert_eq!(request(web, "GET", "/", &[("x-api-key", SECRET)], b"").status, 200);
    assert_eq!(get(web, "/").status, 401);
    for (page, kind, text) in [
        ("/", "text/plain", "/metrics"),
        ("/livez", "text/plain", "live"),
        ("/readyz", "text/plain", "ready"),
        ("/metrics", "text/plain", "weir_requests_total{route=\"all\",code=\"401\"} 1"),
        ("/config", "application/json", "\"key-auth\""),
        ("/upstreams", "application/json", "\"healthy\": true"),
        ("/plugins", "application/json", "\"request\""),
    ] {
        let answer = get(admin, page);
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.header("content-type").is_some_and(|is| is.starts_with(kind)), "{page}");
        assert!(answer.text().contains(text), "{page}: {}", answer.text());
        assert!(!answer.text().contains(SECRET), "{page}: {}", answer.text());
        if kind == "application/json" {
            serde_json::from_slice::<Value>(&answer.body).expect("JSON");
        }
    }
    assert_eq!(get(admin, "/nothing").status, 404);
    assert_eq!(request(admin, "POST", "/metrics", &[], b"").status, 405);
    assert_eq!(get(admin, "/reload").status, 405);
    assert_eq!(request(admin, "POST", "/reload", &[], b"").status, 200);
    let foreign = [("sec-fetch-site", "cross-site")];
    assert_eq!(request(admin, "POST", "/reload", &foreign, b"").status, 403);
    std::fs::write(daemon.path("weir.toml"), "[listeners.web]\nbint = 1\n").expect("written");
    let answer = request(admin, "POST", "/reload", &[], b"");
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("bint"), "{}", answer.text());
    assert_eq!(request(web, "GET", "/", &[("x-api-key", SECRET)], b"").status, 200);
}

#[test]
fn while_it_drains_the_process_is_alive_and_not_ready() {
    let gate = Gate::default();
    let at = gate.clone();
    let origin = Origin::answering(move |seen| {
        if seen.target == "/slow" {
            at.pass();
        }
        http::Response::default()
    });
    let (daemon, web, admin) = start(&origin);
    let busy = std::thread::spawn(move || {
        request(web, "GET", "/slow", &[("x-api-key", SECRET)], b"").status
    });
    gate.wait_for(1);
    daemon.signal("TERM");
    until("it says that it is ready", || get(admin, "/readyz").status == 503);
    assert_eq!(get(admin, "/livez").status, 200);
    gate.open();
    assert_eq!(busy.join().expect("answered"), 200);
}
