//! No thread more than there are: whatever is needed exists from the start.

use std::io::BufRead;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use weir_tests::{Daemon, Origin, Setup, get, skipped, until};

use super::super::system::{BINARY, System, WITHIN};

/// Somebody whom no other test is, for the system counts by user; root has no such limit.
const NOBODY: u32 = 61_234;

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t0")))
}

/// A daemon that gets no thread any more.
fn at_its_limit(setup: &Setup) -> System {
    let system = System::start_as(setup, |command| {
        if is_root() {
            let folder = command.get_current_dir().expect("a folder").to_owned();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&folder, mode).expect("changed");
            // Somebody else may not find the binary where root's home is in its path.
            let run = format!(
                "exec 3<{BINARY}; exec setpriv --reuid={NOBODY} --clear-groups /proc/self/fd/3 run"
            );
            *command = Command::new("sh");
            command.args(["-c", &run]).current_dir(&folder).stdin(Stdio::null());
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.env("XDG_CACHE_HOME", folder.join("cache"));
        }
    });
    assert_eq!(get(system.web, "/").status, 200);
    let mut limit = Command::new("prlimit");
    limit.args(["--nproc=1:1", &format!("--pid={}", system.daemon.id())]);
    if is_root() {
        // The limit of another user's process is not root's to set everywhere.
        limit.uid(NOBODY);
    }
    assert!(limit.status().expect("prlimit runs").success());
    system
}

