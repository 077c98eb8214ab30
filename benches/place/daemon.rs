//! The daemon that is measured: this program once more, as a child with one worker on a processor of its
//! own.
//!
//! In: the endpoint that its routes lead to. Out: its address, and the processor time that it has spent.
//! Never: shares a processor with who asks, where there are two.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use weir_tests::{free_address, until_within};

use crate::load::Endpoint;
use crate::rows;

/// The longest that a start may take: every plugin is compiled.
const START: Duration = Duration::from_secs(120);
/// Of what a second has in `/proc/PID/stat` (proc(5)); the same on every Linux of today.
const TICKS: f64 = 100.0;

/// The child; killed when dropped.
pub struct Daemon {
    child: Child,
    web: SocketAddr,
    #[expect(dead_code, reason = "it is removed with the daemon")]
    folder: tempfile::TempDir,
}

/// Processor time, of all threads together, in microseconds.
#[derive(Clone, Copy)]
pub struct Cost {
    pub micros: f64,
    /// Of it outside the kernel.
    pub user: f64,
}

impl Daemon {
    pub fn start(workers: usize, endpoint: &Endpoint) -> Daemon {
        let folder = tempfile::tempdir().expect("a folder");
        let web = free_address();
        let file = folder.path().join("weir.toml");
        for (name, bytes) in [
            ("weir.toml", rows::configuration(workers, web, endpoint).into_bytes()),
            ("trivial.wasm", weir_benches::trivial()),
            ("outbound.wasm", weir_benches::outbound()),
        ] {
            std::fs::write(folder.path().join(name), bytes).expect("it is written");
        }
        let everywhere = sched_getaffinity(None).expect("processors");
        // With several workers nothing is compared by time.
        let apart = apart(&everywhere).filter(|_| workers == 1);
        if let Some((own, _)) = &apart {
            // A child begins where its parent is.
            sched_setaffinity(None, own).expect("a processor");
        }
        let child = Command::new(std::env::current_exe().expect("this program"))
            .arg("run")
            .arg("-c")
            .arg(&file)
            .env("XDG_CACHE_HOME", folder.path().join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).expect("a log"))
            .spawn()
            .expect("the daemon starts");
        if let Some((_, others)) = &apart {
            sched_setaffinity(None, others).expect("other processors");
        }
        let log = folder.path().join("log");
        let daemon = Daemon { child, web, folder };
        until_within(START, &format!("the daemon serves, see {}", log.display()), || {
            TcpStream::connect(web).is_ok()
        });
        daemon
    }

    pub fn web(&self) -> SocketAddr {
        self.web
    }

    /// What it has spent so far.
    pub fn spent(&self) -> Cost {
        let process = format!("/proc/{}", self.child.id());
        let mut nanos = 0.0;
        for task in std::fs::read_dir(format!("{process}/task")).expect("its threads").flatten() {
            // A thread may end meanwhile.
            let account = std::fs::read_to_string(task.path().join("schedstat"));
            let spent = account.ok().and_then(|all| all.split(' ').next()?.parse::<f64>().ok());
            nanos += spent.unwrap_or_default();
        }
        let stat = std::fs::read_to_string(format!("{process}/stat")).expect("its account");
        // The name, which may have spaces, stands in brackets; user time is the 14th field.
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        let user = behind.split_whitespace().nth(11).and_then(|ticks| ticks.parse::<f64>().ok());
        Cost { micros: nanos / 1e3, user: user.unwrap_or_default() / TICKS * 1e6 }
    }
}

impl Daemon {
    /// Bytes of memory that it has, but what is read of files.
    pub fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("its account");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.expect("a number") * 1024.0
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Cost {
    pub fn since(self, before: Cost) -> Cost {
        Cost { micros: self.micros - before.micros, user: self.user - before.user }
    }

    pub fn of_each(self, requests: usize) -> Cost {
        Cost { micros: self.micros / requests as f64, user: self.user / requests as f64 }
    }
}

/// The last processor, and the others; none where there is but one.
fn apart(everywhere: &CpuSet) -> Option<(CpuSet, CpuSet)> {
    let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| everywhere.is_set(*cpu)).collect();
    let (last, rest) = all.split_last()?;
    if rest.is_empty() {
        return None;
    }
    let (mut own, mut others) = (CpuSet::new(), CpuSet::new());
    own.set(*last);
    rest.iter().for_each(|cpu| others.set(*cpu));
    Some((own, others))
}
