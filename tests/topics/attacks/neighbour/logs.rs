//! Logs on full disks, logs that nobody reads, logs that a peer would fill, and what they tell.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::process::{Command, Stdio};

use weir_tests::frames::{ACK, Frames, kind};
use weir_tests::{Origin, Setup, get, request, until};

use super::super::system::{BINARY, System, WITHIN};

/// `/dev/full` takes nothing, as a full disk.
#[test]
fn full_disks_under_both_logs_end_neither() {
    let origin = Origin::saying("one");
    let log = "access_log = { format = \"json\", file = \"/dev/full\" }\nlog = \"debug\"";
    let system = System::start_as(&Setup::to(&origin).server(log), |command| {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux");
        command.stderr(Stdio::from(full));
    });
    let lost = |series: &str| system.metric(series);
    for _ in 0..3 {
        let before = (lost("weir_access_log_dropped_total"), lost("weir_log_dropped_total"));
        assert_eq!(get(system.web, "/").text(), "one");
        until("more is lost, and counted", || {
            lost("weir_access_log_dropped_total") > before.0
                && lost("weir_log_dropped_total") > before.1
        });
    }
}

/// SIGXFSZ ends a process that does nothing about it.
#[test]
fn a_limit_on_the_size_of_files_ends_nothing() {
    let origin = Origin::saying("one");
    let log = "access_log = { format = \"json\", file = \"access.log\" }\nlog = \"debug\"\n\
               cache = \"cache\"";
    let setup = Setup::to(&origin).server(log).plugin("hello", "{ greeting = \"moin\" }");
    let hello = weir_tests::guest("hello");
    let component = format!("component = {:?}", hello.display().to_string());
    let mut system = System::start_with(
        &setup,
        |toml| toml.replace("component = \"hello\"", &component),
        |command| {
            let folder = command.get_current_dir().expect("a folder").to_owned();
            let errors = std::fs::File::create(folder.join("errors.log")).expect("a file");
            *command = Command::new("prlimit");
            // What may be written again later is the test's to say.
            command.args(["--fsize=65536:unlimited", BINARY, "run"]).current_dir(&folder);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::from(errors));
        },
    );
    until("both logs have lost lines", || {
        assert_eq!(get(system.web, "/").header("x-hello"), Some("moin"));
        system.metric("weir_access_log_dropped_total") > 0.0
            && system.metric("weir_log_dropped_total") > 0.0
    });
    let errors = std::fs::read_to_string(system.daemon.path("errors.log")).expect("a log");
    assert!(errors.contains("a compiled component was not kept"), "{errors}");
    let raised = Command::new("prlimit")
        .args(["--fsize=unlimited", &format!("--pid={}", system.daemon.id())])
        .status();
    assert!(raised.expect("prlimit runs").success());
    assert_eq!(get(system.web, "/last").status, 200);
    until("lines are written again", || {
        let text = std::fs::read_to_string(system.daemon.path("access.log")).expect("a log");
        text.contains("/last")
    });
    system.daemon.signal("TERM");
    assert_eq!(system.daemon.wait(WITHIN).expect("it ends").code(), Some(0));
}

#[test]
fn a_standard_error_that_nobody_reads_stops_neither_requests_nor_the_access_log() {
    let origin = Origin::saying("one");
    let log = "access_log = { format = \"json\", file = \"access.log\" }\nlog = \"trace\"";
    let mut system = System::start(&Setup::to(&origin).server(log));
    until("the pipe is full, and lines are lost", || {
        assert_eq!(get(system.web, "/").text(), "one");
        system.metric("weir_log_dropped_total") > 0.0
    });
    let lines = || {
        let text = std::fs::read_to_string(system.daemon.path("access.log")).expect("a log");
        text.lines().count()
    };
    let before = lines();
    assert_eq!(get(system.web, "/last").text(), "one");
    until("it is written", || lines() > before);
    // Now somebody reads.
    system.daemon.wait_for_line("lines were lost because they could not be written");
}

#[test]
fn what_a_peer_causes_is_told_once_in_a_while_with_a_count() {
    let origin = Origin::saying("one");
    let mut system = System::start(&Setup::to(&origin));
    let mut client = Frames::connect(system.web);
    for _ in 0..2_000 {
        assert!(client.send(kind::PING, ACK, 0, b"unasked!"));
    }
    let mut told = 0;
    let line = loop {
        let line = system.daemon.wait_for_line("h2::proto");
        if line.contains("not told as often as it happened") {
            break line;
        }
        told += 1;
    };
    assert!((1..=3).contains(&told), "{told}");
    assert!(line.contains("\"count\":1997"), "{line}");
}

