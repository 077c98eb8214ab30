//! A file on a mount that is dead: who looks at it waits until the mount is back, and nobody else does.
//!
//! The mount is one of fuse(4) whose program answers nothing. Only root can make it; elsewhere a test says
//! that it has shown nothing.

use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use weir_tests::{Daemon, Origin, Setup, free_address, get, until_within, wait_for_port};

use super::super::system::{BINARY, System, WITHIN};

/// Followed files are looked at every five seconds where nothing is told of them.
const LOOKED_AT: Duration = Duration::from_secs(30);

/// A mount whose files nobody answers for.
struct DeadMount {
    at: PathBuf,
    /// Dropped first: whoever waits then gets an error.
    device: Option<File>,
}

impl DeadMount {
    /// Over this folder. `None`: this machine does not let us.
    fn over(folder: &Path) -> Option<DeadMount> {
        // O_NONBLOCK: a look at what is asked waits for nothing.
        let mut options = File::options();
        let device = options.read(true).write(true).custom_flags(0o4000).open("/dev/fuse").ok()?;
        let options = "fd=0,rootmode=40000,user_id=0,group_id=0";
        let mounted = Command::new("timeout")
            .args(["--signal=KILL", "10", "mount", "-i", "-t", "fuse", "-o", options, "weir-dead"])
            .arg(folder)
            .stdin(Stdio::from(device.try_clone().ok()?))
            .stderr(Stdio::null())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            return None;
        }
        let mut mount = DeadMount { at: folder.to_owned(), device: Some(device) };
        mount.greet();
        Some(mount)
    }

    /// Answers what the system asks at first (FUSE_INIT), without which it hands on nothing else.
    fn greet(&mut self) {
        const INIT: u32 = 26;
        const ANSWER: usize = 80;
        let mut asked = None;
        until_within(WITHIN, "the system greets", || {
            asked = self.next_asked();
            asked.is_some()
        });
        let (what, unique) = asked.expect("asked");
        assert_eq!(what, INIT);
        // The length, no error, whose answer it is; version 7.31, and for the rest what is usual.
        let mut answer = [0; ANSWER];
        answer[..4].copy_from_slice(&(ANSWER as u32).to_ne_bytes());
        answer[8..16].copy_from_slice(&unique.to_ne_bytes());
        answer[16..20].copy_from_slice(&7_u32.to_ne_bytes());
        answer[20..24].copy_from_slice(&31_u32.to_ne_bytes());
        answer[36..40].copy_from_slice(&4096_u32.to_ne_bytes());
        let device = self.device.as_mut().expect("it is mounted");
        assert_eq!(device.write(&answer).expect("answered"), ANSWER);
    }

    /// What somebody asks for now, and the number of his question.
    fn next_asked(&mut self) -> Option<(u32, u64)> {
        let mut question = vec![0; 64 << 10];
        let length = self.device.as_mut()?.read(&mut question).ok()?;
        let question = &question[..length];
        let what = question.get(4..8)?.try_into().ok()?;
        let number = question.get(8..16)?.try_into().ok()?;
        Some((u32::from_ne_bytes(what), u64::from_ne_bytes(number)))
    }

    /// Waits until somebody looks at something there, who will wait for ever. His question stays unread: of
    /// a process whose question was taken on, the system waits for the answer even when it is killed.
    #[expect(deprecated, reason = "unsound where the descriptor may become another; this is owned")]
    fn wait_until_looked_at(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let device = self.device.as_ref().and_then(|device| device.try_clone().ok());
        runtime.expect("a runtime").block_on(async {
            let device = AsyncFd::with_interest(device.expect("mounted"), Interest::READABLE);
            let device = device.expect("it can be waited for");
            let asked = tokio::time::timeout(LOOKED_AT, device.readable()).await;
            let _ = asked.expect("somebody looks at the mount").expect("it is there");
        });
    }
}

