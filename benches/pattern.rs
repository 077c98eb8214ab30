//! What the worst accepted regular expressions cost a hook call of the built-in `rewrite`.
//!
//! Of each shape the largest pattern that the plugin takes is searched for in a path of
//! [`MAX_SUBJECT`] bytes that makes it work hardest; the CPU time of the whole hook is printed, the
//! least of several. The bound of `sdk/rust/src/config/pattern.rs` is set by this table: the worst
//! has to be below a third of the deadline that the plugin has by default.

use std::env;
use std::iter::repeat_n;
use std::rc::Rc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use weir::chain::{Middleware, Step};
use weir::config::{ComponentSource, Grants, Isolation, OnFailure, Plugin, PluginLimits};
use weir::wasm::{BUILT_INS, Host};
use weir_benches::{exchange, host_of};

/// The longest subject that `weir-sdk` takes.
const MAX_SUBJECT: usize = 2048;

/// A family of patterns, by a number that makes them larger.
type Shape = (&'static str, fn(usize) -> String);

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
    println!("{:>7}  {:>5}  shape", "CPU", "N");
    let mut worst = Duration::ZERO;
    for (name, shape) in shapes {
        let (n, member) = largest(&host, *shape);
        let took = (0..calls).map(|_| time(&runtime, &*member)).min().unwrap_or_default();
        worst = worst.max(took);
        println!("{:>4.1} ms  {n:>5}  {name}", took.as_secs_f64() * 1e3);
    }
    let deadline = PluginLimits::of(&component()).deadline;
    println!("the worst: {worst:.1?}, {:.2} of {deadline:?}", worst.div_duration_f64(deadline));
    assert!(is_smoke || worst * 3 <= deadline, "more than a third of the deadline");
}

/// The largest pattern of the shape that is accepted, and a plugin with it.
fn largest(host: &Host, shape: fn(usize) -> String) -> (usize, Rc<dyn Middleware>) {
    let mut found = (1_usize, member(host, &shape(1)).expect("the smallest pattern is accepted"));
    let mut refused = 4096_usize;
    while refused - found.0 > 1 {
        let middle = found.0.midpoint(refused);
        match member(host, &shape(middle)) {
            Some(member) => found = (middle, member),
            None => refused = middle,
        }
    }
    found
}

/// The plugin with this pattern; `None` where it refuses it.
fn member(host: &Host, pattern: &str) -> Option<Rc<dyn Middleware>> {
    let pattern = pattern.replace('\\', "\\\\");
    let plugin = Plugin {
        name: "rewrite".into(),
        component: component(),
        config: format!(r#"{{"regex":{{"pattern":"{pattern}","replace":"/"}}}}"#).into(),
        grants: Grants::default(),
        limits: PluginLimits { deadline: Duration::from_secs(10), ..PluginLimits::default() },
        on_failure: OnFailure::Reject,
        isolation: Isolation::Worker,
        place: "bench".into(),
    };
    let loaded = host.load(&plugin).ok()?;
    let instance = loaded.prepare().expect("an instance");
    Some(loaded.member(Some(instance)))
}

fn component() -> ComponentSource {
    ComponentSource::BuiltIn("rewrite".into())
}

/// CPU time of one hook call over the longest path.
fn time(runtime: &Runtime, member: &dyn Middleware) -> Duration {
    let mut exchange = exchange();
    let path = format!("/{}", "a".repeat(MAX_SUBJECT - 1));
    exchange.request.uri = path.parse().expect("a path");
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
