//! Calls that plugins make to upstreams, from every hook, and what they may not.

mod bounds;
mod origins;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use weir_tests::{Answer, Origin, Proxy, guest, request, until};

/// Who is called: it says whom it took it for, and with which body.
fn users() -> Origin {
    Origin::answering(|seen| {
        let (status, text) = match seen.target.as_str() {
            "/away" => (302, String::new()),
            "/long" => (200, "x".repeat(100)),
            _ => (200, String::from_utf8_lossy(&seen.body).to_uppercase()),
        };
        let answer = Response::builder().status(status).header("x-from", "users");
        let answer = answer.header("location", "http://127.0.0.1:1/").header("x-from", "again");
        answer.body(Full::new(Bytes::from(text))).expect("a response")
    })
}

fn silent() -> Origin {
    Origin::raw(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
}

struct System {
    proxy: Proxy,
    origin: Origin,
    users: Origin,
    _silent: Origin,
}

fn config(origin: &Origin, users: &Origin, silent: &Origin, route: &str) -> String {
    format!(
        "[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n\
         [plugins.calling]\ncomponent = {:?}\n\
         grants = {{ http = [\"upstream://users\", \"upstream://gone\", \"upstream://silent\"] }}\n\
         [routes.all]\nupstream = \"origin\"\nplugins = [\"calling\"]\n{route}\n\
         [upstreams]\n\
         origin.endpoints = [{:?}]\nusers.endpoints = [{:?}]\nsilent.endpoints = [{:?}]\n\
         gone.endpoints = [\"http://127.0.0.1:1\"]\nother.endpoints = [{:?}]\n",
        guest("calling"),
        origin.url(),
        users.url(),
        silent.url(),
        users.url(),
    )
}

fn start(route: &str) -> System {
    let (origin, users, silent) = (Origin::echo(), users(), silent());
    let proxy = Proxy::start(&config(&origin, &users, &silent, route));
    System { proxy, origin, users, _silent: silent }
}

impl System {
    fn ask(&self, method: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        request(self.proxy.address("web"), method, "/", fields, body)
    }

    /// What the request hook told the origin.
    fn came(&self, fields: &[(&str, &str)]) -> String {
        let answer = self.ask("GET", fields, b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = self.origin.last().headers.get("x-came").cloned();
        String::from_utf8_lossy(seen.expect("it said something").as_bytes()).into_owned()
    }
}

#[test]
fn a_hook_calls_an_upstream_and_sees_its_answer() {
    let system = start("");
    assert_eq!(system.came(&[("x-call", "upstream://users/me?full=yes")]), "200 0 users, again");
    let seen = system.users.last();
    assert_eq!((&*seen.method, &*seen.target), ("GET", "/me?full=yes"));
    let own = system.users.url().replace("http://", "");
    assert_eq!(seen.headers["host"], *own, "its own name, for it has no client");
    assert!(seen.headers.get("x-forwarded-for").is_none(), "{:?}", seen.headers);
    let with = [("x-call", "upstream://users"), ("x-method", "POST"), ("x-with", "x-a=b")];
    assert_eq!(system.came(&with), "200 6 users, again");
    let seen = system.users.last();
    assert_eq!((&*seen.target, &seen.body[..]), ("/", &b"a body"[..]));
    assert_eq!(
        (&seen.headers["x-a"], &seen.headers["content-length"]),
        (&"b".parse().unwrap(), &"6".parse().unwrap())
    );
    // An answer like others.
    assert_eq!(system.came(&[("x-call", "upstream://users/away")]), "302 0 users, again");
    assert_eq!(system.users.connections(), 1, "it is used again");
}

/// The parts of `x-call`, and what comes of each.
const FAILURES: [(&str, &str); 10] = [
    ("upstream://users/long", "200 100 users, again"),
    // Of this configuration, but not granted.
    ("upstream://other/", "denied"),
    ("upstream://nobody/", "denied"),
    ("upstream://", "denied"),
    ("https://users/", "denied"),
    ("users", "invalid"),
    ("upstream://users/a#b", "invalid"),
    ("upstream://users/%zz|", "invalid"),
    ("upstream://gone/", "unavailable"),
    ("upstream://silent/", "timeout"),
];

#[test]
fn several_are_called_at_once_and_each_fails_for_itself() {
    let system = start("");
    let (urls, expected): (Vec<&str>, Vec<&str>) = FAILURES.into_iter().unzip();
    let started = Instant::now();
    let came = system.came(&[("x-call", &urls.join(" ")), ("x-timeout", "300")]);
    assert_eq!(came, expected.join(", "));
    assert!(started.elapsed() >= Duration::from_millis(300));
    let all = ["upstream://silent/"; 16].join(" ");
    let started = Instant::now();
    system.came(&[("x-call", &all), ("x-timeout", "300")]);
    assert!(started.elapsed() < Duration::from_secs(2), "they wait beside each other");
}

#[test]
fn what_is_not_legal_or_too_much_is_told_before_anybody_is_called() {
    let system = start("");
    for (name, value, expected) in [
        ("x-limit", "99", "too large"),
        ("x-limit", "100", "200 100 users, again"),
        ("x-timeout", "0", "invalid"),
        ("x-timeout", "60001", "invalid"),
        ("x-method", "CONNECT", "invalid"),
        ("x-method", "a b", "invalid"),
        ("x-with", "host=a", "invalid"),
        ("x-with", "transfer-encoding=chunked", "invalid"),
        ("x-with", "content-length=7", "invalid"),
        ("x-with", "a b=c", "invalid"),
    ] {
        let came = system.came(&[("x-call", "upstream://users/long"), (name, value)]);
        assert_eq!(came, expected, "{name}: {value}");
    }
    assert_eq!(system.users.seen().len(), 2);
    let many = ["upstream://users/"; 17].join(" ");
    assert_eq!(system.ask("GET", &[("x-call", &many)], b"").status, 500, "a trap");
    assert_eq!(system.users.seen().len(), 2);
}

#[test]
fn other_hooks_call_too() {
    let system = start("");
    let answer = system.ask("GET", &[("x-call-after", "upstream://users/after")], b"");
    assert_eq!(answer.header("x-came"), Some("200 0 users, again"));
    let answer = system.ask("POST", &[("x-rewrite", "upstream://users/")], b"to be rewritten");
    assert_eq!(answer.status, 200);
    assert_eq!(&system.origin.last().body[..], b"TO BE REWRITTEN");
    system.ask("GET", &[("x-call-late", "upstream://users/late")], b"");
    until("the completion hook has called", || {
        system.users.seen().iter().any(|seen| seen.target == "/late")
    });
}

/// A hook waits for its calls no longer than the exchange has time.
#[test]
fn a_call_ends_with_the_time_of_its_exchange() {
    let system = start("timeout = \"300ms\"");
    let started = Instant::now();
    let answer = system.ask("GET", &[("x-call", "upstream://silent/")], b"");
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(290) && took < Duration::from_secs(3), "{took:?}");
    assert_eq!(answer.status, 504, "{answer:?}");
}

/// Fifty hooks wait; another request of another client is answered meanwhile, and a reload goes through.
#[test]
fn who_waits_holds_nobody() {
    let system = start("timeout = \"20s\"");
    let address = system.proxy.address("web");
    let waiting: Vec<_> = (0..40)
        .map(|_| {
            std::thread::spawn(move || {
                let fields = [("x-call", "upstream://silent/"), ("x-timeout", "3000")];
                request(address, "GET", "/", &fields, b"").status
            })
        })
        .collect();
    let in_flight = r#"weir_plugin_instances{plugin="calling"}"#;
    until("they wait", || system.proxy.metric(in_flight) >= 40.0);
    let started = Instant::now();
    assert_eq!(system.ask("GET", &[], b"").status, 200);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let System { proxy, origin, users, _silent } = &system;
    let other = config(origin, users, _silent, "timeout = \"21s\"");
    proxy.reload(&other).expect("a good configuration");
    assert_eq!(system.came(&[("x-call", "upstream://users/me")]), "200 0 users, again");
    for waiting in waiting {
        assert_eq!(waiting.join().expect("no panic"), 200, "it was told of a timeout");
    }
}

#[test]
fn calling_has_to_be_granted() {
    let (origin, users, silent) = (Origin::echo(), users(), silent());
    let text = config(&origin, &users, &silent, "");
    let refused = |grants: &str| {
        let start = text.find("grants").expect("it is there");
        let end = start + text[start..].find('\n').expect("a line");
        let text = format!("{}{grants}{}", &text[..start], &text[end..]);
        Proxy::try_start(&text).err().map_or_else(String::new, |error| error.to_string())
    };
    let none = refused("");
    assert!(none.contains("call upstreams that it is granted, which it is not granted"), "{none}");
    assert!(none.contains("grants = { http = [\"https://HOST\", \"upstream://NAME\"] }"), "{none}");
    let unknown = refused("grants = { http = [\"upstream://user\"] }");
    assert!(unknown.contains("did you mean \"users\"?"), "{unknown}");
}
