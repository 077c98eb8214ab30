//! What the worst accepted regular expressions cost a hook call of the built-in `rewrite` and `cors`.
//!
//! Of each shape the largest pattern that the plugin takes is searched for in the longest path, or held
//! against the longest origin, that makes it work hardest; the CPU time of the whole hook is printed, the
//! least of several. The bound of `sdk/rust/src/config/pattern.rs` is set by this table: the worst
//! has to be below a third of the deadline that the plugin has by default.

use std::env;
use std::iter::repeat_n;
use std::rc::Rc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Method};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use weir_benches::{exchange, host_of};
use weir_bundle::BUILT_INS;
use weir_core::chain::{Middleware, Step};
use weir_core::config::{ComponentSource, Grants, Isolation, OnFailure, Plugin, PluginLimits};
use weir_core::outbound;
use weir_wasm::Host;

/// A family of patterns, by a number that makes them larger.
type Shape = (&'static str, fn(usize) -> String);

/// A plugin that takes patterns.
struct Searcher {
    plugin: &'static str,
    config: fn(&str) -> String,
    /// Makes a request that has its patterns work.
    ask: fn(&mut Parts),
    /// Shapes of its own: patterns in lines.
    lists: &'static [Shape],
}

const SEARCHERS: [Searcher; 2] = [
    Searcher {
        plugin: "rewrite",
        config: |pattern| format!(r#"{{"regex":{{"pattern":"{pattern}","replace":"/"}}}}"#),
        ask: |request| {
            // The longest that `weir-sdk` takes.
            request.uri = format!("/{}", "a".repeat(2047)).parse().expect("a path");
        },
        lists: &[],
    },
    Searcher {
        plugin: "cors",
        config: |patterns| {
            let all: Vec<String> =
                patterns.lines().map(|one| format!(r#"{{"regex":"{one}"}}"#)).collect();
            format!(r#"{{"allow_origins":[{}]}}"#, all.join(","))
        },
        // A preflight, with the longest origin that is looked at.
        ask: |request| {
            request.method = Method::OPTIONS;
            let origin = HeaderValue::try_from("a".repeat(512)).expect("a value");
            request.headers.insert("origin", origin);
            let method = HeaderValue::from_static("PUT");
            request.headers.insert("access-control-request-method", method);
        },
        lists: &[
            ("N times (?:a|a|…)*b, of 20", |n| {
                lines(&format!("(?:{})*b", alternatives("a", 20)), n)
            }),
            ("N times (?:a?){20}b", |n| lines("(?:a?){20}b", n)),
            // What is anchored is alive only behind what can be anything.
            (".*a{N}b", |n| format!(".*a{{{n}}}b")),
            (".*(?:a{N}|a{N}|a{N})+b", |n| format!(".*(?:a{{{n}}}|a{{{n}}}|a{{{n}}})+b")),
            ("N times a*b", |n| lines("a*b", n)),
        ],
    },
];

/// What costs most for a byte of the program: letters beside each other, each with its own thread;
/// then what can be empty, is repeated within bounds, has large classes, groups, look-around, cases.
const SHAPES: &[Shape] = &[
    ("(?:a|a|…){N}b, of 40", |n| format!("(?:{}){{{n}}}b", alternatives("a", 40))),
    ("(?:a|a|… N)*b", |n| format!("(?:{})*b", alternatives("a", n))),
    ("(?:aa|aa|… N)+b", |n| format!("(?:{})+b", alternatives("aa", n))),
    ("(?:a*|a*|… N)b", |n| format!("(?:{})b", alternatives("a*", n))),
    ("(?:a?|a?|… N)b", |n| format!("(?:{})b", alternatives("a?", n))),
    ("(?:[ab]|[ab]|… N)+c", |n| format!("(?:{})+c", alternatives("[ab]", n))),
    ("(?:||… N|a)*b", |n| format!("(?:{}|a)*b", alternatives("", n))),
    ("(?:a{N}|a{N}|a{N})+b", |n| format!("(?:a{{{n}}}|a{{{n}}}|a{{{n}}})+b")),
    ("a{N}b", |n| format!("a{{{n}}}b")),
    ("a{0,N}b", |n| format!("a{{0,{n}}}b")),
    ("[ab]{N}c", |n| format!("[ab]{{{n}}}c")),
    (".{0,N}\\n", |n| format!(".{{0,{n}}}\\n")),
    ("(?:a*){N}b", |n| format!("(?:a*){{{n}}}b")),
    ("(?:a?){N}b", |n| format!("(?:a?){{{n}}}b")),
    ("(?:a+|aa|a?a){N}b", |n| format!("(?:a+|aa|a?a){{{n}}}b")),
    ("(?:(?:(?:a?)?)?){N}b", |n| format!("(?:(?:(?:a?)?)?){{{n}}}b")),
    ("(?:(?:a*)*){N}b", |n| format!("(?:(?:a*)*){{{n}}}b")),
    ("(?:a{0,N}){0,4}b", |n| format!("(?:a{{0,{n}}}){{0,4}}b")),
    ("(?i)(?:a*){N}b", |n| format!("(?i)(?:a*){{{n}}}b")),
    ("(?:\\Ba){N}Q", |n| format!("(?:\\Ba){{{n}}}Q")),
    ("(?:(?:a|\\b)?){N}Q", |n| format!("(?:(?:a|\\b)?){{{n}}}Q")),
    ("(?:[…a]){N}b, 20 ranges", |n| format!("(?:[{}a]){{{n}}}b", sparse(20, 0x21))),
    ("[…a]{40}b, N ranges of U+3000", |n| format!("[{}a]{{40}}b", sparse(n, 0x3000))),
    ("(z)|(?:a|a|…){N}b, of 40", |n| grouped(1, n)),
    ("(z)(z)(z)|(?:a|a|…){N}b, of 40", |n| grouped(3, n)),
    ("(z)…|(?:a|a|…){N}b, 12 groups", |n| grouped(12, n)),
    ("(z)…|a{N}b, 3 groups", |n| format!("{}|a{{{n}}}b", "(z)".repeat(3))),
    ("(z)…|a{N}b, 12 groups", |n| format!("{}|a{{{n}}}b", "(z)".repeat(12))),
    ("(z)…|a{N}b, 24 groups", |n| format!("{}|a{{{n}}}b", "(z)".repeat(24))),
    ("(a*)… of N", |n| format!("{}b", "(a*)".repeat(n))),
    ("(?:(((a)))){N}b", |n| format!("(?:(((a)))){{{n}}}b")),
];

fn main() {
    let is_smoke = env::args().any(|argument| argument == "--test");
    let (calls, shapes) = if is_smoke { (1, &SHAPES[..1]) } else { (9, SHAPES) };
    let host = host_of(BUILT_INS);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    for searcher in SEARCHERS {
        println!("{:>7}  {:>5}  {}", "CPU", "N", searcher.plugin);
        let mut worst = Duration::ZERO;
        for (name, shape) in shapes.iter().chain(searcher.lists) {
            let (n, member) = largest(&host, &searcher, *shape);
            let took = (0..calls).map(|_| time(&runtime, &searcher, &*member)).min();
            let took = took.unwrap_or_default();
            worst = worst.max(took);
            println!("{:>4.1} ms  {n:>5}  {name}", took.as_secs_f64() * 1e3);
        }
        let deadline = PluginLimits::of(&searcher.component()).deadline;
        println!("the worst: {worst:.1?}, {:.2} of {deadline:?}", worst.div_duration_f64(deadline));
        assert!(is_smoke || worst * 3 <= deadline, "more than a third of the deadline");
    }
}

/// The largest pattern of the shape that is accepted, and a plugin with it.
fn largest(
    host: &Host,
    searcher: &Searcher,
    shape: fn(usize) -> String,
) -> (usize, Rc<dyn Middleware>) {
    let smallest = searcher.member(host, &shape(1)).expect("the smallest pattern is accepted");
    let mut found = (1_usize, smallest);
    let mut refused = 4096_usize;
    while refused - found.0 > 1 {
        let middle = found.0.midpoint(refused);
        match searcher.member(host, &shape(middle)) {
            Some(member) => found = (middle, member),
            None => refused = middle,
        }
    }
    found
}

impl Searcher {
    /// The plugin with this pattern; `None` where it refuses it.
    fn member(&self, host: &Host, pattern: &str) -> Option<Rc<dyn Middleware>> {
        let plugin = Plugin {
            name: self.plugin.into(),
            component: self.component(),
            config: (self.config)(&pattern.replace('\\', "\\\\")).into(),
            grants: Grants::default(),
            limits: PluginLimits { deadline: Duration::from_secs(10), ..PluginLimits::default() },
            on_failure: OnFailure::Reject,
            isolation: Isolation::Worker,
            place: "bench".into(),
        };
        let loaded = host.load(&plugin).ok()?;
        let instance = loaded.prepare().expect("an instance");
        Some(loaded.member(Some(instance), &outbound::nobody()))
    }

    fn component(&self) -> ComponentSource {
        ComponentSource::BuiltIn(self.plugin.into())
    }
}

/// CPU time of one hook call.
fn time(runtime: &Runtime, searcher: &Searcher, member: &dyn Middleware) -> Duration {
    let mut exchange = exchange();
    (searcher.ask)(&mut exchange.request);
    let before = cpu();
    let (_, outcome) = LocalSet::new().block_on(runtime, async {
        match member.on_request(exchange) {
            Step::Ready(exchange, outcome) => (exchange, outcome),
            Step::Pending(rest) => rest.await,
        }
    });
    let took = cpu().saturating_sub(before);
    outcome.expect("the hook succeeds");
    took
}

/// What this thread has used.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

fn alternatives(one: &str, count: usize) -> String {
    repeat_n(one, count).collect::<Vec<_>>().join("|")
}

fn lines(pattern: &str, count: usize) -> String {
    repeat_n(pattern, count).collect::<Vec<_>>().join("\n")
}

/// Letters with one between each two.
fn sparse(count: usize, first: u32) -> String {
    (first..)
        .step_by(2)
        .filter_map(char::from_u32)
        .filter(|c| !"]\\^-[".contains(*c))
        .take(count)
        .collect()
}

fn grouped(groups: usize, n: usize) -> String {
    format!("{}|(?:{}){{{n}}}b", "(z)".repeat(groups), alternatives("a", 40))
}
