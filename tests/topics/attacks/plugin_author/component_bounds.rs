//! What a component makes the proxy do before it may run is bounded: compiling it, looking at its
//! schema, telling what is wrong with it. Who serves meanwhile is not hurt.

mod schemas;
mod shapes;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use weir_tests::{Daemon, Proxy, as_text, free_address, get, until, wait_for_port};

/// A component with this hook world, core functions, schema and answer of `configure`.
fn hostile(core: &str, schema: &str, configure: &str) -> Vec<u8> {
    let world = "import weir:plugin/request@0.2.0;\n import weir:plugin/request-changes@0.2.0;\n export weir:plugin/request-hook@0.2.0;";
    let hook = r#"(func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32) (i32.const 256))"#;
    as_text::with_lifecycle(world, &format!("{hook}\n{core}"), schema, configure)
}

/// What a proxy that serves says of a component when it is told to load it too.
struct Tried {
    text: String,
    took: Duration,
}

/// Reloads a serving proxy with one more plugin, which must be refused.
#[track_caller]
fn refused(component: &[u8], server: &str) -> Tried {
    refused_while(component, server, |_| ())
}

/// The same; `meanwhile` runs beside it.
#[track_caller]
fn refused_while(component: &[u8], server: &str, meanwhile: impl FnOnce(&Proxy) + Send) -> Tried {
    let table = |name: &str, component: &str| {
        format!(
            "[plugins.{name}]\ncomponent = {component:?}\n[routes.{name}]\nmatch = {{ path = \"/{name}\" }}\nplugins = [\"{name}\"]\n"
        )
    };
    let before = format!(
        "[server]\nworkers = 1\n{server}\n[listeners.web]\nbind = \"127.0.0.1:0\"\n{}",
        table("fine", "mock")
    );
    let proxy = Proxy::start(&before);
    std::fs::write(proxy.folder().join("hostile.wasm"), component).expect("written");
    let since = Instant::now();
    let reloaded = std::thread::scope(|scope| {
        let reload = scope
            .spawn(|| proxy.reload(&format!("{before}{}", table("hostile", "./hostile.wasm"))));
        meanwhile(&proxy);
        reload.join().expect("a reload does not panic")
    });
    let took = since.elapsed();
    let text = reloaded.expect_err("the component is refused").to_string();
    assert!(text.len() < 200 << 10, "{} bytes are told", text.len());
    assert_eq!(get(proxy.address("web"), "/fine").status, 200, "it goes on serving");
    Tried { text, took }
}

/// A few kilobytes whose compilation takes minutes and gigabytes: every block can be reached from
/// all that stand before it, with other values in its locals from each.
fn compile_bomb(blocks: usize) -> String {
    let mut body = String::new();
    for _ in 0..blocks {
        body += "(block ";
    }
    for block in 0..blocks {
        body += "(br_table";
        for label in 0..blocks - block {
            let _ = write!(body, " {label}");
        }
        let _ = write!(
            body,
            " (local.get 0)))\n(local.set {0} (i64.add (local.get {0}) (i64.const {block})))",
            block + 1
        );
    }
    let locals = " i64".repeat(blocks);
    let sum = (0..blocks).fold("(i64.const 0)".to_owned(), |sum, block| {
        format!("(i64.xor {sum} (local.get {}))", block + 1)
    });
    format!("(func (export \"bomb\") (param i32) (result i64) (local{locals})\n{body}\n{sum})")
}

/// A `configure` that takes every configuration.
const ANYTHING: &str = "(i32.const 128)";

#[test]
fn compiling_takes_the_time_that_is_allowed_and_no_more() {
    let bomb = hostile(&compile_bomb(900), "", ANYTHING);
    let tried = refused_while(&bomb, "compile = { time = \"1s\", memory = \"64GiB\" }", |proxy| {
        for _ in 0..50 {
            assert_eq!(get(proxy.address("web"), "/fine").status, 200);
        }
    });
    // By the processor's clock 1 s, or 10 s by the wall's, on a machine that is busy.
    assert!(tried.text.contains("compiling the component takes more than 1"), "{}", tried.text);
    assert!(tried.text.contains("server.compile"), "{}", tried.text);
    assert!(tried.text.contains("weir.toml:12:13"), "{}", tried.text);
    assert!(tried.took < Duration::from_secs(60), "{:?}", tried.took);
}

#[test]
fn compiling_takes_the_memory_that_is_allowed_and_no_more() {
    let bomb = hostile(&compile_bomb(500), "", ANYTHING);
    let tried = refused(&bomb, "compile = { time = \"1h\", memory = \"256MiB\" }");
    assert!(tried.text.contains("more than 256 MiB of memory"), "{}", tried.text);
}

