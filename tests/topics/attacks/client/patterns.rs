//! Regular expressions of routes: whatever is sent takes a step for each byte, and of those there is a
//! number for each request.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use weir_tests::{Origin, Proxy, RawClient, Setup, get, request, until};

/// Nearly as long as a head may be.
const LONG: usize = 60_000;

/// One route more for each of these, for the same upstream.
fn with_routes(origin: &Origin, matches: impl Iterator<Item = String>) -> String {
    let route = |(at, matches)| format!("[routes.r{at}]\nupstream = \"origin\"\n{matches}\n");
    let routes: String = matches.enumerate().map(route).collect();
    format!("{}\n{routes}", Setup::to(origin).toml())
}

/// They would have held their worker for everybody: tenths of a second for one path.
#[test]
fn what_takes_long_for_each_byte_is_refused_with_the_configuration() {
    let origin = Origin::echo();
    for expression in ["/.*a.{40}", r"(?:\w{0,60}\d{0,60}){1,20}x"] {
        for key in ["path", "headers.x-a", "query.a"] {
            let matches = format!("match.{key} = {{ regex = '{expression}' }}");
            let toml = with_routes(&origin, [matches].into_iter());
            let refused = Proxy::try_start(&toml).err().expect(&toml).to_string();
            let place = format!("routes.r0.match.{key}.regex: ");
            assert!(refused.contains(&place), "{refused}");
            assert!(
                refused.contains("too large") && refused.contains("[a-z]* instead"),
                "{refused}"
            );
        }
    }
}

#[test]
fn an_expression_reads_what_is_as_long_as_a_head() {
    let origin = Origin::echo();
    let toml = with_routes(
        &origin,
        ["match.path = { regex = '/.*z' }", "match.headers.x-a = { regex = '.*z' }"]
            .map(|matches| format!("{matches}\nplugins = [\"mark\"]"))
            .into_iter(),
    );
    let mark =
        "[plugins.mark]\ncomponent = \"headers\"\nconfig.response.set = { x-mark = \"1\" }\n";
    let proxy = Proxy::start(&format!("{toml}{mark}"));
    let long = "a".repeat(LONG);
    for end in ["y", "z"] {
        let marked = (end == "z").then_some("1");
        let answer = get(proxy.address("web"), &format!("/{long}{end}"));
        assert_eq!((answer.status, answer.header("x-mark")), (200, marked));
        let fields = [("x-a", &*format!("{long}{end}"))];
        let answer = request(proxy.address("web"), "GET", "/", &fields, b"");
        assert_eq!((answer.status, answer.header("x-mark")), (200, marked));
    }
}

/// A hundred expressions, and parameters, each of which reads all of it.
#[test]
fn who_sends_long_paths_to_many_expressions_holds_nobody_up() {
    let origin = Origin::saying("one");
    let paths = (0..100).map(|at| format!("match.path = {{ regex = '/.*a.{{0,3}}x{at}' }}"));
    let fields = (0..100).map(|at| format!("match.headers.x-a = {{ regex = '.*a{at}' }}"));
    let parameters = (0..100).map(|at| format!("match.query.p{at} = {{ present = true }}"));
    let toml = with_routes(&origin, paths.chain(fields).chain(parameters));
    let proxy = Proxy::start(&toml);
    let address = proxy.address("web");
    let long = "a".repeat(LONG);
    let ask = |path: &str, field: &str| {
        let mut client = RawClient::connect(address);
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\nx-a: {field}\r\n\r\n").as_bytes());
        client.try_answer("GET").map(|answer| answer.status)
    };
    let (path, query) = (format!("/{long}"), format!("/?{long}"));
    assert_eq!(ask(&path, ""), Some(414));
    assert_eq!(ask(&query, ""), Some(414));
    assert_eq!(ask("/", &long), Some(431));
    assert_eq!(ask("/aax99?p99", "a99"), Some(200));
    let (enough, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    let answers: Vec<Option<u16>> = std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !enough.load(Relaxed) && ask(&path, "") == Some(414) {
                    refused.fetch_add(1, Relaxed);
                }
            });
        }
        until("long paths come", || refused.load(Relaxed) > 8);
        let answers = (0..50).map(|_| ask("/", "a")).collect();
        enough.store(true, Relaxed);
        answers
    });
    assert!(answers.iter().all(|status| *status == Some(200)), "{answers:?}");
}
