//! Lines of the access log: one for each exchange, that parse, with what an operator asks for.

mod cut;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::{Origin, Proxy, RawClient, Setup, free_port, request};

use crate::attacks::system::System;

/// The file's lines, once there are so many.
fn lines(file: &Path, count: usize) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(Instant::now() < deadline, "{} of {count} lines: {text}", lines.len());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn logging(setup: Setup, format: &str) -> (Proxy, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("access.log");
    let lines = format!("access_log = {{ format = {format:?}, file = {file:?} }}");
    (setup.server(&lines).start(), folder)
}

#[test]
fn a_json_line_says_what_happened() {
    let origin = Origin::saying("hello");
    let setup = Setup::to(&origin).plugin("request-id", "{}");
    let (proxy, folder) = logging(setup, "json");
    let fields = [("host", "a.example"), ("user-agent", "quote\"and\ttab"), ("referer", "\u{fc}")];
    let answer = request(proxy.address("web"), "POST", "/a/../b?c=d", &fields, b"body");
    assert_eq!(answer.status, 200);
    let line = lines(&folder.path().join("access.log"), 1).remove(0);
    let line: Value = serde_json::from_str(&line).expect("JSON");
    let endpoint = origin.address().to_string();
    for (key, expected) in [
        ("client", Value::from("127.0.0.1")),
        ("listener", "web".into()),
        ("method", "POST".into()),
        ("scheme", "http".into()),
        ("host", "a.example".into()),
        ("path", "/b?c=d".into()),
        ("protocol", "HTTP/1.1".into()),
        ("status", 200.into()),
        ("request_bytes", 4.into()),
        ("response_bytes", 5.into()),
        ("route", "all".into()),
        ("upstream", "origin".into()),
        ("endpoint", endpoint.into()),
        ("upstream_status", 200.into()),
        ("attempts", 1.into()),
        ("user_agent", "quote\"and\ttab".into()),
    ] {
        assert_eq!(line[key], expected, "{key}: {line}");
    }
    assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"), "{line}");
    for time in ["duration_ms", "upstream_connect_ms", "upstream_first_byte_ms"] {
        assert!(line[time].as_f64().is_some_and(|millis| millis > 0.0), "{time}: {line}");
    }
    assert!(line.get("error").is_none() && line.get("plugin").is_none(), "{line}");
}

#[test]
fn what_went_wrong_or_was_not_forwarded_is_logged_too() {
    let down = format!("http://127.0.0.1:{}", free_port());
    let setup = Setup::to_url(down).route("match = { path = \"/down\" }");
    let toml = setup.toml();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("access.log");
    let toml = toml.replace("[server]", &format!("[server]\naccess_log = {{ file = {file:?} }}"))
        + "[plugins.mock]\ncomponent = \"mock\"\nconfig = { status = 418 }\n\
           [routes.mocked]\nmatch = { path = \"/mock\" }\nplugins = [\"mock\"]\n";
    let proxy = Proxy::start(&toml);
    for (method, target, host, status, expected) in [
        ("GET", "/down", "a", 502, ("error", "connection_refused")),
        ("GET", "/mock", "a", 418, ("plugin", "mock")),
        ("GET", "/none", "a", 404, ("error", "destination_not_found")),
        ("GET", "/bad", "a:0", 400, ("error", "http_request_error")),
    ] {
        let before = std::fs::read_to_string(&file).unwrap_or_default().lines().count();
        let answer = request(proxy.address("web"), method, target, &[("host", host)], b"");
        assert_eq!(answer.status, status, "{target}");
        let line = lines(&file, before + 1).pop().expect("a line");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line[expected.0], expected.1, "{line}");
        assert_eq!((&line["path"], &line["method"]), (&target.into(), &method.into()), "{line}");
    }
}

