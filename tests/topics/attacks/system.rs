//! A daemon as a process of its own, for what is done to it from outside.

use std::net::SocketAddr;
use std::time::Duration;

use weir_tests::{Daemon, Setup, free_address, get, wait_for_port};

pub const BINARY: &str = env!("CARGO_BIN_EXE_weir-under-test");
pub const WITHIN: Duration = Duration::from_secs(15);

/// A daemon, where its listener `web` is, and where its admin listener.
pub struct System {
    pub daemon: Daemon,
    pub web: SocketAddr,
    pub admin: SocketAddr,
}

impl System {
    pub fn start(setup: &Setup) -> System {
        System::start_as(setup, |_| {})
    }

    pub fn start_as(setup: &Setup, change: impl FnOnce(&mut std::process::Command)) -> System {
        System::start_with(setup, |toml| toml, change)
    }

    /// With a configuration that is not quite the setup's.
    pub fn start_with(
        setup: &Setup,
        written: impl FnOnce(String) -> String,
        change: impl FnOnce(&mut std::process::Command),
    ) -> System {
        let (web, admin) = (free_address(), free_address());
        let toml = setup.toml().replace("127.0.0.1:0", &web.to_string());
        let toml = written(toml.replace("[server]", &format!("[server]\nadmin = \"{admin}\"")));
        let files = [("weir.toml", toml.as_str())];
        let daemon = Daemon::start_as(BINARY, &["run"], &files, change);
        wait_for_port(admin);
        wait_for_port(web);
        System { daemon, web, admin }
    }

    /// The configuration as it is.
    pub fn toml(&self) -> String {
        std::fs::read_to_string(self.daemon.path("weir.toml")).expect("the configuration")
    }

    /// The value of a series; 0 where it is absent.
    pub fn metric(&self, series: &str) -> f64 {
        let text = get(self.admin, "/metrics").text();
        let values = text.lines().filter_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        values.into_iter().next().unwrap_or(0.0)
    }

    pub fn reloads(&self, result: &str) -> f64 {
        self.metric(&format!("weir_reloads_total{{result=\"{result}\"}}"))
    }
}
