//! Plugins through the whole host, as the proxy calls them: guests of one behaviour each.

mod failures;
pub(super) mod guest;
mod hooks;
mod load;
mod oracle;
mod sizes;

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use weir_core::chain::{Exchange, ExchangeId, Failure, HeadLimits, Middleware, Step, Verdict};
use weir_core::clock::{self, Clock};
use weir_core::config::{
    ComponentSource, Grant, Grants, Isolation, OnFailure, Plugin, PluginLimits,
};
use weir_core::http::Client;
use weir_core::outbound;

use super::{Host, HostOptions, LoadedPlugin, PluginProblem};

/// A directory that goes with its test.
pub(super) struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("weir-wasm-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Folder(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a temporary file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn host() -> Host {
    host_at(Clock::System)
}

pub(super) fn host_at(clock: Clock) -> Host {
    Host::new(HostOptions { clock, ..HostOptions::default() }).expect("an engine")
}

pub(super) fn plugin(component: PathBuf) -> Plugin {
    Plugin {
        name: "test".into(),
        component: ComponentSource::File(component),
        config: "{}".into(),
        grants: Grants::default(),
        limits: PluginLimits {
            memory: 1 << 20,
            deadline: Duration::from_millis(10),
            ..PluginLimits::default()
        },
        on_failure: OnFailure::Reject,
        isolation: Isolation::Worker,
        place: "weir.toml:1:1".into(),
    }
}

/// Loads a component that is expected to be fine.
pub(super) fn load(
    host: &Host,
    component: &[u8],
    edit: impl FnOnce(&mut Plugin),
) -> Arc<LoadedPlugin> {
    try_load(host, component, edit).unwrap_or_else(|problems| panic!("{problems:?}"))
}

pub(super) fn try_load(
    host: &Host,
    component: &[u8],
    edit: impl FnOnce(&mut Plugin),
) -> Result<Arc<LoadedPlugin>, Vec<PluginProblem>> {
    let folder = Folder::new();
    let mut plugin = plugin(folder.file("guest.wasm", component));
    edit(&mut plugin);
    host.load(&plugin)
}

pub(super) fn member(plugin: &Arc<LoadedPlugin>) -> Rc<dyn Middleware> {
    plugin.member(Some(plugin.prepare().expect("an instance")), &outbound::nobody())
}

pub(super) fn exchange(fields: &[(&'static str, &'static str)]) -> Box<Exchange> {
    let mut builder = http::Request::get("/a?b").header("host", "example.com");
    for (name, value) in fields {
        builder = builder.header(*name, *value);
    }
    let (request, ()) = builder.body(()).expect("a legal head").into_parts();
    let id = ExchangeId { process: 1, worker: 2, serial: 3 };
    let now = clock::now();
    let times = (now, now + Duration::from_secs(30));
    let mut exchange = Exchange::new(id, times, request, Arc::new(Client::default()), "api".into());
    exchange.head_limits = HeadLimits { fields: 16, bytes: 1 << 10 };
    exchange
}

/// An exchange whose response has come.
pub(super) fn answered() -> Box<Exchange> {
    let mut exchange = exchange(&[]);
    let (head, ()) = http::Response::new(()).into_parts();
    exchange.response = Some(head);
    exchange
}

/// A worker's runtime.
pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// The result of a hook, waited for.
pub(super) fn wait<T>(step: Step<T>) -> (Box<Exchange>, Result<T, Box<Failure>>) {
    tokio::task::LocalSet::new().block_on(&runtime(), step.resolve())
}

/// The result of a hook that must not wait.
pub(super) fn at_once<T>(step: Step<T>) -> (Box<Exchange>, Result<T, Box<Failure>>) {
    match step {
        Step::Ready(exchange, result) => (exchange, result),
        Step::Pending(_) => panic!("the hook waits"),
    }
}

pub(super) fn request(
    member: &Rc<dyn Middleware>,
) -> (Box<Exchange>, Result<Verdict, Box<Failure>>) {
    wait(member.on_request(exchange(&[])))
}

/// The component of a plugin that forwards every request.
pub(super) fn forwards() -> Vec<u8> {
    guest::request_filter("(i32.const 256)")
}