#[test]
fn at_a_limit_of_threads_it_serves_reloads_and_drains() {
    let origin = Origin::saying("one");
    let named = origin.url().replace("127.0.0.1", "localhost");
    let health = "health = { path = \"/\", interval = \"100ms\", healthy = 1, unhealthy = 1 }";
    let setup = Setup::to_url(&named).upstream("pool = { max_idle = 0 }").upstream(health);
    let mut system = at_its_limit(&setup);
    // Each on a connection of its own, and so with a look-up of its own.
    for _ in 0..20 {
        assert_eq!(get(system.web, "/").text(), "one");
    }
    let two = Origin::saying("two");
    let next = two.url().replace("127.0.0.1", "localhost");
    // With a component that was not compiled before.
    let plugin = "[plugins.extra]\ncomponent = \"headers\"\n\
                  config = { response = { set = { x-extra = \"yes\" } } }\n";
    let text =
        system.toml().replace(&named, &next).replace("plugins = []", "plugins = [\"extra\"]");
    system.daemon.replace("weir.toml", text + plugin);
    system.daemon.signal("HUP");
    until("it reloads", || get(system.web, "/").text() == "two");
    assert_eq!(get(system.web, "/").header("x-extra"), Some("yes"));
    let endpoint = next.replace("http://", "");
    let healthy = format!("weir_upstream_healthy{{upstream=\"origin\",endpoint=\"{endpoint}\"}}");
    assert_eq!(system.metric(&healthy), 1.0);
    drop(two);
    until("its endpoints are still asked", || system.metric(&healthy) == 0.0);
    let answer = weir_tests::request(system.admin, "POST", "/reload", &[], b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    system.daemon.signal("TERM");
    let status = system.daemon.wait(WITHIN).expect("it ends");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn at_a_limit_of_threads_an_unknown_name_is_a_502() {
    let origin = Origin::saying("one");
    let setup = Setup::to(&origin);
    let system = at_its_limit(&setup);
    let text = system.toml().replace(&origin.url(), "http://no-such-name.invalid:80");
    system.daemon.replace("weir.toml", text);
    system.daemon.signal("HUP");
    until("the name is asked for", || get(system.web, "/").status == 502);
}

/// Each worker needs descriptors of its own: at some limits there are enough for a few of them.
#[test]
fn it_is_ready_with_every_worker_or_not_at_all() {
    let origin = Origin::saying("one");
    let toml = Setup::to(&origin).server("workers = 8").toml();
    let (mut ready, mut ended) = (0, 0);
    for limit in (40..=120).step_by(8) {
        let command = format!("ulimit -n {limit}; exec {BINARY} run");
        let files = [("weir.toml", toml.as_str())];
        let mut daemon = Daemon::start("sh", &["-c", &command], &files);
        let mut said = String::new();
        while daemon.errors().read_line(&mut said).is_ok_and(|length| length > 0) {
            if said.contains("\"message\":\"ready\"") {
                break;
            }
        }
        if said.contains("\"message\":\"ready\"") {
            let threads = std::fs::read_dir(format!("/proc/{}/task", daemon.id())).expect("Linux");
            let names =
                threads.flatten().map(|task| std::fs::read_to_string(task.path().join("comm")));
            let workers =
                names.filter(|name| name.as_ref().is_ok_and(|it| it.starts_with("worker-")));
            assert_eq!(workers.count(), 8, "with {limit} descriptors:\n{said}");
            ready += 1;
        } else {
            let status = daemon.wait(WITHIN).expect("it ends");
            assert_eq!(status.code(), Some(1), "with {limit} descriptors:\n{said}");
            ended += 1;
        }
    }
    assert!(ready > 0 && ended > 0, "{ready} were ready, {ended} ended");
}

/// A start that somebody else makes, whose threads are counted apart from every other test's.
fn start_within(threads: u32, component: &str) -> (Daemon, std::net::SocketAddr) {
    let web = weir_tests::free_address();
    let text = format!(
        "[server]\nworkers = 2\ncache = \"cache\"\n[listeners.web]\nbind = \"{web}\"\n\
         [plugins.page]\ncomponent = \"mock\"\n[plugins.hello]\ncomponent = \"./hello.wasm\"\n\
         config = {{ greeting = \"moin\" }}\n[routes.all]\nplugins = [\"hello\", \"page\"]\n"
    );
    let daemon = Daemon::start_as("sh", &[], &[("weir.toml", &text)], |command| {
        let folder = command.get_current_dir().expect("a folder").to_owned();
        std::fs::copy(component, folder.join("hello.wasm")).expect("copied");
        std::fs::create_dir(folder.join("cache")).expect("a folder");
        let who = NOBODY + 1 + threads;
        let own = Command::new("chown").arg(format!("{who}")).arg(folder.join("cache")).status();
        assert!(own.expect("chown runs").success());
        let open = std::os::unix::fs::PermissionsExt::from_mode;
        std::fs::set_permissions(&folder, open(0o755)).expect("changed");
        std::fs::set_permissions(folder.join("hello.wasm"), open(0o644)).expect("changed");
        let run = format!(
            "exec 3<{BINARY}; exec prlimit --nproc={threads} setpriv --reuid={who} --clear-groups \
             /proc/self/fd/3 run"
        );
        command.args(["-c", &run]);
    });
    (daemon, web)
}

#[test]
fn a_start_at_a_limit_of_threads_says_what_it_lacks_and_what_to_do() {
    if !is_root() {
        return skipped("only root can start a daemon as somebody else");
    }
    let component = weir_tests::guest("hello").display().to_string();
    let mut served = 0;
    for threads in 1..64 {
        let (mut daemon, web) = start_within(threads, &component);
        let mut said = String::new();
        while daemon.errors().read_line(&mut said).is_ok_and(|length| length > 0) {
            if said.contains("\"message\":\"ready\"") {
                break;
            }
        }
        assert!(!said.contains("a bug of Weir's"), "{threads} threads:\n{said}");
        if said.contains("\"message\":\"ready\"") {
            assert_eq!(get(web, "/").header("x-hello"), Some("moin"), "{threads} threads");
            served += 1;
            // One more may do what the others did.
            if served > 2 {
                return;
            }
            continue;
        }
        let status = daemon.wait(WITHIN).expect("it ends");
        let code = if said.contains("takes a process of its own") { 2 } else { 1 };
        assert_eq!(status.code(), Some(code), "{threads} threads:\n{said}");
        assert!(said.contains("ulimit -u"), "{threads} threads:\n{said}");
    }
    panic!("it never served");
}

/// The system gives a user so many inotify instances, and others of the same name may have them all.
#[test]
fn without_an_inotify_instance_files_are_looked_at_instead() {
    let may = Command::new("unshare").args(["--user", "--map-root-user", "true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        return skipped("unshare(1) gives no user namespace here");
    }
    let origin = Origin::saying("one");
    let mut system = System::start_as(&Setup::to(&origin), |command| {
        let folder = command.get_current_dir().expect("a folder").to_owned();
        let run = format!("echo 0 > /proc/sys/user/max_inotify_instances && exec {BINARY} run");
        *command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", &run]).current_dir(&folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("XDG_CACHE_HOME", folder.join("cache"));
    });
    let line = system.daemon.wait_for_line("no file notifications");
    assert!(line.contains("WARN"), "{line}");
    assert_eq!(get(system.web, "/").text(), "one");
    let two = Origin::saying("two");
    let text = system.toml().replace(&origin.url(), &two.url());
    system.daemon.replace("weir.toml", text);
    until("it reloads all the same", || get(system.web, "/").text() == "two");
}