#[test]
fn the_level_is_switched_while_it_runs_and_tells_the_life_of_a_request() {
    let origin = Origin::saying("one");
    let mut system = System::start(&Setup::to(&origin).plugin("request-id", "{}"));
    let log = |method: &str, page: &str| {
        let answer = request(system.admin, method, page, &[], b"");
        (answer.status, answer.text())
    };
    assert_eq!(log("GET", "/log"), (200, "info\n".into()));
    assert_eq!(log("POST", "/log?level=loud").0, 400);
    let encoded = log("POST", "/log?a=1&level=info%2Cweir%3A%3Aproxy%3Dwarn");
    assert_eq!(encoded, (200, "info,weir::proxy=warn\n".into()));
    let line = system.daemon.wait_for_line("what the log tells");
    assert!(
        line.contains("\"level\":\"INFO\"")
            && line.contains("\"levels\":\"info,weir::proxy=warn\""),
        "{line}"
    );
    assert_eq!(log("POST", "/log").0, 400);
    assert_eq!(log("DELETE", "/log").0, 405);
    get(system.web, "/before");
    assert_eq!(
        log("POST", "/log?level=info,weir::proxy=debug"),
        (200, "info,weir::proxy=debug\n".into())
    );
    get(system.web, "/after");
    assert_eq!(log("POST", "/log?level="), (200, "info\n".into()));
    get(system.web, "/again");
    let text = system.toml().replace("[server]", "[server]\nlog = \"debug\"");
    system.daemon.replace("weir.toml", text);
    until("the configuration switches it too", || log("GET", "/log").1 == "debug\n");
    get(system.web, "/last");
    let line = system.daemon.wait_for_line("\"uri\":\"");
    assert!(line.contains("/after") && line.contains("\"route\":\"all\""), "{line}");
    for what in ["request hook", "attempt", "answered", "response hook", "over"] {
        let line = system.daemon.wait_for_line(&format!("\"message\":\"{what}\""));
        assert!(line.contains("\"request\":"), "{line}");
    }
    let line = system.daemon.wait_for_line("\"uri\":\"");
    assert!(line.contains("/last"), "{line}");
}

/// `RUST_LOG` once changed nothing. A file says less than who started it: until he says another thing
/// to the running one.
#[test]
fn the_environment_says_what_the_log_tells_whatever_the_configuration_says() {
    let origin = Origin::saying("one");
    for (shared, own, told) in [
        ("weir=debug", None, "info,weir=debug"),
        ("weir=debug", Some("error"), "error"),
        ("error", Some(""), "error"),
        // As other programs write it, who have spans.
        ("weir=debug,x[y]=z", None, "info,weir=debug"),
    ] {
        let setup = Setup::to(&origin).server("drain_delay = \"0s\"");
        let mut system = System::start_as(&setup, |command| {
            command.env("RUST_LOG", shared).env_remove("WEIR_LOG");
            if let Some(own) = own {
                command.env("WEIR_LOG", own);
            }
        });
        let log = |method: &str, page: &str| request(system.admin, method, page, &[], b"").text();
        assert_eq!(log("GET", "/log"), format!("{told}\n"), "{shared} {own:?}");
        get(system.web, "/a-request");
        let text = system.toml().replace("[server]", "[server]\nlog = \"trace\"");
        system.daemon.replace("weir.toml", text);
        assert!(log("POST", "/reload").contains("true"));
        assert_eq!(log("GET", "/log"), format!("{told}\n"), "{shared} {own:?}: after a reload");
        assert_eq!(log("POST", "/log?level=warn"), "warn\n");
        assert_eq!(log("POST", "/log?level="), format!("{told}\n"), "{shared} {own:?}");
        system.daemon.signal("TERM");
        assert_eq!(system.daemon.wait(WITHIN).expect("it ends").code(), Some(0));
        let mut lines = String::new();
        system.daemon.errors().read_to_string(&mut lines).expect("text");
        let has = |text: &str| lines.contains(text);
        assert_eq!(has("/a-request"), told.contains("debug"), "{shared} {own:?}: {lines}");
        assert_eq!(has("\"level\":\"INFO\""), told.contains("info"), "{shared} {own:?}: {lines}");
        assert_eq!(has("\"part\":\"x[y]=z\""), shared.contains("x["), "{shared} {own:?}: {lines}");
    }
}
