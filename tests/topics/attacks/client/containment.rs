//! What a plugin's trouble costs: the exchange that provoked it, and nobody beside it.

use std::io::Read as _;
use std::time::Duration;

use weir_tests::{
    Answer, Daemon, Origin, Proxy, RawClient, as_text, free_address, get, guest, processor_time,
    request, until, wait_for_port,
};

use super::super::system::BINARY;
use super::Neighbours;

/// A route whose plugin goes wrong where it is asked to, with more `keys` in its table.
pub(super) fn config(origin: &Origin, component: &str, keys: &str) -> String {
    one_worker(origin, "faulty", &format!("component = \"{}\"\n{keys}", guest(component).display()))
}

/// One worker, so that everybody meets: a plugin of this `name` with this table, and another.
fn one_worker(origin: &Origin, name: &str, table: &str) -> String {
    Neighbours { server: "workers = 1", name, table, ..Neighbours::default() }.toml(origin)
}

pub(super) fn ask(proxy: &Proxy, fault: &str) -> Answer {
    request(proxy.address("web"), "GET", "/faulty", &[("x-fault", fault)], b"")
}

/// The same, as another client.
pub(super) fn ask_as(proxy: &Proxy, client: &str, fault: &str) -> Answer {
    let fields = [("x-forwarded-for", client), ("x-fault", fault)];
    request(proxy.address("web"), "GET", "/faulty", &fields, b"")
}

#[track_caller]
pub(super) fn assert_others_are_served(proxy: &Proxy) {
    let answer = get(proxy.address("web"), "/other");
    assert_eq!((answer.status, answer.header("x-other")), (200, Some("fine")));
}

/// Six in a row once paused the plugin for everybody: 100 ms, doubling to 5 s.
#[test]
fn a_trap_that_input_provoked_pauses_nobody() {
    for component in ["faulty", "faulty-reading"] {
        let origin = Origin::echo();
        let proxy = Proxy::start(&config(&origin, component, ""));
        for (fault, times) in [("trap", 100), ("loop", 10), ("allocate", 10), ("error", 100)] {
            for _ in 0..times {
                assert_eq!(ask(&proxy, fault).status, 500, "{fault}");
            }
            assert_eq!(ask(&proxy, "").status, 200, "the plugin is paused after {fault}");
        }
        let unavailable =
            r#"weir_plugin_failures_total{plugin="faulty",hook="request",reason="unavailable"}"#;
        assert_eq!(proxy.metric(unavailable), 0.0);
    }
}

/// Asks the other route until the answer comes that `client` waits for. Gives how often it was
/// answered before that.
fn served_meanwhile(proxy: &Proxy, client: RawClient) -> (Answer, usize) {
    let waiting = std::thread::spawn(move || {
        let mut client = client;
        client.answer()
    });
    let mut served = 0;
    while !waiting.is_finished() {
        assert_others_are_served(proxy);
        served += usize::from(!waiting.is_finished());
    }
    (waiting.join().expect("an answer"), served)
}

#[test]
fn a_busy_guest_does_not_hold_its_worker() {
    for component in ["faulty", "faulty-reading"] {
        for fault in ["loop", "response-loop", "request-body-loop"] {
            let origin = Origin::echo();
            let keys = r#"limits = { deadline = "1s" }"#;
            let proxy = Proxy::start(&config(&origin, component, keys));
            let mut client = RawClient::connect(proxy.address("web"));
            let head = "POST /faulty HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n";
            client.send(format!("{head}x-fault: {fault}\r\n\r\nbody").as_bytes());
            let (answer, served) = served_meanwhile(&proxy, client);
            assert_eq!(answer.status, 500, "{component} {fault}");
            // A second of the guest's: some hundred answers on a quiet machine, and one where the
            // guest holds the worker.
            assert!(served > 3, "{component} {fault}: {served} answers meanwhile");
        }
    }
}

