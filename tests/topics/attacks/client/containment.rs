//! What a plugin's trouble costs: the exchange that provoked it, and nobody beside it.

use weir_tests::{Answer, Origin, Proxy, RawClient, get, guest, request, until};

use super::Neighbours;

/// A route whose plugin goes wrong where it is asked to, with more `keys` in its table.
fn config(origin: &Origin, component: &str, keys: &str) -> String {
    one_worker(origin, "faulty", &format!("component = \"{}\"\n{keys}", guest(component).display()))
}

/// One worker, so that everybody meets: a plugin of this `name` with this table, and another.
fn one_worker(origin: &Origin, name: &str, table: &str) -> String {
    Neighbours { server: "workers = 1", name, table, ..Neighbours::default() }.toml(origin)
}

fn ask(proxy: &Proxy, fault: &str) -> Answer {
    request(proxy.address("web"), "GET", "/faulty", &[("x-fault", fault)], b"")
}

/// The same, as another client.
fn ask_as(proxy: &Proxy, client: &str, fault: &str) -> Answer {
    let fields = [("x-forwarded-for", client), ("x-fault", fault)];
    request(proxy.address("web"), "GET", "/faulty", &fields, b"")
}

#[track_caller]
fn assert_others_are_served(proxy: &Proxy) {
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

/// Asks the other route until the answer comes that `client` waits for. Gives how often that was.
fn served_meanwhile(proxy: &Proxy, client: RawClient) -> (Answer, usize) {
    let waiting = std::thread::spawn(move || {
        let mut client = client;
        client.answer()
    });
    let mut served = 0;
    while !waiting.is_finished() {
        assert_others_are_served(proxy);
        served += 1;
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

/// Connections whose request has a body that never comes, at a plugin that reads it.
fn stalled_uploads(proxy: &Proxy, count: usize) -> Vec<RawClient> {
    (0..count)
        .map(|_| {
            let mut client = RawClient::connect(proxy.address("web"));
            let head = "POST /faulty HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n";
            client.send(format!("{head}x-fault: read\r\n\r\n").as_bytes());
            client
        })
        .collect()
}

/// They once took every instance of the process: unrelated plugins answered 500, reloads failed.
#[test]
fn slow_uploads_take_no_more_than_their_plugins_instances() {
    let origin = Origin::echo();
    let keys = r#"limits = { instances = 4, wait = "100ms" }"#;
    let toml = config(&origin, "faulty-reading", keys);
    let proxy = Proxy::start(&toml);
    let mut clients = stalled_uploads(&proxy, 20);
    let instances = r#"weir_plugin_instances{plugin="faulty"}"#;
    let busy = r#"weir_plugin_failures_total{plugin="faulty",hook="request",reason="busy"}"#;
    until("17 have no instance", || proxy.metric(busy) >= 17.0);
    assert!(proxy.metric(instances) <= 4.0, "{} instances", proxy.metric(instances));
    let other = ask_as(&proxy, "192.0.2.9", "");
    assert_eq!(other.status, 200, "a quarter is kept for other clients: {other:?}");
    let refused = ask(&proxy, "");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_others_are_served(&proxy);
    let changed = toml.replace("instances = 4", "instances = 5");
    proxy.reload(&changed).expect("a reload has its own instances");
    assert_eq!(ask(&proxy, "").status, 200, "the new one has nobody waiting");
    // Whoever goes on is served still; the first four hold the instances.
    clients[0].send(b"body");
    assert_eq!(clients[0].answer().status, 200);
}

#[test]
fn a_plugin_that_stays_keeps_its_instances_over_a_reload() {
    let origin = Origin::echo();
    let toml = config(&origin, "faulty", "");
    let proxy = Proxy::start(&toml);
    assert_eq!(ask(&proxy, "").status, 200);
    let configured = || proxy.metric(r#"weir_plugin_instances{plugin="faulty"}"#);
    let before = configured();
    for value in 0..20 {
        let changed = toml.replace("fine", &format!("fine{value}"));
        proxy.reload(&changed).expect("a good configuration");
        assert_eq!(ask(&proxy, "").status, 200);
    }
    assert_eq!(configured(), before);
    until("what was replaced is gone", || {
        proxy.metric(r#"weir_plugin_instances{plugin="mark"}"#) <= 1.0
    });
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

/// Real passwords need no line of `limits`, and others are served while one is verified.
#[test]
fn passwords_are_verified_aside_by_default_and_then_remembered() {
    let origin = Origin::echo();
    let users: String = HASHES.iter().map(|(name, hash)| format!("{name} = '{hash}'\n")).collect();
    let table = format!("component = \"basic-auth\"\n[plugins.staff.config.users]\n{users}");
    let proxy = Proxy::start(&one_worker(&origin, "staff", &table));
    // Each name with `open sesame`.
    let credentials =
        ["YmNyeXB0Om9wZW4gc2VzYW1l", "YXJnb246b3BlbiBzZXNhbWU=", "bGFyZ2U6b3BlbiBzZXNhbWU="];
    let credentials_of_bcrypt = credentials[0];
    for credentials in credentials {
        let head = format!(
            "GET /staff HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic {credentials}\r\n\r\n"
        );
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(head.as_bytes());
        let (answer, served) = served_meanwhile(&proxy, client);
        assert_eq!(answer.status, 200, "{credentials}");
        // The first takes some hundred slices, and an answer two or three; where it held the worker
        // for many slices in a row, three answers came.
        let aside = credentials != credentials_of_bcrypt || served > 10;
        assert!(aside, "{served} answers meanwhile");
    }
    // What is remembered needs no slice of its own: it is let in while others are verified.
    let wrong = "YmNyeXB0Om9wZW4gc2VzYW1m";
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
    let fields = [("authorization", &*format!("Basic {}", credentials[0]))];
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
