//! The command line.
//!
//! In: arguments. Out: an exit code: 0 fine, 1 it failed, 2 the command line or configuration is
//! wrong. Never: prints a backtrace; errors go to stderr, one each line of thought.

pub mod demo;
mod file_size;
mod manual;
mod open_files;
mod page_size;
mod plugin;
mod print;
mod problems;
mod proxy;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory as _, Parser, Subcommand};
use weir_core::clock::Clock;
use weir_core::config::{Environment, Problem, Source};
use weir_wasm::{BuiltIn, LoadedPlugin, Loader, Task};

use crate::control::{self, Options, StartError};
use print::{complain, say};

/// A reverse proxy whose every middleware is a sandboxed WebAssembly component.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about, after_help = ENVIRONMENT)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy; SIGHUP or a changed file reloads, SIGTERM drains.
    #[command(after_help = ENVIRONMENT)]
    Run(File),
    /// Build everything but the listeners: exit 0, or 2 and every problem at once, with its line.
    Check(File),
    /// Serve an embedded example of everything, and print what to try.
    Demo(demo::Arguments),
    /// Proxy to one place without a file.
    Proxy(proxy::Arguments),
    /// Look at plugins.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Print what a shell completes of this command line.
    Completions {
        /// For which shell: `weir completions bash > /etc/bash_completion.d/weir`.
        shell: clap_complete::Shell,
    },
    /// Write the pages of the manual into a folder.
    Manual {
        /// It is made where it is not there, e.g. `/usr/share/man/man1`.
        folder: PathBuf,
    },
    /// What this binary starts itself with, to do apart what a component could make expensive.
    #[command(name = weir_wasm::APART, hide = true)]
    Apart {
        #[arg(value_parser = task)]
        task: Task,
        /// Bytes.
        #[arg(long)]
        memory: u64,
        /// Milliseconds.
        #[arg(long)]
        time: u64,
    },
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
struct File {
    /// A TOML file, or a folder of them. Absent: weir.toml; where that is not there either, the
    /// variables alone, if there are any.
    #[arg(short, long)]
    config: Option<PathBuf>,
}

/// What `--help` says of the environment.
const ENVIRONMENT: &str = "\
Environment:
  WEIR__SERVER__ADMIN=127.0.0.1:9901   any key of the configuration by its path, over what a file says
  WEIR_LOG, RUST_LOG                   the log's level, over server.log
  XDG_CACHE_HOME, HOME                 where compiled plugins are kept, unless server.cache says";

/// Where the configuration is, if nobody says so.
const DEFAULT: &str = "weir.toml";

/// Runs the command line of this process; `built_ins` are the plugins that come with it.
pub fn main(built_ins: &'static [BuiltIn]) -> ExitCode {
    file_size::survive();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Nobody may be there to read what is wrong.
        Err(error) if error.use_stderr() => {
            let _ = error.print();
            return ExitCode::from(2);
        }
        Err(asked) => return print::said(asked.print()),
    };
    match arguments.command {
        Command::Run(file) => run(options(file.source(), built_ins)),
        Command::Check(file) => check(&options(file.source(), built_ins)),
        Command::Demo(arguments) => demo::run(&arguments, built_ins),
        Command::Proxy(arguments) => {
            let source = Source::Text { name: "weir proxy".into(), text: arguments.to_toml() };
            run(options(source, built_ins))
        }
        Command::Plugin(command) => plugin::run(&command, built_ins),
        Command::Completions { shell } => manual::completions(shell, Arguments::command()),
        Command::Manual { folder } => manual::write(&folder, Arguments::command()),
        Command::Apart { task, memory, time } => {
            match weir_wasm::serve_task(task, memory, Duration::from_millis(time)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
    }
}

impl File {
    fn source(self) -> Source {
        let file = Path::new(DEFAULT);
        match self.config {
            None if !file.exists() && Environment::of_process().configures() => {
                Source::Text { name: "the environment".into(), text: String::new() }
            }
            config => Source::Path(config.unwrap_or_else(|| file.to_owned())),
        }
    }
}

fn task(word: &str) -> Result<Task, &'static str> {
    Task::of_word(word).ok_or("no such task")
}

fn options(source: Source, built_ins: &'static [BuiltIn]) -> Options {
    Options {
        source,
        environment: Environment::of_process(),
        built_ins,
        loader: Loader::this_program(),
        clock: Clock::System,
    }
}

fn run(options: Options) -> ExitCode {
    let _log = match weir_core::telemetry::log::init() {
        Ok(guard) => guard,
        Err(error) => return failed(&StartError::from(error)),
    };
    page_size::keep_small();
    open_files::raise();
    open_files::make_room();
    file_size::tell();
    match control::run(options, |_, _| {}) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn check(options: &Options) -> ExitCode {
    match control::build(options) {
        Ok((config, plugins)) => {
            problems::show(&[], &config.warnings);
            let count =
                |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
            let can = |plugin: &Arc<LoadedPlugin>| {
                format!("{} can {}\n", plugin.name(), plugin.capabilities().can.join(", "))
            };
            let can: String = plugins.iter().map(can).collect();
            say(&format!(
                "fine: {}, {}, {}, {}\n{can}",
                count(config.listeners.len(), "listener"),
                count(config.routes.len(), "route"),
                count(config.plugins.len(), "plugin"),
                count(config.upstreams.len(), "upstream"),
            ))
        }
        // Who asks for a check is a person, or a machine that shows it to one.
        Err(StartError::Config(problems)) => {
            let all: Vec<Problem> = problems.iter().cloned().collect();
            problems::show(&all, problems.warnings());
            ExitCode::from(2)
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &StartError) -> ExitCode {
    match error {
        StartError::Config(problems) if io::stderr().is_terminal() => {
            let all: Vec<Problem> = problems.iter().cloned().collect();
            problems::show(&all, problems.warnings());
        }
        StartError::Config(problems) => {
            problems.warnings().iter().for_each(|warning| complain(warning.as_warning()));
            complain(error);
        }
        _ => complain(error),
    }
    match error {
        StartError::Config(_) => ExitCode::from(2),
        StartError::System(..) | StartError::Ending => ExitCode::from(1),
    }
}
