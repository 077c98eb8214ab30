//! A soak: ordinary clients at a fixed rate, while hostile ones and hostile plugins do their worst.
//!
//! In: `--minutes`, `--rate` (requests a second) and `--quiet` (seconds without anybody hostile, for
//! comparison), `--workers` (of the daemon; half of the processors, the others are for who asks and who
//! answers), `--only` or `--without` (hostile clients by a part of their name, divided by commas: to
//! find what hurts). Out: a line a minute, and at the end whether the ordinary clients were hurt: an error,
//! a 99th percentile 5 ms above the quiet one's, or memory that grows after the first sixth; and how much
//! of a virtual machine's time went elsewhere, which p99 tells of as well. Never: a
//! proxy in this process: what is measured is the daemon, a child.
//!
//! ```sh
//! cargo bench --package weir-benches --bench soak -- --minutes 60
//! ```

mod daemon;
mod hostile;
mod machine;
mod ordinary;

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use daemon::Daemon;
use hostile::Chosen;
use machine::Machine;
use ordinary::{Latencies, Load};

/// The same as the daemon's own, for the child is this program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much later the slowest of a hundred answers may come while hostile clients are there.
const TOLERANCE: Duration = Duration::from_millis(5);
/// How much memory may grow after the first sixth of the time, in bytes.
const GROWTH: usize = 16 << 20;

struct Plan {
    length: Duration,
    quiet: Duration,
    rate: u32,
    workers: usize,
    chosen: Chosen,
    /// Whether what was measured decides: not in a run that only shows that this works.
    judges: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // A soak has options only. All else is the daemon's: also the commands with which it starts
    // this program anew, which must never get a soak, for that starts a daemon.
    if arguments.first().is_some_and(|first| !first.starts_with("--")) {
        return weir::cli::main(weir_bundle::BUILT_INS);
    }
    let Some(plan) = plan(&arguments) else {
        eprintln!(
            "soak: --minutes N, --rate N, --quiet SECONDS, --workers N, --only NAMES, --without NAMES"
        );
        return ExitCode::from(2);
    };
    soak(&plan)
}

/// Options that have a value. The others are cargo's: `--test` asks for a run that only shows that this
/// works.
const OPTIONS: [&str; 6] = ["--minutes", "--quiet", "--rate", "--workers", "--only", "--without"];

fn plan(arguments: &[String]) -> Option<Plan> {
    let mut left = arguments.iter().map(String::as_str);
    while let Some(argument) = left.next() {
        match argument {
            "--test" | "--bench" => {}
            // Nobody waits an hour for a slip of the pen.
            option if OPTIONS.contains(&option) => drop(left.next()?),
            _ => return None,
        }
    }
    let number = |name: &str, default: u64| -> Option<u64> {
        match arguments.iter().position(|argument| argument == name) {
            Some(at) => arguments.get(at + 1)?.parse().ok(),
            None => Some(default),
        }
    };
    let judges = !arguments.iter().any(|argument| argument == "--test");
    let length = Duration::from_secs(number("--minutes", 60)? * 60);
    let quiet = Duration::from_secs(number("--quiet", 60)?);
    let rate = u32::try_from(number("--rate", 1000)?).ok()?;
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let workers = usize::try_from(number("--workers", (processors as u64 / 2).max(1))?).ok()?;
    let names = |name: &str| match arguments.iter().position(|argument| argument == name) {
        Some(at) => arguments.get(at + 1)?.split(',').map(|name| Some(name.to_owned())).collect(),
        None => Some(Vec::new()),
    };
    let chosen = Chosen { only: names("--only")?, without: names("--without")? };
    Some(match judges {
        true => Plan { length, quiet, rate, workers, chosen, judges },
        false => Plan {
            length: Duration::from_secs(4),
            quiet: Duration::from_secs(1),
            rate: rate.min(100),
            workers,
            chosen,
            judges,
        },
    })
}

fn soak(plan: &Plan) -> ExitCode {
    // As the daemon does for itself: what is measured are not this process's own pages.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let awake = machine::stay_awake();
    if let Err(why) = &awake {
        println!("processors may sleep here, and wake late (/dev/cpu_dma_latency: {why})");
    }
    let daemon = Daemon::start(plan.workers);
    let load = Load::start(daemon.web(), plan.rate);
    let first = Machine::look();
    std::thread::sleep(plan.quiet);
    let quiet = load.take();
    println!("quiet: {quiet}, {}", Machine::look().stolen_since(first));

    let stop = Arc::new(AtomicBool::new(false));
    let clients = hostile::start(&daemon, &plan.chosen, &stop);
    let begun = Instant::now();
    let tick = Duration::from_secs(60).min(plan.length / 4);
    let mut all = Latencies::default();
    let mut settled = None;
    let mut looked = Machine::look();
    while begun.elapsed() < plan.length {
        std::thread::sleep(tick);
        let minute = load.take();
        let resident = daemon.resident();
        let now = Machine::look();
        let stolen = now.stolen_since(std::mem::replace(&mut looked, now));
        let seconds = begun.elapsed().as_secs();
        println!("{seconds:>5} s: {minute}, {} MiB, {stolen}", resident >> 20);
        if begun.elapsed() >= plan.length / 6 && settled.is_none() {
            settled = Some(resident);
        }
        all.add(&minute);
    }
    let grown = daemon.resident().saturating_sub(settled.unwrap_or_default());
    stop.store(true, Relaxed);
    println!("hostile clients:");
    for client in clients {
        println!("  {client}");
    }
    let stolen = Machine::look().stolen_since(first);
    let growth = grown >> 10;
    println!("all: {all}; the quiet part: {quiet}; memory grew by {growth} KiB; {stolen}");

    let slower = all.percentile(0.99).saturating_sub(quiet.percentile(0.99));
    let mut verdict = Vec::new();
    if all.errors > 0 || quiet.errors > 0 {
        verdict.push(format!("{} ordinary requests were hurt", all.errors + quiet.errors));
    }
    if plan.judges && slower > TOLERANCE {
        let why = if stolen.is_much() { ", on a machine that others take away" } else { "" };
        verdict.push(format!("the slowest of a hundred came {slower:?} later{why}"));
    }
    if plan.judges && grown > GROWTH {
        verdict.push("memory is not flat".into());
    }
    for failure in &all.examples {
        println!("  {failure}");
    }
    match verdict.as_slice() {
        [] => ExitCode::SUCCESS,
        verdict => {
            eprintln!("soak: {}", verdict.join("; "));
            ExitCode::FAILURE
        }
    }
}
