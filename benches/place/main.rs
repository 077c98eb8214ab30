//! What each plugin costs in the running proxy: processor time of a request of its route, beside that of
//! a route without plugins.
//!
//! In: `--rounds`, `--requests` (of each row in a round), `--connections`, `--only` (rows by a part of
//! their name, divided by commas), `--waiting` (hooks that wait at once). Out: a table: a row for each plugin that comes with Weir, one for the
//! least that a plugin can do, one for six in a chain; microseconds above the plain route in the same round,
//! their median and range, and the ratio to it; and what memory the hooks that wait for a call of theirs hold, on
//! two workers. Never: judges: a busy machine costs every row more.
//!
//! The daemon is a child with one worker on the last processor; who asks and who answers have the others.
//!
//! ```sh
//! cargo bench --package weir-benches --bench place
//! ```

mod daemon;
mod load;
mod rows;
mod waiting;

use std::process::ExitCode;

use daemon::{Cost, Daemon};
use load::{Endpoint, Load};
use rows::{ROWS, Row};

/// The same as the daemon's own, for the child is this program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug)]
struct Plan {
    rounds: usize,
    requests: usize,
    connections: usize,
    waiting: usize,
    /// Parts of rows' names; none: all rows.
    only: Vec<String>,
}

/// What a row cost in each round, and what the plain one did.
struct Measured<'a> {
    row: &'a Row,
    rounds: Vec<(Cost, Cost)>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // What is no option is the daemon's.
    if arguments.first().is_some_and(|first| !first.starts_with("--")) {
        return weir::cli::main(weir_bundle::BUILT_INS);
    }
    let Some(plan) = plan(&arguments) else {
        eprintln!("place: --rounds N, --requests N, --connections N, --waiting N, --only NAMES");
        return ExitCode::FAILURE;
    };
    run(&plan);
    ExitCode::SUCCESS
}

fn plan(arguments: &[String]) -> Option<Plan> {
    let mut plan =
        Plan { rounds: 5, requests: 20_000, connections: 16, waiting: 1000, only: Vec::new() };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // `cargo bench` says so.
            "--bench" => {}
            // A look whether this works.
            "--test" => plan = Plan { rounds: 1, requests: 200, waiting: 20, ..plan },
            "--rounds" => plan.rounds = arguments.next()?.parse().ok()?,
            "--requests" => plan.requests = arguments.next()?.parse().ok()?,
            "--connections" => plan.connections = arguments.next()?.parse().ok()?,
            "--waiting" => plan.waiting = arguments.next()?.parse().ok()?,
            "--only" => plan.only = arguments.next()?.split(',').map(str::to_owned).collect(),
            _ => return None,
        }
    }
    (plan.rounds > 0 && plan.requests > 0 && plan.connections > 0).then_some(plan)
}

fn run(plan: &Plan) {
    let wanted = |row: &&Row| {
        plan.only.is_empty() || plan.only.iter().any(|part| row.name.contains(part.as_str()))
    };
    let mut all: Vec<Measured<'_>> =
        ROWS.iter().filter(wanted).map(|row| Measured { row, rounds: Vec::new() }).collect();
    let endpoint = Endpoint::start();
    let daemon = Daemon::start(1, &endpoint);
    let load = Load { proxy: daemon.web(), connections: plan.connections };
    for row in all.iter().map(|measured| measured.row).chain([&rows::PLAIN]) {
        load.check(row);
    }
    let cost = |row: &Row| {
        // What is first met, connections and instances, is no request's.
        load.ask(row, plan.requests / 10 + plan.connections);
        let before = daemon.spent();
        load.ask(row, plan.requests);
        daemon.spent().since(before).of_each(plan.requests)
    };
    for round in 0..plan.rounds {
        // There and back: a machine that slows down does so for both ends of the table.
        let order: Vec<usize> = match round % 2 {
            0 => (0..all.len()).collect(),
            _ => (0..all.len()).rev().collect(),
        };
        for at in order {
            let plain = cost(&rows::PLAIN);
            let measured = &mut all[at];
            measured.rounds.push((cost(measured.row), plain));
        }
    }
    print(&all);
    drop(daemon);
    if plan.only.is_empty() {
        waiting::measure(&endpoint, plan.waiting);
    }
}

fn print(all: &[Measured<'_>]) {
    println!("{:<18} {:>9} {:>7}   {:>15} {:>7}", "", "µs above", "of it", "from … to", "× plain");
    println!("{:<18} {:>9} {:>7}", "", "", "user");
    for Measured { row, rounds } in all {
        let above = sorted(rounds.iter().map(|(cost, plain)| cost.micros - plain.micros));
        let user = sorted(rounds.iter().map(|(cost, plain)| cost.user - plain.user));
        let ratio = sorted(rounds.iter().map(|(cost, plain)| cost.micros / plain.micros));
        let range = format!("{:.2} … {:.2}", above[0], above[above.len() - 1]);
        let (above, user, ratio) = (median(&above), median(&user), median(&ratio));
        println!("{:<18} {above:>9.2} {user:>7.2}   {range:>15} {ratio:>7.2}", row.name);
    }
    let plain = sorted(all.iter().flat_map(|row| row.rounds.iter().map(|(_, plain)| plain.micros)));
    if !plain.is_empty() {
        println!("{:<18} {:>9.2} in all", "the plain route", median(&plain));
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}
