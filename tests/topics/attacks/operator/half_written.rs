//! Configurations that are read while somebody writes them.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use weir_tests::{
    Daemon, Origin, Setup, free_address, get, request, until, until_within, wait_for_port,
};

use super::super::system::{BINARY, System};

/// A guarded path, and somebody who asks for it all the time.
struct Guarded {
    system: System,
    _origin: Origin,
    /// The configuration without the guard, and the guard.
    half: String,
    rest: String,
    asking: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    asker: Option<std::thread::JoinHandle<usize>>,
}

impl Guarded {
    fn start() -> Guarded {
        let origin = Origin::echo();
        let rest = "[plugins.no]\ncomponent = \"mock\"\nconfig = { status = 403 }\n\
                    [routes.guard]\nmatch = { path = \"/guarded/*\" }\nplugins = [\"no\"]\n";
        let mut half = String::new();
        let system = System::start_with(
            &Setup::to(&origin),
            |toml| {
                half = toml;
                half.clone() + rest
            },
            |_| {},
        );
        let (asking, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let asker = std::thread::spawn({
            let (web, asking, asked) = (system.web, asking.clone(), Arc::clone(&asked));
            move || {
                let mut passed = 0;
                while asking.load(Ordering::Relaxed) {
                    passed += usize::from(get(web, "/guarded/x").status != 403);
                    asked.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(5));
                }
                passed
            }
        });
        let rest = rest.to_owned();
        Guarded { system, _origin: origin, half, rest, asking, asked, asker: Some(asker) }
    }

    fn file(&self) -> PathBuf {
        self.system.daemon.path("weir.toml")
    }

    fn append(&self) {
        let mut file = File::options().append(true).open(self.file()).expect("open");
        file.write_all(self.rest.as_bytes()).expect("written");
    }

    /// Waits until so many requests more were answered: time in which a half would serve.
    fn ask(&self, times: usize) {
        let before = self.asked.load(Ordering::Relaxed);
        until("more is asked", || self.asked.load(Ordering::Relaxed) >= before + times);
    }

    /// Once the whole is taken into use, nothing ever passed.
    fn end(mut self, reloads: f64) {
        let taken = || self.system.reloads("success") >= reloads;
        until_within(Duration::from_secs(20), "the whole is taken into use", taken);
        self.ask(5);
        self.asking.store(false, Ordering::Relaxed);
        let passed = self.asker.take().expect("once").join().expect("no panic");
        assert_eq!(passed, 0, "requests passed the guard");
    }
}

#[test]
fn a_signal_between_two_writes_waits_for_the_second() {
    let guarded = Guarded::start();
    std::fs::write(guarded.file(), &guarded.half).expect("written");
    guarded.system.daemon.signal("HUP");
    guarded.ask(30);
    guarded.append();
    guarded.end(1.0);
}

#[test]
fn an_order_between_two_writes_waits_for_the_second() {
    let guarded = Guarded::start();
    std::fs::write(guarded.file(), &guarded.half).expect("written");
    let admin = guarded.system.admin;
    let ordered = std::thread::spawn(move || request(admin, "POST", "/reload", &[], b""));
    guarded.ask(30);
    guarded.append();
    assert_eq!(ordered.join().expect("no panic").status, 200);
    guarded.end(1.0);
}

#[test]
fn a_half_that_came_by_a_rename_waits_for_the_other() {
    let guarded = Guarded::start();
    guarded.system.daemon.replace("weir.toml", &guarded.half);
    guarded.ask(30);
    guarded.append();
    guarded.end(1.0);
}

/// What ends where more of the same must come is waited for longer than a text that may be whole: a
/// second for that, three for this.
#[test]
fn a_text_that_ends_in_the_middle_of_what_it_defines_is_not_there_yet() {
    let waits = |end: &str| {
        let guarded = Guarded::start();
        let whole = guarded.half.clone() + &guarded.rest;
        let since = Instant::now();
        guarded.system.daemon.replace("weir.toml", &(guarded.half.clone() + end));
        std::thread::sleep(Duration::from_millis(1_700));
        guarded.system.daemon.replace("weir.toml", &whole);
        // Else the machine slept until the half was served.
        let in_time = since.elapsed() < Duration::from_millis(2_700);
        if in_time {
            guarded.end(1.0)
        } else {
            guarded.asking.store(false, Ordering::Relaxed)
        }
        in_time
    };
    // Both are TOML, of a route that guards nothing.
    for end in ["[routes.guard]\nmatch = { path = \"/guarded/*\" }", "[routes.guard]\n"] {
        assert!((0..10).any(|_| waits(end)), "this machine does nothing within a second");
    }
}

#[test]
fn a_file_that_was_renamed_while_it_is_written_is_not_there_yet() {
    for order in [None, Some("HUP")] {
        let guarded = Guarded::start();
        let next = guarded.system.daemon.path("weir.toml.new");
        let mut file = File::create(&next).expect("open");
        file.write_all(guarded.half.as_bytes()).expect("written");
        std::fs::rename(&next, guarded.file()).expect("renamed");
        order.into_iter().for_each(|signal| guarded.system.daemon.signal(signal));
        // Longer than any quiet that would do for a closed one.
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(4_000) {
            guarded.ask(1);
        }
        file.write_all(guarded.rest.as_bytes()).expect("written");
        drop(file);
        guarded.end(1.0);
    }
}