/// Of 16 instances 12 may take long, and one client may have 9 of them.
#[test]
fn long_calls_have_a_bound_and_what_is_over_it_is_told_so() {
    let origin = Origin::echo();
    let keys = r#"limits = { deadline = "500ms", instances = 16 }"#;
    let proxy = Proxy::start(&config(&origin, "faulty", keys));
    let (answers, other) = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..12).map(|_| scope.spawn(|| ask(&proxy, "loop"))).collect();
        let busy = r#"weir_plugin_failures_total{plugin="faulty",hook="request",reason="busy"}"#;
        until("three are refused", || proxy.metric(busy) >= 3.0);
        let other = ask_as(&proxy, "192.0.2.9", "loop");
        let wait = |asking: std::thread::ScopedJoinHandle<'_, Answer>| asking.join().expect("one");
        (asking.into_iter().map(wait).collect::<Vec<Answer>>(), other)
    });
    let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(500), with(503)), (9, 3), "{answers:?}");
    assert_eq!(other.status, 500, "another client's call takes its time too");
    let busy = answers.iter().find(|answer| answer.status == 503).expect("one");
    assert_eq!(busy.header("retry-after"), Some("1"));
    assert_eq!(ask(&proxy, "").status, 200, "the instances are there again");
}

/// A plugin whose request's field `x-calls` is as long as its instance was called often, and whose
/// instances take a tenth of a second or so to be configured.
fn counting() -> Vec<u8> {
    let field = "|".repeat(64);
    as_text::configured(
        "import weir:plugin/request@0.2.0;\n import weir:plugin/request-changes@0.2.0;\n export weir:plugin/request-hook@0.2.0;",
        &format!(
            r#"
    (import "weir:plugin/request-changes@0.2.0" "set-field" (func $set (param i32 i32 i32 i32 i32)))
    (global $calls (mut i32) (i32.const 0))
    (data (i32.const 512) "x-calls")
    (data (i32.const 1024) "{field}")
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (call $set (i32.const 512) (i32.const 7) (i32.const 1024) (global.get $calls) (i32.const 600))
        (i32.const 256))"#
        ),
        "(local $left i32) (local.set $left (i32.const 200000000))
         (loop $on (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
         (i32.const 128)",
    )
}

/// What an instance keeps in its memory tells that it is the same, and the process's own time that no
/// other was made beside it.
#[test]
fn a_plugin_that_stays_keeps_its_instances_over_a_reload() {
    const RELOADS: u32 = 20;
    let origin = Origin::echo();
    let folder = tempfile::tempdir().expect("a folder");
    let component = folder.path().join("counting.wasm");
    std::fs::write(&component, counting()).expect("written");
    let (web, admin) = (free_address(), free_address());
    let (bind, table) = (web.to_string(), format!("component = {component:?}"));
    let server = format!("workers = 4\nadmin = \"{admin}\"");
    let (server, bind) = (server.as_str(), Some(bind.as_str()));
    let neighbours = Neighbours { server, bind, name: "counting", table: &table, mark: "" };
    let toml = neighbours.toml(&origin);
    let daemon = Daemon::start(BINARY, &["run"], &[("weir.toml", &toml)]);
    wait_for_port(admin);
    wait_for_port(web);
    let instances = |plugin: &str| {
        let series = format!("weir_plugin_instances{{plugin=\"{plugin}\"}} ");
        let text = get(admin, "/metrics").text();
        text.lines().find_map(|line| line.strip_prefix(&series)?.parse::<f64>().ok())
    };
    // All that comes on one connection is one worker's.
    let mut client = RawClient::connect(web);
    let mut ask = |path: &str| {
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
        client.answer()
    };
    let calls = |answer: Answer| {
        let text = answer.text();
        text.lines().find_map(|line| line.strip_prefix("x-calls: ")).map(str::len)
    };
    let reload = |toml: &str| {
        daemon.replace("weir.toml", toml);
        let before = processor_time(daemon.id());
        assert_eq!(request(admin, "POST", "/reload", &[], b"").status, 200);
        processor_time(daemon.id()) - before
    };
    assert_eq!(calls(ask("/counting")), Some(1));
    assert_eq!(instances("counting"), Some(4.0));
    let mut spent = Duration::ZERO;
    for round in 1..=RELOADS {
        let mark = format!("fine{round}");
        spent += reload(&toml.replace("fine", &mark));
        assert_eq!(ask("/other").header("x-other"), Some(mark.as_str()));
        assert_eq!(calls(ask("/counting")), Some(1 + round as usize));
    }
    assert_eq!(instances("counting"), Some(4.0));
    until("what was replaced is gone", || instances("mark").is_some_and(|count| count <= 4.0));
    let all = reload(&toml.replace(&table, &format!("{table}\nlimits = {{ wait = \"4s\" }}")));
    assert_eq!(calls(ask("/counting")), Some(1), "a plugin that changes begins anew");
    println!(
        "{spent:?} for {RELOADS} reloads that leave it as it is, {all:?} for one that does not"
    );
    assert!(spent * 2 < all * RELOADS, "{spent:?} for {RELOADS} reloads, {all:?} for one of all");
}

/// It once started, and no reload succeeded.
#[test]
fn what_starts_can_be_reloaded_and_what_could_not_is_refused_at_the_start() {
    let many = |workers: usize, version: usize| {
        let plugins: String = (0..40)
            .map(|at| {
                format!(
                    "[plugins.p{at}]\ncomponent = \"headers\"\nconfig = {{ response = {{ set = {{ x-p{at} = \"{version}\" }} }} }}\n"
                )
            })
            .collect();
        format!(
            "[server]\nworkers = {workers}\n[listeners.web]\nbind = \"127.0.0.1:0\"\n{plugins}[plugins.page]\ncomponent = \"mock\"\nconfig = {{ body = \"x\" }}\n[routes.all]\nplugins = [\"p0\", \"p39\", \"page\"]\n"
        )
    };
    let proxy = Proxy::start(&many(24, 0));
    for version in 1..4 {
        proxy.reload(&many(24, version)).expect("it can be replaced as a whole");
        let answer = get(proxy.address("web"), "/");
        assert_eq!(answer.header("x-p39"), Some(version.to_string().as_str()));
    }
    drop(proxy);
    let refused = Proxy::try_start(&many(512, 0)).err().expect("too many").to_string();
    assert!(refused.contains("41 plugins on 512 workers take 41984 instances"), "{refused}");
    assert!(refused.contains("workers would fit"), "{refused}");
    // And where nobody is started yet.
    for (workers, code) in [(24, 0), (512, 2)] {
        let toml = many(workers, 0);
        let mut checking = Daemon::start(BINARY, &["check"], &[("weir.toml", &toml)]);
        let ended = checking.wait(Duration::from_secs(60)).expect("it ends");
        let mut text = String::new();
        checking.errors().read_to_string(&mut text).expect("text");
        assert_eq!(ended.code(), Some(code), "{text}");
        let told = "error: server.workers: 41 plugins on 512 workers take 41984 instances";
        assert_eq!(text.contains(told) && text.contains(" weir.toml:2:11"), code == 2, "{text}");
    }
}

/// `open sesame`, as `htpasswd -nBC 12` and `argon2 -id` with the usual parameters make it.
const HASHES: [(&str, &str); 3] = [
    ("bcrypt", "$2b$12$4/eyuUiQh9rnZwSXxQtMNO7NuhQOi9vt5KjafvRpXBVr5nY6NmgF6"),
    (
        "argon",
        "$argon2id$v=19$m=19456,t=2,p=1$sjXjE3BHCET6K5GHHW/T+A$TlbIgxWGvjh279cJ2kaCxIe+wdQK7sk8GG1G1IfwwBU",
    ),
    (
        "large",
        "$argon2id$v=19$m=65536,t=3,p=4$BDotF6g1xBNG3ZbQBNXFow$t3iS+ZW3H8eTrPWlTzy2tjxYycgNWlT//qwGsw5KUNI",
    ),
];

/// Answers that others got while one password was verified, at least: where it held its worker for
/// many slices in a row, three came.
const MEANWHILE: usize = 10;

/// Real passwords need no line of `limits`, and others are served while one is verified.
#[test]
fn passwords_are_verified_aside_by_default_and_then_remembered() {
    let origin = Origin::echo();
    let users: String = HASHES.iter().map(|(name, hash)| format!("{name} = '{hash}'\n")).collect();
    let table = format!("component = \"basic-auth\"\n[plugins.staff.config.users]\n{users}");
    let proxy = Proxy::start(&one_worker(&origin, "staff", &table));
    let verify = |credentials: &str| {
        let head = format!(
            "GET /staff HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic {credentials}\r\n\r\n"
        );
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(head.as_bytes());
        let (answer, served) = served_meanwhile(&proxy, client);
        (answer.status, served)
    };
    // Each name with `open sesame`, and with another word.
    let credentials = [
        ("YmNyeXB0Om9wZW4gc2VzYW1l", "YmNyeXB0Om9wZW4gc2VzYW1m"),
        ("YXJnb246b3BlbiBzZXNhbWU=", "YXJnb246b3BlbiBzZXNhbWY="),
        ("bGFyZ2U6b3BlbiBzZXNhbWU=", "bGFyZ2U6b3BlbiBzZXNhbWY="),
    ];
    for (right, wrong) in credentials {
        let (status, mut most) = verify(right);
        assert_eq!(status, 200, "{right}");
        // Once is enough: a machine may have no time for who asks.
        for _ in 0..10 {
            if most >= MEANWHILE {
                break;
            }
            let (status, served) = verify(wrong);
            assert_eq!(status, 401, "{wrong}");
            most = most.max(served);
        }
        println!("{most} answers while {right} was verified");
        assert!(most >= MEANWHILE, "{right}: {most} answers meanwhile");
    }
    // What is remembered needs no slice of its own: it is let in while others are verified.
    let (right, wrong) = credentials[0];
    let mut guessing: Vec<RawClient> = (0..12)
        .map(|_| {
            let mut client = RawClient::connect(proxy.address("web"));
            let head = format!(
                "GET /staff HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic {wrong}\r\n\r\n"
            );
            client.send(head.as_bytes());
            client
        })
        .collect();
    let fields = [("authorization", &*format!("Basic {right}"))];
    for _ in 0..20 {
        let answer = request(proxy.address("web"), "GET", "/staff", &fields, b"");
        assert_eq!(answer.status, 200);
    }
    let statuses: Vec<u16> = guessing.iter_mut().map(|client| client.answer().status).collect();
    let with = |status: u16| statuses.iter().filter(|known| **known == status).count();
    assert!(with(401) >= 9 && with(401) + with(503) == 12, "{statuses:?}");
}

/// A guest never gives memory back: each of these once kept its 20 MiB until the next reload.
#[test]
fn memory_that_a_busy_moment_took_is_given_up() {
    const GUESSES: usize = 8;
    let origin = Origin::echo();
    let (name, hash) = HASHES[1];
    let table = format!("component = \"basic-auth\"\nconfig.users.{name} = '{hash}'");
    let proxy = Proxy::start(&one_worker(&origin, "staff", &table));
    let instances = || proxy.metric(r#"weir_plugin_instances{plugin="staff"}"#);
    let mut guessing: Vec<RawClient> = (0..6)
        .map(|_| {
            let mut client = RawClient::connect(proxy.address("web"));
            let guess = "GET /staff HTTP/1.1\r\nhost: localhost\r\n\
                         authorization: Basic YXJnb246b3BlbiBzZXNhbWY=\r\n\r\n";
            // Many, so that they last until they have been seen.
            client.send(guess.repeat(GUESSES).as_bytes());
            client
        })
        .collect();
    until("they are verified beside each other", || instances() >= 6.0);
    for client in &mut guessing {
        (0..GUESSES).for_each(|_| assert_eq!(client.answer().status, 401));
    }
    until("two would have more than 32 MiB", || instances() <= 2.0);
}
