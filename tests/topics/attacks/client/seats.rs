//! The instances of the process: shared by plugins and clients, whoever comes first.

use weir_tests::{Daemon, Origin, RawClient, free_address, guest, request, until, wait_for_port};

use super::super::system::BINARY;
use super::Neighbours;

/// Address space for 128 instances, in KiB: it takes few clients to use them up.
const ADDRESS_SPACE: u64 = 2 << 30;

fn config(origin: &Origin, web: &str, admin: &str) -> String {
    let reading = guest("faulty-reading");
    let table = format!("component = \"{}\"\nlimits = {{ instances = 128 }}", reading.display());
    let server = format!("workers = 2\nadmin = \"{admin}\"");
    Neighbours {
        server: &server,
        bind: Some(web),
        name: "reading",
        table: &table,
        mark: "isolation = \"request\"",
    }
    .toml(origin)
}

#[test]
fn stalled_uploads_at_one_plugin_leave_others_their_instances_and_a_reload_its() {
    let origin = Origin::echo();
    let (web, admin) = (free_address(), free_address());
    let toml = config(&origin, &web.to_string(), &admin.to_string());
    let command = format!("ulimit -v {ADDRESS_SPACE}; exec {BINARY} run");
    let daemon = Daemon::start("sh", &["-c", &command], &[("weir.toml", &toml)]);
    wait_for_port(admin);
    wait_for_port(web);
    let metric = |series: &str| {
        let text = weir_tests::get(admin, "/metrics").text();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or(0.0)
    };
    let instances = |plugin: &str| metric(&format!("weir_plugin_instances{{plugin=\"{plugin}\"}}"));
    let busy = r#"weir_plugin_failures_total{plugin="reading",hook="request",reason="busy"}"#;
    let stall = |client: &str| {
        let mut stalled = RawClient::connect(web);
        let head = "POST /reading HTTP/1.1\r\nhost: a\r\nx-fault: read\r\ncontent-length: 4\r\n";
        stalled.send(format!("{head}x-forwarded-for: {client}\r\n\r\n").as_bytes());
        stalled
    };
    let (mut stalled, mut asked) = (Vec::new(), 0.0);
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        stalled.extend((0..60).map(|_| stall(client)));
        asked += 60.0;
        until("nobody is refused, nor held", || instances("reading") + metric(busy) >= asked);
    }
    assert!(instances("reading") > 40.0, "{}", instances("reading"));
    assert!(metric(busy) > 60.0, "{}", metric(busy));
    let served = || {
        let fields = [("x-forwarded-for", "192.0.2.9")];
        let answer = request(web, "GET", "/other", &fields, b"");
        (answer.status, answer.header("x-other").map(str::to_owned))
    };
    for _ in 0..100 {
        assert_eq!(served(), (200, Some("fine".to_owned())));
    }
    let at_once = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(served)).collect();
        asking.into_iter().map(|one| one.join().expect("an answer").0).collect::<Vec<u16>>()
    });
    assert_eq!(at_once, [200; 16]);
    let more = "[plugins.new]\ncomponent = \"mock\"\n[routes.new]\nmatch = { path = \"/new\" }\n\
                plugins = [\"new\"]\n";
    daemon.replace("weir.toml", toml + more);
    daemon.signal("HUP");
    until("the reload finds no instance", || request(web, "GET", "/new", &[], b"").status == 200);
    drop(stalled);
}
