//! The daemon when what it stands on fails or changes: threads, files, disks, and signals that come
//! at any moment.

mod files;
mod logs;
mod signals;
mod threads;

use std::net::SocketAddr;
use std::time::Duration;

use weir_tests::{Daemon, Setup, free_address, get, wait_for_port};

const BINARY: &str = env!("CARGO_BIN_EXE_weir-under-test");
const WITHIN: Duration = Duration::from_secs(15);

/// A daemon, where its listener `web` is, and where its admin listener.
struct System {
    daemon: Daemon,
    web: SocketAddr,
    admin: SocketAddr,
}

impl System {
    fn start(setup: &Setup) -> System {
        System::start_as(setup, |_| {})
    }

    fn start_as(setup: &Setup, change: impl FnOnce(&mut std::process::Command)) -> System {
        let (web, admin) = (free_address(), free_address());
        let toml = setup.toml().replace("127.0.0.1:0", &web.to_string());
        let toml = toml.replace("[server]", &format!("[server]\nadmin = \"{admin}\""));
        let files = [("weir.toml", toml.as_str())];
        let daemon = Daemon::start_as(BINARY, &["run"], &files, change);
        wait_for_port(admin);
        wait_for_port(web);
        System { daemon, web, admin }
    }

    /// The configuration as it is.
    fn toml(&self) -> String {
        std::fs::read_to_string(self.daemon.path("weir.toml")).expect("the configuration")
    }

    /// The value of a series; 0 where it is absent.
    fn metric(&self, series: &str) -> f64 {
        let text = get(self.admin, "/metrics").text();
        let values = text.lines().filter_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        values.into_iter().next().unwrap_or(0.0)
    }

    fn reloads(&self, result: &str) -> f64 {
        self.metric(&format!("weir_reloads_total{{result=\"{result}\"}}"))
    }
}
