use std::cell::Cell;
use std::time::Duration;

use crate::limiter::{self, Bucket};
use crate::{
    Plugin, Refusal, Request, Response, Result, Transform, Verdict, clock, log, metrics, random,
    store, testing,
};

/// Tries what the proxy refuses, and what it keeps.
struct Tries;

impl Plugin for Tries {
    type Config = crate::NoConfig;

    fn configure(_: crate::NoConfig) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let reason = |result: Result<(), crate::HeaderError>| result.unwrap_err().reason;
        for (name, value) in [("", "a"), ("a b", "a"), ("a", "b\r\nc: d"), ("a", "\0")] {
            assert_eq!(reason(request.set_header(name, value)), Refusal::InvalidSyntax);
            assert_eq!(reason(request.append_header(name, value)), Refusal::InvalidSyntax);
        }
        for name in ["Host", "connection", "Content-Length", "transfer-encoding", "upgrade"] {
            assert_eq!(reason(request.set_header(name, "a")), Refusal::Forbidden);
            assert_eq!(reason(request.remove_header(name)), Refusal::Forbidden);
        }
        let long = "a".repeat(81 * 1024);
        assert_eq!(reason(request.set_header("a", &long)), Refusal::SizeExceeded);
        assert_eq!(reason(request.set_method("GE T")), Refusal::InvalidSyntax);
        assert_eq!(reason(request.set_method("CONNECT")), Refusal::Forbidden);
        assert_eq!(reason(request.set_authority("a/b")), Refusal::InvalidSyntax);
        assert_eq!(reason(request.set_path_with_query("a")), Refusal::InvalidSyntax);

        request.append_header("X-Many", "c")?;
        assert_eq!(request.header("x-MANY").unwrap(), "a");
        assert_eq!(request.header_values("x-many"), ["a", "b", "c"]);
        request.set_header("x-many", "d")?;
        request.set_header("x-new", b"\xff")?;
        request.remove_header("x-gone")?;
        let names: Vec<_> = request.headers().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["x-many", "x-other", "x-new"]);

        request.set_method("POST")?;
        request.set_authority("other:81")?;
        request.set_path_with_query("/b?c")?;
        request.set_attribute("seen", &clock::unix_seconds().to_string());
        let body = request.read_body(5)?;
        request.set_body([body, b"!".to_vec()].concat());
        Ok(Verdict::Forward)
    }

    fn on_response(&self, request: &Request, response: &mut Response) -> Result {
        response.set_header("x-seen", request.attribute("seen").unwrap_or_default())?;
        assert!(response.set_status(199).is_err());
        Ok(response.set_status(201)?)
    }

    fn on_response_body(&self, _: &Request, _: &Response) -> Option<Box<dyn Transform>> {
        struct Upper(usize);
        impl Transform for Upper {
            fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>> {
                self.0 += chunk.len();
                Ok(chunk.to_ascii_uppercase())
            }

            fn finish(&mut self) -> Result<Vec<u8>> {
                Ok(format!(" ({} bytes)", self.0).into_bytes())
            }
        }
        Some(Box::new(Upper(0)))
    }
}

#[test]
fn a_whole_exchange_sees_what_the_proxy_would_do() {
    let mut proxy = testing::Plugin::<Tries>::configure(serde_json::json!({})).unwrap();
    let request = testing::request("GET", "/a")
        .header("x-many", "a")
        .header("x-other", "o")
        .header("X-Many", "b")
        .header("x-gone", "g")
        .body("12345");
    let exchange = proxy.exchange(request, testing::response(200).body("hello world"));
    let sent = exchange.forwarded();
    assert_eq!((sent.method(), sent.authority()), ("POST", "other:81"));
    assert_eq!(sent.path_with_query(), "/b?c");
    assert_eq!(sent.header_values("x-many"), ["d"]);
    assert_eq!(sent.header_values("x-new")[0], b"\xff"[..]);
    assert_eq!(sent.header("x-gone"), None);
    assert_eq!(sent.body(), b"12345!");
    let answer = exchange.response();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.header("x-seen"), Some("1767225600"));
    assert_eq!(answer.body(), b"HELLO WORLD (11 bytes)");
}

#[test]
fn a_body_beyond_the_limit_is_the_hooks_error() {
    let mut proxy = testing::Plugin::<Tries>::configure(serde_json::json!({})).unwrap();
    let request = testing::request("GET", "/a")
        .header("x-many", "a")
        .header("x-other", "o")
        .header("x-many", "b")
        .body("123456");
    let error = proxy.request(request).error().to_string();
    assert_eq!(error, "the body is longer than allowed");
}

