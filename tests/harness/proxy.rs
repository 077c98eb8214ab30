//! The proxy under test: within this process for most tests, as a daemon where signals matter.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir::control::{self, Options, Reloaded, Running, StartError};
use weir_core::clock::Clock;
use weir_core::config::{Environment, Source};
use weir_wasm::Loader;

/// Where compiled components are kept.
const CACHE: &str = concat!(env!("OUT_DIR"), "/cache");

/// A proxy in this process; stopped when dropped.
pub struct Proxy {
    running: Arc<Running>,
    folder: tempfile::TempDir,
}

/// A proxy in a process of its own; killed when dropped.
pub struct Daemon {
    child: Child,
    /// Unless a test sent it elsewhere.
    errors: Option<BufReader<ChildStderr>>,
    folder: tempfile::TempDir,
}

impl Proxy {
    /// Starts with a configuration whose listeners bind port 0.
    ///
    /// # Panics
    /// Where the configuration is wrong.
    pub fn start(toml: &str) -> Proxy {
        Proxy::try_start(toml).unwrap_or_else(|error| panic!("the proxy does not start:\n{error}"))
    }

    /// As [`Proxy::start`], for configurations that are meant to fail.
    pub fn try_start(toml: &str) -> Result<Proxy, StartError> {
        Proxy::start_in(tempfile::tempdir().expect("a folder"), toml)
    }

    /// With files beside the configuration that it names by relative paths.
    pub fn start_in(folder: tempfile::TempDir, toml: &str) -> Result<Proxy, StartError> {
        let file = folder.path().join("weir.toml");
        std::fs::write(&file, toml).expect("the configuration is written");
        crate::log::capture();
        let running = control::start(Options {
            source: Source::Path(file),
            environment: environment(),
            built_ins: weir_bundle::BUILT_INS,
            clock: Clock::System,
            loader: loader(),
        })?;
        Ok(Proxy { running, folder })
    }

    /// The address of a listener.
    pub fn address(&self, listener: &str) -> SocketAddr {
        self.running.address(listener).unwrap_or_else(|| panic!("no listener {listener}"))
    }

    /// Where the configuration stands.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes another configuration and loads it.
    pub fn reload(&self, toml: &str) -> Result<Reloaded, StartError> {
        let file = self.folder.path().join("weir.toml");
        std::fs::write(file, toml).expect("the configuration is written");
        self.reload_as_it_is()
    }

    /// Loads what is in the folder now.
    pub fn reload_as_it_is(&self) -> Result<Reloaded, StartError> {
        self.running.reload()
    }

    /// What the admin listener would show under `/metrics`.
    pub fn metrics(&self) -> String {
        self.running.metrics_text()
    }

    /// The value of a series, e.g. `weir_requests_total{route="a",code="200"}`; 0 where absent.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.metrics();
        text.lines()
            .filter_map(|line| line.strip_prefix(series)?.trim().parse().ok())
            .next()
            .unwrap_or(0.0)
    }

    pub fn running(&self) -> &Arc<Running> {
        &self.running
    }
}

/// The daemon beside the tests, as a daemon is its own: this process is none.
fn loader() -> Loader {
    let test = std::env::current_exe().expect("this test is a program");
    let built = test.ancestors().nth(2).expect("the folder of what was built");
    Loader::Apart(built.join("weir-under-test"))
}

/// The process's, but for the folder of compiled components: the build's own, so that no test
/// touches its user's.
fn environment() -> Environment {
    let utf8 = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let cache = ("XDG_CACHE_HOME".to_owned(), CACHE.to_owned());
    std::env::vars_os().filter_map(utf8).chain([cache]).collect()
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.running.stop(Duration::ZERO);
    }
}

impl Daemon {
    /// Starts `weir ARGUMENTS…` in a folder with the given files.
    pub fn start(binary: &str, arguments: &[&str], files: &[(&str, &str)]) -> Daemon {
        Daemon::start_as(binary, arguments, files, |_| {})
    }

    /// The same, with what a test changes of the command, or of the folder that it runs in.
    pub fn start_as(
        binary: &str,
        arguments: &[&str],
        files: &[(&str, &str)],
        change: impl FnOnce(&mut Command),
    ) -> Daemon {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file is written");
        }
        let mut command = Command::new(binary);
        command
            .args(arguments)
            .current_dir(folder.path())
            .env("XDG_CACHE_HOME", CACHE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().expect("the daemon starts");
        let errors = child.stderr.take().map(BufReader::new);
        Daemon { child, errors, folder }
    }

    /// Replaces a file, or makes it, at one moment.
    pub fn replace(&self, file: &str, text: impl AsRef<[u8]>) {
        let written = self.path(&format!("{file}.new"));
        std::fs::write(&written, text).expect("written");
        std::fs::rename(written, self.path(file)).expect("renamed");
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, e.g. `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success(), "kill -{name}");
    }

    /// Waits for the end.
    pub fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("the daemon can be waited for") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Everything on standard output up to and with a line that contains `text`.
    pub fn printed_until(&mut self, text: &str) -> String {
        let stdout = self.child.stdout.as_mut().expect("piped");
        let mut printed = String::new();
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            printed += &line;
            printed.push('\n');
            if line.contains(text) {
                return printed;
            }
        }
        panic!("the daemon ended without printing {text:?}; it printed:\n{printed}");
    }

    /// Standard error, for what a process that ended has said.
    pub fn errors(&mut self) -> &mut BufReader<ChildStderr> {
        self.errors.as_mut().expect("piped")
    }

    /// Reads standard error until a line contains `text`; the next call goes on behind it.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        let mut lines = self.errors().lines();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.contains(text) => return line,
                Some(Ok(_)) => {}
                _ => panic!("the daemon ended without a line that contains {text:?}"),
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
