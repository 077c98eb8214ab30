//! The admin listener: every page, and no secret on any of them.

use std::net::SocketAddr;

use serde_json::Value;
use weir_tests::{
    Daemon, Gate, Origin, RawClient, Setup, free_address, free_port, get, request, until,
    wait_for_port,
};

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

/// Clients that pipeline and do not read, or never finish their head, silence no health check.
#[test]
fn clients_that_hang_silence_no_health_check() {
    let origin = Origin::echo();
    let (_daemon, _web, admin) = start(&origin);
    let mut hanging = Vec::new();
    for n in 0..200 {
        let mut client = RawClient::connect(admin);
        let ask = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
        match n % 2 {
            0 => client.send(ask.repeat(500).as_bytes()),
            _ => client.send(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n"),
        }
        hanging.push(client);
        if n % 20 == 19 {
            assert_eq!(get(admin, "/livez").status, 200, "after {n}");
        }
    }
    assert_eq!(get(admin, "/readyz").status, 200);
    assert_eq!(get(admin, "/metrics").status, 200);
    drop(hanging);
}

/// A page whose own name leads here by a lie of its DNS.
#[test]
fn foreign_hosts_and_origins_are_refused() {
    let origin = Origin::echo();
    let (daemon, _, admin) = start(&origin);
    let ask = |method: &str, page: &str, field: (&str, &str)| {
        request(admin, method, page, &[field], b"").status
    };
    let own = format!("http://{admin}");
    for (method, page) in [("GET", "/config"), ("GET", "/metrics"), ("POST", "/reload")] {
        assert_eq!(ask(method, page, ("host", "evil.example")), 403, "{page}");
        assert_eq!(ask(method, page, ("host", "weir.internal")), 403, "{page}");
        assert_eq!(ask(method, page, ("origin", "http://evil.example")), 403, "{page}");
        assert_eq!(ask(method, page, ("host", &admin.to_string())), 200, "{page}");
        assert_eq!(ask(method, page, ("origin", &own)), 200, "{page}");
    }
    // A reload lets names in.
    let file = daemon.path("weir.toml");
    let toml = std::fs::read_to_string(&file).expect("there");
    let toml = toml.replace("[server]\n", "[server]\nadmin_hosts = [\"weir.internal\"]\n");
    std::fs::write(&file, toml).expect("written");
    assert_eq!(request(admin, "POST", "/reload", &[], b"").status, 200);
    assert_eq!(ask("GET", "/config", ("host", "weir.internal:9901")), 200);
    assert_eq!(ask("GET", "/config", ("host", "evil.example")), 403);
}

/// Whatever a plugin's schema calls `writeOnly`, or is named like a secret, or is matched with.
#[test]
fn the_configuration_is_shown_without_its_secrets() {
    let origin = Origin::echo();
    let (web, admin) = (free_address(), free_address());
    let jwks =
        r#"{ keys = [{ kty = "oct", k = "czNjcjN0LXMzY3IzdC1zM2NyM3QtczNjcjN0LXMzY3IzdA" }] }"#;
    let set = r#"{ cookie = "s3cr3t-a", x-auth = "s3cr3t-b", x-idp = "https://u:s3cr3t-c@idp" }"#;
    let toml = Setup::to(&origin)
        .server(&format!("admin = \"{admin}\""))
        .plugin("jwt", &format!("{{ jwks = {jwks}, issuer = \"https://shown\" }}"))
        .plugin("headers", &format!("{{ request = {{ set = {set} }} }}"))
        .plugin("basic-auth", "{ users = { robot = \"plain:s3cr3t-d\" } }")
        .route("match = { headers = { x-gate = \"s3cr3t-e\" }, query = { k = { regex = \"s3cr3t-f\" } } }")
        .toml()
        .replace("127.0.0.1:0", &web.to_string());
    let binary = env!("CARGO_BIN_EXE_weir-under-test");
    let _daemon = Daemon::start(binary, &["run"], &[("weir.toml", &toml)]);
    wait_for_port(admin);
    let shown = get(admin, "/config").text();
    assert!(shown.contains("https://shown") && shown.contains("\"x-gate\""), "{shown}");
    for secret in ["czNjcjN0", "s3cr3t"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