/// Asks the services, and answers with what they said.
struct Services {
    calls: Cell<u32>,
}

impl Plugin for Services {
    type Config = crate::NoConfig;

    fn configure(_: crate::NoConfig) -> Result<Self> {
        Ok(Self { calls: Cell::new(0) })
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        self.calls.set(self.calls.get() + 1);
        let bucket = Bucket { rate: 2.0, burst: 3 };
        let verdict = limiter::take("k", bucket, 2);
        request.set_header("x-allowed", verdict.allowed.to_string())?;
        request.set_header("x-wait", verdict.wait_millis.to_string())?;
        request.set_header("x-entered", limiter::enter("k", 2).to_string())?;
        store::set("s", "v", Some(Duration::from_secs(5)))?;
        request.set_header("x-random", format!("{:x}", random::u64()))?;
        metrics::count("tries_total", &[("b", "2"), ("a", "1")], 1);
        log::warn!(call = self.calls.get(); "called");
        Ok(Verdict::Forward)
    }
}

#[test]
fn the_services_follow_the_turned_clock() {
    let mut proxy = testing::Plugin::<Services>::configure(serde_json::json!({})).unwrap();
    let mut open = Vec::new();
    let mut said = Vec::new();
    for millis in [0, 0, 499, 1, 0] {
        proxy.advance(Duration::from_millis(millis));
        let exchange = proxy.request(testing::request("GET", "/"));
        let sent = exchange.forwarded();
        let value = |name| sent.header(name).unwrap().to_owned();
        said.push((value("x-allowed"), value("x-wait"), value("x-entered")));
        drop(sent);
        open.push(exchange);
    }
    let line = |allowed: &str, wait: &str, entered: &str| {
        (allowed.to_owned(), wait.to_owned(), entered.to_owned())
    };
    assert_eq!(said[0], line("true", "1000", "true"));
    assert_eq!(said[1], line("false", "500", "true"));
    assert_eq!(said[2], line("false", "1", "false"));
    assert_eq!(said[3], line("true", "1500", "false"));
    proxy.finish(&mut open[0]);
    let after = proxy.request(testing::request("GET", "/"));
    assert_eq!(after.forwarded().header("x-entered"), Some("true"));

    assert_eq!(proxy.stored("s").as_deref(), Some(b"v".as_slice()));
    proxy.advance(Duration::from_secs(5));
    assert_eq!(proxy.stored("s"), None);
    assert_eq!(proxy.metric("tries_total", &[("a", "1"), ("b", "2")]), 6.0);
    let last = proxy.logs().pop().unwrap();
    assert_eq!((last.level, last.message.as_str()), (log::Level::Warn, "called"));
    assert_eq!(last.fields, [("call".to_owned(), "6".to_owned())]);
}