/// What a plugin reads as a credential stands in targets, refused or not, under any spelling of its name.
#[test]
fn credentials_in_a_query_are_masked_in_the_access_log_and_in_debug_lines() {
    let origin = Origin::saying("hello");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("access.log");
    for (format, plugin, config, field) in [
        ("json", "key-auth", r#"{ keys = ["hunterKEY"], query = "k" }"#, "x-api-key"),
        (
            "combined",
            "key-auth",
            r#"{ keys = ["hunterKEY"], query = "k", hide = false }"#,
            "x-api-key",
        ),
        ("json", "jwt", r#"{ secret = "0123456789abcdef0123456789abcdef", query = "k" }"#, "x"),
    ] {
        let _ = std::fs::remove_file(&file);
        let log =
            format!("access_log = {{ format = {format:?}, file = {file:?} }}\nlog = \"debug\"");
        let setup = Setup::to(&origin).server(&log).plugin(plugin, config);
        let mut system = System::start(&setup);
        let targets = [
            "/k?k=hunterKEY",
            "/k?k=hunterKEY&k=hunterKEY",
            "/k?a=1&%6b=hunterKEY&b=2",
            "/k?%6B=hunterKEY%20",
        ];
        for target in targets {
            for fields in [&[("host", "a")][..], &[("host", "a"), (field, "hunterKEY")]] {
                let referer = format!("https://a.example{target}");
                let fields: Vec<(&str, &str)> =
                    fields.iter().copied().chain([("referer", &*referer)]).collect();
                request(system.web, "GET", target, &fields, b"");
            }
        }
        // Refused before any plugin saw it.
        request(system.web, "GET", "/k?k=hunterKEY", &[("host", "a:0")], b"");
        let written = lines(&file, 2 * targets.len() + 1).join("\n");
        assert!(!written.contains("hunterKEY"), "{plugin} {format}: {written}");
        assert!(written.contains("/k?a=1&%6b=***&b=2"), "{plugin} {format}: {written}");
        assert_eq!(
            request(system.web, "GET", "/last?k=hunterKEY", &[("host", "a")], b"").status,
            match plugin {
                "jwt" => 401,
                _ => 200,
            }
        );
        let told = system.daemon.wait_for_line("/last?k=***");
        assert!(told.contains("request"), "{told}");
    }
}

/// A client that goes away in the middle.
#[test]
fn an_answer_that_was_not_taken_is_logged_as_cut() {
    let origin = Origin::raw(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        weir_tests::read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
        tokio::time::sleep(Duration::from_secs(30)).await;
    });
    let (proxy, folder) = logging(Setup::to(&origin), "json");
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.exactly(12);
    drop(client);
    let line = lines(&folder.path().join("access.log"), 1).remove(0);
    let line: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(line["status"], 200, "{line}");
    assert_eq!(line["error"], "connection_terminated", "{line}");
}

#[test]
fn a_combined_line_is_apaches() {
    let origin = Origin::saying("hello");
    let (proxy, folder) = logging(Setup::to(&origin), "combined");
    let fields = [("user-agent", "a \"b\""), ("referer", "http://c/")];
    request(proxy.address("web"), "GET", "/x?y", &fields, b"");
    let line = lines(&folder.path().join("access.log"), 1).remove(0);
    let (before, rest) = line.split_once(" [").expect("a date");
    assert_eq!(before, "127.0.0.1 - -");
    let (date, rest) = rest.split_once("] ").expect("a date's end");
    assert_eq!(date.len(), "10/Oct/2000:13:55:36 +0000".len(), "{line}");
    assert_eq!(rest, r#""GET /x?y HTTP/1.1" 200 5 "http://c/" "a \"b\"""#);
}

#[test]
fn after_a_rotation_lines_go_to_the_new_file() {
    let origin = Origin::saying("hello");
    let (proxy, folder) = logging(Setup::to(&origin), "json");
    let (file, old) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    request(proxy.address("web"), "GET", "/1", &[], b"");
    lines(&file, 1);
    std::fs::rename(&file, &old).expect("moved");
    proxy.running().reopen_log();
    request(proxy.address("web"), "GET", "/2", &[], b"");
    assert!(lines(&file, 1)[0].contains("\"/2\""));
    assert_eq!(lines(&old, 1).len(), 1);
}

#[test]
fn many_requests_make_as_many_lines() {
    let origin = Origin::saying("hello");
    let (proxy, folder) = logging(Setup::to(&origin).server("workers = 2"), "json");
    let address = proxy.address("web");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = RawClient::connect(address);
                for _ in 0..250 {
                    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                    assert_eq!(client.answer().status, 200);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("all answered");
    }
    let lines = lines(&folder.path().join("access.log"), 2000);
    assert_eq!(lines.len(), 2000);
    let mut ids: Vec<_> = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["request_id"].to_string())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2000, "request ids repeat");
}
