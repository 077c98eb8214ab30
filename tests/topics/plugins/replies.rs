//! mock and redirect: answers without an upstream.

use std::time::{Duration, Instant};

use super::Setup;

#[test]
fn mock() {
    let setup = Setup::new(
        "mock",
        r#"
[[plugins.it.config.paths]]
path = "/users/*"
method = "GET"
body = '{"path": "{request.path}"}'
delay = "250ms"
[[plugins.it.config.paths]]
path = "/users"
method = "POST"
status = 201
headers = { location = "/users/7" }
"#,
    );
    let since = Instant::now();
    let answer = setup.get("/users/7", &[]);
    assert!(since.elapsed() >= Duration::from_millis(250), "{:?}", since.elapsed());
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"path": "/users/7"}"#));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let answer = setup.ask("HEAD", "/users/7", &[]);
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("20")));
    let answer = setup.ask("POST", "/users", &[]);
    assert_eq!((answer.status, answer.header("location")), (201, Some("/users/7")));
    assert!(setup.origin.seen().is_empty(), "the upstream was asked");
    assert!(setup.get("/else", &[]).text().starts_with("GET /else"), "what fits none goes on");
}

/// Many delayed replies at a time: nobody waits for another's delay.
#[test]
fn a_delay_holds_no_worker() {
    let setup = Setup::new("mock", r#"config = { status = 503, delay = "500ms" }"#);
    let since = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(setup.get("/", &[]).status, 503));
        }
    });
    assert!(since.elapsed() < Duration::from_secs(5), "one after the other: {:?}", since.elapsed());
}

#[test]
fn redirect() {
    let setup = Setup::new("redirect", r#"config = { scheme = "https", host = "www.test" }"#);
    let answer = setup.get("/a%20b?c=d", &[("host", "old.test:8080")]);
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some("https://www.test/a%20b?c=d"))
    );
    assert!(setup.origin.seen().is_empty(), "the upstream was asked");

    let setup = Setup::new(
        "redirect",
        r#"config = { prefix = { from = "/blog", to = "/articles" }, status = 302 }"#,
    );
    let answer = setup.get("/blog/1?a", &[]);
    assert_eq!((answer.status, answer.header("location")), (302, Some("/articles/1?a")));
    assert_eq!(setup.get("/articles/1", &[]).status, 200, "it is where it should be");
    assert_eq!(setup.get("/blogs", &[]).status, 200);

    let setup = Setup::new(
        "redirect",
        r#"config = { regex = { pattern = "^/user/([0-9]+)$", replace = "/users/$1" } }"#,
    );
    assert_eq!(setup.get("/user/7", &[]).header("location"), Some("/users/7"));
}