#[test]
fn randomness_repeats_with_its_seed() {
    let draw = |seed| {
        let mut proxy = testing::Plugin::<Services>::configure(serde_json::json!({})).unwrap();
        proxy.seed(seed);
        let exchange = proxy.request(testing::request("GET", "/"));
        exchange.forwarded().header("x-random").unwrap().to_owned()
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}

#[test]
#[should_panic(expected = "trap: `limiter::enter` was called outside of a request hook")]
fn entering_elsewhere_is_a_trap() {
    let mut proxy = testing::Plugin::<Services>::configure(serde_json::json!({})).unwrap();
    proxy.host(|| limiter::enter("k", 1));
}

/// Takes a number, and counts under the proxy's own names and its own.
struct Counts;

#[crate::config]
struct Bounded {
    #[schema(min = 1, max = 10)]
    #[serde(default)]
    number: u8,
}

impl Plugin for Counts {
    type Config = Bounded;

    fn configure(config: Bounded) -> Result<Self> {
        // Takes more than its schema says.
        if config.number < 100 { Ok(Self) } else { crate::bail!("{}", config.number) }
    }

    fn on_request(&self, _: &mut Request) -> Result<Verdict> {
        metrics::count("calls_total", &[], 1);
        metrics::count("duration_seconds_sum", &[], 1);
        metrics::count("Upper", &[], 1);
        metrics::count("labelled", &[("plugin", "x")], 1);
        metrics::count("labelled", &[("a", "1"), ("a", "2")], 1);
        metrics::observe("took", &[], f64::NAN);
        metrics::observe("took", &[], 1.0);
        metrics::count("took", &[], 1);
        metrics::count("took_sum", &[], 1);
        metrics::count("fine", &[("b", "2"), ("a", "1")], 2);
        Ok(Verdict::Forward)
    }
}

#[test]
fn metrics_that_the_proxy_drops_are_dropped() {
    let mut proxy = testing::Plugin::<Counts>::configure(serde_json::json!({})).unwrap();
    proxy.request(testing::request("GET", "/"));
    let dropped = proxy.dropped_metrics();
    assert_eq!(dropped.len(), 8, "{dropped:?}");
    assert_eq!(dropped[0], "`calls_total`: the proxy has a metric of that name");
    assert_eq!(proxy.metric("calls_total", &[]), 0.0);
    assert_eq!(proxy.metric("metrics_dropped_total", &[]), 8.0);
    assert_eq!(proxy.metric("fine", &[("a", "1"), ("b", "2")]), 2.0);
    assert_eq!(proxy.observations("took", &[]), [1.0]);
}

#[test]
fn a_configuration_is_held_against_its_schema() {
    let configure = |number: u8| {
        testing::Plugin::<Counts>::configure(serde_json::json!({ "number": number })).err()
    };
    assert!(configure(10).is_none());
    for number in [0, 11] {
        let error = configure(number).expect("out of bounds").to_string();
        assert!(error.starts_with("/number: "), "{error}");
    }
    let error = testing::Plugin::<Counts>::configure(serde_json::json!({ "nubmer": 1 })).err();
    assert!(error.is_some_and(|error| error.to_string().contains("nubmer")));
}

#[test]
fn what_is_too_long_ends_the_plugin_as_a_trap_does() {
    let mut proxy = testing::Plugin::<Counts>::configure(serde_json::json!({})).unwrap();
    let long = "k".repeat(1025);
    let ended = |proxy: &mut testing::Plugin<Counts>, call: &dyn Fn()| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| proxy.host(call))).is_err()
    };
    let bucket = Bucket { rate: 1.0, burst: 1 };
    assert!(ended(&mut proxy, &|| assert!(limiter::take(&long, bucket, 1).allowed)));
    assert!(!ended(&mut proxy, &|| assert!(limiter::take(&long[1..], bucket, 1).allowed)));
    assert!(ended(&mut proxy, &|| drop(random::bytes((64 << 10) + 1))));
    proxy.host(|| {
        for line in 0..300 {
            log::info!("{line}");
        }
        log::log(log::Level::Info, &"a".repeat(70_000), &[("b", "c")]);
    });
    assert_eq!(proxy.logs().len(), 256);
    proxy.host(|| log::log(log::Level::Info, &"a".repeat(70_000), &[("b", "c")]));
    let last = proxy.logs().pop().unwrap();
    assert_eq!((last.message.len(), &*last.fields[0].1), (64 << 10, ""));
}

/// Does what its request says, as no proxy lets it.
struct Illegal;

impl Plugin for Illegal {
    type Config = crate::NoConfig;

    fn configure(_: crate::NoConfig) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        match request.header_str("x-does").as_deref() {
            Some("grammar") => {
                for authority in [":80", "a:b:c", "[::1", "a\"b", "%41", "a<b", "u@a", ""] {
                    assert!(request.set_authority(authority).is_err(), "{authority}");
                }
                for target in ["/a<b", "/a`b", "/a\"b", "/a\\b", "/%", "*", "/a#b", "a"] {
                    assert!(request.set_path_with_query(target).is_err(), "{target}");
                }
                request.set_authority("[::1]:80")?;
                request.set_path_with_query("/a?b=`")?;
            }
            Some("star") => {
                request.set_method("OPTIONS")?;
                request.set_path_with_query("*")?;
                request.set_method("GET")?;
            }
            Some("rate") => drop(limiter::take("k", Bucket { rate: f64::INFINITY, burst: 1 }, 1)),
            Some("body") => request.set_body(vec![0; 13 << 20]),
            Some("store") => {
                for key in 0..20 {
                    store::set(&key.to_string(), vec![0; 1 << 20], None)?;
                }
                assert!(store::get("19")?.is_some() && store::get("0")?.is_none());
                limiter::take("k", Bucket { rate: 1.0, burst: 1 }, 1);
            }
            _ => {}
        }
        Ok(Verdict::Forward)
    }
}

#[test]
fn what_the_proxy_refuses_is_refused() {
    let tries = |does: &str| {
        let mut proxy = testing::Plugin::<Illegal>::configure(serde_json::json!({})).unwrap();
        let request = testing::request("GET", "/").header("x-does", does);
        proxy.request(request).is_forwarded()
    };
    assert!(tries("grammar"));
    assert!(!tries("star"), "GET * is an error of the plugin");
    for trap in ["rate", "body"] {
        assert!(std::panic::catch_unwind(|| tries(trap)).is_err(), "{trap} is a trap");
    }
    assert!(tries("store"), "what is oldest makes room");
}