impl Drop for DeadMount {
    fn drop(&mut self) {
        self.device = None;
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

/// What a test says that can show nothing here.
fn not_shown() {
    println!("NOT SHOWN: this machine lets nobody mount a file system of fuse(4)");
}

/// It serves, and ends when it is told to.
#[track_caller]
fn serves_and_ends(daemon: &mut Daemon, web: SocketAddr, what: &str) {
    assert_eq!(get(web, "/").text(), "one", "{what}");
    daemon.signal("TERM");
    let status = daemon.wait(WITHIN).unwrap_or_else(|| panic!("{what}: it does not end"));
    assert_eq!(status.code(), Some(0), "{what}");
}

#[test]
fn a_load_that_never_comes_back_keeps_nobody_from_being_served_nor_the_process_from_its_end() {
    let origin = Origin::saying("one");
    let folder = tempfile::tempdir().expect("a folder");
    let dead = folder.path().join("dead");
    let file = dead.join("file").display().to_string();
    std::fs::create_dir(&dead).expect("made");
    for (what, more) in [
        (
            "a secret",
            format!(
                "[plugins.dead]\ncomponent = \"mock\"\nconfig = {{ body = \"${{file:{file}}}\" }}"
            ),
        ),
        ("a component", format!("[plugins.dead]\ncomponent = {file:?}")),
        (
            "a certificate",
            format!(
                "[listeners.dead]\nbind = \"127.0.0.1:0\"\n\
                 tls = {{ certificates = [{{ cert = {file:?}, key = {file:?} }}] }}"
            ),
        ),
        (
            "authorities",
            format!(
                "[upstreams.dead]\nendpoints = [\"https://localhost\"]\ntls = {{ ca = {file:?} }}"
            ),
        ),
    ] {
        let mut system = System::start(&Setup::to(&origin));
        let Some(mount) = DeadMount::over(&dead) else { return not_shown() };
        let text = format!("{}\n{more}\n", system.toml());
        system.daemon.replace("weir.toml", text);
        system.daemon.signal("HUP");
        mount.wait_until_looked_at();
        assert_eq!(get(system.admin, "/livez").status, 200, "{what}");
        assert_eq!(get(system.admin, "/readyz").status, 200, "{what}");
        serves_and_ends(&mut system.daemon, system.web, what);
    }
}

#[test]
fn a_start_that_never_comes_back_hears_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mount) = DeadMount::over(folder.path()) else { return not_shown() };
    let file = folder.path().join("weir.toml").display().to_string();
    let mut daemon = Daemon::start(BINARY, &["run", "-c", &file], &[]);
    mount.wait_until_looked_at();
    daemon.signal("TERM");
    assert_eq!(daemon.wait(WITHIN).expect("it ends").code(), Some(0));
}

/// Everything that is looked at again while it serves, and when it ends: a followed file, a log that is
/// to be opened anew, the file of a socket.
#[test]
fn a_mount_that_dies_later_keeps_nobody_from_anything() {
    let origin = Origin::saying("one");
    let web = free_address();
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("body"), "a page").expect("written");
    let text = Setup::to(&origin)
        .server(&format!("access_log = {{ file = {:?} }}", at("access.log")))
        .toml()
        .replace("127.0.0.1:0", &web.to_string());
    let text = format!(
        "{text}\n[listeners.more]\nbind = \"unix:{}\"\n\
         [plugins.page]\ncomponent = \"mock\"\nconfig = {{ body = \"${{file:{}}}\" }}\n",
        at("more.sock"),
        at("body"),
    );
    let mut daemon = Daemon::start(BINARY, &["run"], &[("weir.toml", &text)]);
    wait_for_port(web);
    assert_eq!(get(web, "/").text(), "one");
    let Some(mount) = DeadMount::over(folder.path()) else { return not_shown() };
    mount.wait_until_looked_at();
    daemon.signal("HUP");
    serves_and_ends(&mut daemon, web, "a mount that dies later");
}
