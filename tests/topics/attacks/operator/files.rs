//! Files that change in every way that a file can.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use weir_tests::{Certificates, Daemon, Origin, Setup, free_address, get, until};

use super::super::system::{BINARY, System, WITHIN};

/// A guarded path, and below it all others: cut between the two the file is a sound configuration,
/// and an open door.
fn guarded(origin: &Origin) -> (String, String) {
    let open = Setup::to(origin).plugin("key-auth", "{ keys = [\"secret\"] }").toml();
    let open = open.replace("plugins = [\"key-auth\"]", "plugins = []");
    let closed = "[routes.guarded]\nmatch = { path = \"/guarded/*\" }\nupstream = \"origin\"\n\
                  plugins = [\"key-auth\"]\n";
    (open, closed.to_owned())
}

fn start(text: &str) -> (Daemon, std::net::SocketAddr) {
    let web = free_address();
    let text = text.replace("127.0.0.1:0", &web.to_string());
    let daemon = Daemon::start(BINARY, &["run"], &[("weir.toml", &text)]);
    weir_tests::wait_for_port(web);
    (daemon, web)
}

/// Writes the file in two steps, and meanwhile asks for what must never be open.
fn written_in_two_steps(keep_open: bool) {
    let origin = Origin::echo();
    let (open, closed) = guarded(&origin);
    let (daemon, web) = start(&(open.clone() + &closed));
    let text = std::fs::read_to_string(daemon.path("weir.toml")).expect("the configuration");
    let (half, rest) = text.split_at(text.len() - closed.len());
    let ask = |times: u32| {
        for _ in 0..times {
            assert_eq!(get(web, "/guarded/x").status, 401);
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    ask(1);
    for version in 1..=2 {
        let half = format!("# {version}\n{half}");
        let mut file = File::create(daemon.path("weir.toml")).expect("open");
        file.write_all(half.as_bytes()).expect("written");
        if !keep_open {
            drop(file);
            ask(25);
            file = File::options().append(true).open(daemon.path("weir.toml")).expect("open");
        } else {
            ask(150);
        }
        file.write_all(format!("{rest}[routes.v{version}]\nmatch = {{ path = \"/v{version}\" }}\nplugins = [\"key-auth\"]\nupstream = \"origin\"\n").as_bytes()).expect("written");
        drop(file);
        until("the whole is taken into use", || {
            ask(1);
            get(web, &format!("/v{version}")).status == 401
        });
    }
}

#[test]
fn a_file_written_in_two_steps_does_not_go_live_by_half() {
    written_in_two_steps(false);
}

#[test]
fn a_file_that_is_kept_open_between_two_writes_does_not_either() {
    written_in_two_steps(true);
}

#[test]
fn a_file_that_a_failed_configuration_names_is_waited_for() {
    let origin = Origin::saying("one");
    let system = System::start(&Setup::to(&origin));
    let certificates = Certificates::for_names(&["localhost"]);
    let tls = "tls = { certificates = [{ cert = \"later/a.pem\", key = \"later/a.key\" }] }";
    let text = system.toml().replace("[listeners.web]", &format!("[listeners.web]\n{tls}"));
    system.daemon.replace("weir.toml", text);
    until("it fails", || system.reloads("failure") >= 1.0);
    std::fs::create_dir(system.daemon.path("later")).expect("a folder");
    std::fs::copy(certificates.cert(), system.daemon.path("later/a.pem")).expect("copied");
    std::fs::copy(certificates.key(), system.daemon.path("later/a.key")).expect("copied");
    until("it is taken into use", || {
        weir_tests::tls_get(system.web, certificates.client_config(&[]), "localhost").is_ok()
    });
}

/// A folder of Kubernetes's: each name is a link through `..data`, which is what is replaced.
#[test]
fn a_link_on_the_way_that_is_replaced_is_a_change() {
    let (one, two) = (Origin::saying("one"), Origin::saying("two"));
    let web = free_address();
    let text = Setup::to(&one).toml().replace("127.0.0.1:0", &web.to_string());
    let volume = tempfile::tempdir().expect("a folder");
    let at = |name: &str| volume.path().join(name);
    for (version, text) in [("..1", &text), ("..2", &text.replace(&one.url(), &two.url()))] {
        std::fs::create_dir(at(version)).expect("a folder");
        std::fs::write(at(version).join("weir.toml"), text).expect("written");
    }
    symlink("..1", at("..data")).expect("a link");
    symlink("..data/weir.toml", at("weir.toml")).expect("a link");
    let file = at("weir.toml").display().to_string();
    let _daemon = Daemon::start(BINARY, &["run", "-c", &file], &[]);
    weir_tests::wait_for_port(web);
    assert_eq!(get(web, "/").text(), "one");
    symlink("..2", at("..data_tmp")).expect("a link");
    std::fs::rename(at("..data_tmp"), at("..data")).expect("renamed");
    until("the other is taken into use", || get(web, "/").text() == "two");
}

#[test]
fn a_file_replaced_with_the_same_size_and_time_is_seen() {
    let (one, two) = (Origin::saying("one"), Origin::saying("two"));
    let (daemon, web) = start(&Setup::to(&one).toml());
    let (file, next) = (daemon.path("weir.toml"), daemon.path("next"));
    let text = std::fs::read_to_string(&file).expect("the configuration");
    let other = text.replace(&one.url(), &two.url());
    assert_eq!(other.len(), text.len(), "ports of five digits");
    std::fs::write(&next, other).expect("written");
    let time = std::fs::metadata(&file).and_then(|facts| facts.modified()).expect("a time");
    File::options().write(true).open(&next).and_then(|file| file.set_modified(time)).expect("set");
    std::fs::rename(&next, &file).expect("renamed");
    until("it is taken into use", || get(web, "/").text() == "two");
}

#[test]
fn what_is_no_file_is_refused_and_nothing_waits_for_it() {
    let origin = Origin::saying("one");
    let mut system =
        System::start(&Setup::to(&origin).plugin("mock", "{}").route("timeout = \"9s\""));
    let text = system.toml();
    let pipe = system.daemon.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let secret = "config = { body = \"${file:./pipe}\" }";
    for (what, next) in [
        ("a pipe as a secret", text.replace("config = {}", secret)),
        ("endless", text.replace("config = {}", &secret.replace("./pipe", "/dev/zero"))),
        ("a folder", text.replace("config = {}", &secret.replace("./pipe", "/"))),
        ("a component", text.replace("component = \"mock\"", "component = \"./pipe\"")),
        (
            "a certificate",
            text.replace(
                "[listeners.web]",
                "[listeners.web]\ntls = { certificates = [{ cert = \"pipe\", key = \"pipe\" }] }",
            ),
        ),
    ] {
        assert_ne!(next, text, "{what}");
        system.daemon.replace("weir.toml", next);
        let answer = weir_tests::request(system.admin, "POST", "/reload", &[], b"");
        assert_eq!(answer.status, 422, "{what}: {}", answer.text());
    }
    std::fs::rename(&pipe, system.daemon.path("weir.toml")).expect("renamed");
    let answer = weir_tests::request(system.admin, "POST", "/reload", &[], b"");
    assert!(answer.text().contains("it is a pipe, not a regular file"), "{}", answer.text());
    system.daemon.replace("weir.toml", &text);
    let answer = weir_tests::request(system.admin, "POST", "/reload", &[], b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    system.daemon.signal("INT");
    assert_eq!(system.daemon.wait(WITHIN).expect("it ends").code(), Some(0));
}

#[test]
fn a_unix_socket_whose_file_was_deleted_comes_back_by_reload() {
    let origin = Origin::saying("one");
    let text = Setup::to(&origin).server("workers = 2\nadmin = \"unix:admin.sock\"").toml();
    let text = text.replace("127.0.0.1:0", "unix:web.sock");
    let daemon = Daemon::start(BINARY, &["run"], &[("weir.toml", &text)]);
    let ask = |socket: &str, path: &str| -> Option<String> {
        let mut stream = UnixStream::connect(daemon.path(socket)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .ok()?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stream, &mut text).ok()?;
        Some(text)
    };
    let serves = |socket: &str, path: &str| {
        ask(socket, path).is_some_and(|it| it.starts_with("HTTP/1.1 200"))
    };
    until("it serves", || serves("web.sock", "/") && serves("admin.sock", "/livez"));
    for _ in 0..2 {
        for socket in ["web.sock", "admin.sock"] {
            std::fs::remove_file(daemon.path(socket)).expect("deleted");
        }
        daemon.signal("HUP");
        until("they are there again", || serves("web.sock", "/") && serves("admin.sock", "/livez"));
        for _ in 0..20 {
            assert!(serves("web.sock", "/"));
        }
    }
}

#[test]
fn files_of_sockets_go_with_them_and_others_stay() {
    let origin = Origin::echo();
    let setup = Setup::to(&origin).server("workers = 2\nadmin = \"unix:admin.sock\"");
    let text = setup.toml().replace("127.0.0.1:0", "unix:web.sock");
    let more = "[listeners.more]\nbind = \"unix:more.sock\"\n";
    let text = text.replace("[listeners.web]", &format!("{more}[listeners.web]"));
    let mut daemon = Daemon::start(BINARY, &["run"], &[("weir.toml", &text)]);
    let is_there = |daemon: &Daemon, socket: &str| daemon.path(socket).exists();
    until("it serves", || UnixStream::connect(daemon.path("admin.sock")).is_ok());
    // A listener that is taken away.
    daemon.replace("weir.toml", text.replace(more, ""));
    until("its file is gone", || !is_there(&daemon, "more.sock"));
    assert!(is_there(&daemon, "web.sock"));
    // What stands at the other's name is not its file any more.
    std::fs::remove_file(daemon.path("web.sock")).expect("removed");
    std::fs::write(daemon.path("web.sock"), "precious").expect("written");
    daemon.signal("TERM");
    assert_eq!(daemon.wait(WITHIN).expect("it ends").code(), Some(0));
    assert_eq!(std::fs::read(daemon.path("web.sock")).expect("there"), b"precious");
    assert!(!is_there(&daemon, "admin.sock"));
    // And as usual, also where nobody waits for the end of a delay.
    for signals in [1, 2] {
        let mut daemon = Daemon::start(BINARY, &["run"], &[("weir.toml", &text)]);
        until("it serves", || UnixStream::connect(daemon.path("admin.sock")).is_ok());
        for _ in 0..signals {
            daemon.signal("TERM");
        }
        assert_eq!(daemon.wait(WITHIN).expect("it ends").code(), Some(0));
        for socket in ["web.sock", "more.sock", "admin.sock"] {
            assert!(!is_there(&daemon, socket), "{socket}");
        }
    }
}