#[test]
fn a_file_of_terabytes_is_no_component() {
    let folder = tempfile::tempdir().expect("a folder");
    let large = folder.path().join("large.wasm");
    std::fs::File::create(&large).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
    let component = large.display();
    let error = Proxy::try_start(&format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.p]\ncomponent = \"{component}\"\n"
    ));
    let error = error.err().expect("refused").to_string();
    assert!(error.contains("more than the 64 MiB"), "{error}");
}

/// The processes that a daemon has started, by its threads.
fn children(daemon: &Daemon) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", daemon.id())).expect("Linux");
    let children = threads.flatten().flat_map(|thread| {
        let children = std::fs::read_to_string(thread.path().join("children"));
        let children = children.unwrap_or_default();
        children.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()
    });
    children.collect()
}

#[test]
fn who_is_told_to_end_does_not_wait_for_a_compiler() {
    let web = free_address();
    let before = format!(
        "[server]\nworkers = 1\ncompile = {{ time = \"1h\", memory = \"64GiB\" }}\n\
         [listeners.web]\nbind = \"{web}\"\n"
    );
    let binary = env!("CARGO_BIN_EXE_weir-under-test");
    let mut daemon = Daemon::start(binary, &["run"], &[("weir.toml", &before)]);
    wait_for_port(web);
    let bomb = hostile(&compile_bomb(900), "", ANYTHING);
    std::fs::write(daemon.path("bomb.wasm"), bomb).expect("written");
    let after = format!("{before}[plugins.bomb]\ncomponent = \"./bomb.wasm\"\n");
    std::fs::write(daemon.path("weir.toml"), after).expect("written");
    daemon.signal("HUP");
    until("it compiles", || !children(&daemon).is_empty());
    let compiler = children(&daemon)[0];
    daemon.signal("TERM");
    let status = daemon.wait(Duration::from_secs(30)).expect("it ends");
    assert!(status.success(), "{status}");
    until("its compiler ends with it", || {
        !std::path::Path::new(&format!("/proc/{compiler}")).exists()
    });
}

/// What is serving with a configuration that is being loaded, and one that mends it.
struct Stale {
    daemon: Daemon,
    web: std::net::SocketAddr,
    mended: String,
}

impl Stale {
    /// Loads `count` plugins of this component, which takes longer than anybody waits.
    fn loading(component: &[u8], count: usize) -> Stale {
        let web = free_address();
        let before = format!(
            "[server]\nworkers = 1\ncompile = {{ time = \"1h\", memory = \"64GiB\" }}\n\
             [listeners.web]\nbind = \"{web}\"\n"
        );
        let binary = env!("CARGO_BIN_EXE_weir-under-test");
        let daemon = Daemon::start(binary, &["run"], &[("weir.toml", &before)]);
        wait_for_port(web);
        std::fs::write(daemon.path("slow.wasm"), component).expect("written");
        let table = |at: usize| format!("[plugins.slow-{at}]\ncomponent = \"./slow.wasm\"\n");
        let plugins: String = (0..count).map(table).collect();
        daemon.replace("weir.toml", format!("{before}{plugins}"));
        daemon.signal("HUP");
        let mended = format!(
            "{before}[plugins.fine]\ncomponent = \"mock\"\n[routes.fine]\nplugins = [\"fine\"]\n"
        );
        Stale { daemon, web, mended }
    }

    /// Replaces it, and waits until that serves.
    fn mend(&self, signal: bool) -> Duration {
        assert_ne!(get(self.web, "/").status, 200);
        let since = Instant::now();
        self.daemon.replace("weir.toml", &self.mended);
        if signal {
            self.daemon.signal("HUP");
        }
        until("the mended one waits", || get(self.web, "/").status == 200);
        since.elapsed()
    }
}

#[test]
fn a_newer_configuration_does_not_wait_for_one_that_compiles() {
    for signal in [true, false] {
        let stale = Stale::loading(&hostile(&compile_bomb(900), "", ANYTHING), 1);
        until("it compiles", || !children(&stale.daemon).is_empty());
        stale.mend(signal);
        until("its compiler ends", || children(&stale.daemon).is_empty());
    }
}

#[test]
fn a_newer_configuration_does_not_wait_for_plugins_that_never_take_theirs() {
    // Another one each time: the last run's is compiled already.
    let salt = std::time::UNIX_EPOCH.elapsed().map_or(0, |now| now.subsec_nanos());
    let code = format!("(drop (i32.const {salt})) (loop $for_ever (br $for_ever)) (i32.const 128)");
    let endless = hostile("", "", &code);
    // A second of processor time each.
    let stale = Stale::loading(&endless, 60);
    until("it compiles", || !children(&stale.daemon).is_empty());
    until("it configures", || children(&stale.daemon).is_empty());
    let took = stale.mend(true);
    assert!(took < Duration::from_secs(30), "{took:?}");
}