#[test]
fn an_order_is_answered_in_time_and_says_which_file_is_still_written() {
    let guarded = Guarded::start();
    let mut file = File::create(guarded.file()).expect("open");
    file.write_all(guarded.half.as_bytes()).expect("written");
    let since = Instant::now();
    let answer = request(guarded.system.admin, "POST", "/reload", &[], b"");
    assert!(since.elapsed() < Duration::from_secs(12), "{:?}", since.elapsed());
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(answer.text().contains("weir.toml is still being written to"), "{}", answer.text());
    file.write_all(guarded.rest.as_bytes()).expect("written");
    drop(file);
    let reloads = guarded.system.reloads("success");
    guarded.end(reloads + 1.0);
}

/// A secret that somebody appends to all the time holds back nothing else, and is what it was.
#[test]
fn a_file_that_is_written_all_the_time_holds_back_no_other() {
    let origin = Origin::echo();
    let setup = Setup::to(&origin).plugin("mock", "{ body = \"0 ${file:./secret}.\" }");
    let system = System::start_with(
        &setup,
        |toml| toml,
        |command| {
            let folder = command.get_current_dir().expect("a folder");
            std::fs::write(folder.join("secret"), "whole").expect("written");
        },
    );
    let says = || get(system.web, "/").text();
    assert_eq!(says(), "0 whole.");
    let secret = system.daemon.path("secret");
    let (writing, writes) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let writer = std::thread::spawn({
        let (writing, writes) = (writing.clone(), writes.clone());
        move || {
            let mut file = File::create(secret).expect("open");
            while writing.load(Ordering::Relaxed) {
                file.write_all(b"half").expect("written");
                writes.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    until("it is written", || writes.load(Ordering::Relaxed) > 3);
    let text = system.toml();
    system.daemon.replace("weir.toml", text.replace("body = \"0", "body = \"1"));
    until("the change is in use", || says() == "1 whole.");
    system.daemon.replace("weir.toml", text.replace("body = \"0", "body = \"2"));
    system.daemon.signal("HUP");
    until("the signal's as well", || says() == "2 whole.");
    system.daemon.replace("weir.toml", text.replace("body = \"0", "body = \"3"));
    let answer = request(system.admin, "POST", "/reload", &[], b"");
    assert_eq!((answer.status, says()), (200, "3 whole.".to_owned()), "{}", answer.text());
    assert!(answer.text().contains("secret"), "{}", answer.text());
    assert!(!answer.text().contains("weir.toml"), "{}", answer.text());
    writing.store(false, Ordering::Relaxed);
    writer.join().expect("no panic");
    let last = format!("3 {}.", "half".repeat(writes.load(Ordering::Relaxed)));
    until("and in the end the secret", || says() == last);
}

/// What a configuration names for the first time may be written at that time.
#[test]
fn a_file_that_is_named_while_it_is_written_is_waited_for() {
    let origin = Origin::echo();
    let system = System::start(&Setup::to(&origin).plugin("mock", "{ body = \"old\" }"));
    let says = || get(system.web, "/").text();
    let mut file = File::create(system.daemon.path("secret")).expect("open");
    file.write_all(b"ha").expect("written");
    let text = system.toml().replace("body = \"old\"", "body = \"${file:./secret}.\"");
    system.daemon.replace("weir.toml", text);
    let answer = request(system.admin, "POST", "/reload", &[], b"");
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(answer.text().contains("still writing to it"), "{}", answer.text());
    assert_eq!(says(), "old");
    file.write_all(b"lf").expect("written");
    drop(file);
    until("it is in use", || says() == "half.");
}

/// Of a folder, one that is new and not whole is not there yet, and the others do not wait for it.
#[test]
fn a_new_file_of_a_folder_is_taken_once_it_is_whole() {
    let origin = Origin::echo();
    let web = free_address();
    let text = Setup::to(&origin).plugin("mock", "{ body = \"one\" }").toml();
    let text = text.replace("127.0.0.1:0", &web.to_string());
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("a.toml"), &text).expect("written");
    let name = folder.path().display().to_string();
    let _daemon = Daemon::start(BINARY, &["run", "-c", &name], &[]);
    wait_for_port(web);
    let mut file = File::create(at("b.toml")).expect("open");
    // By itself it would be refused, and everything with it.
    file.write_all(b"[routes.b]\nmatch = { path = \"/b\" }\n").expect("written");
    std::fs::write(at("next"), text.replace("\"one\"", "\"two\"")).expect("written");
    std::fs::rename(at("next"), at("a.toml")).expect("renamed");
    until("the other is in use", || get(web, "/").text() == "two");
    file.write_all(
        b"plugins = [\"no\"]\n[plugins.no]\ncomponent = \"mock\"\nconfig = { status = 403 }\n",
    )
    .expect("written");
    drop(file);
    until("and then this one", || get(web, "/b").status == 403);
}
