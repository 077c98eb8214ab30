//! `weir plugin`: what plugins there are, and what one is.
//!
//! In: a name or a file. Out: text on standard output. Never: runs a hook.

use std::path::PathBuf;
use std::process::ExitCode;

use super::print::{complain, say};
use crate::clock::Clock;
use crate::config::ComponentSource;
use crate::telemetry::metrics::Metrics;
use crate::wasm::{BUILT_INS, Host, HostOptions, Inspection, Loader};

/// `weir plugin …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// The built-in plugins.
    List,
    /// Hooks, imports, size and configuration schema of a plugin.
    Inspect {
        /// A built-in plugin's name, or a `.wasm` file.
        component: String,
    },
}

/// Runs the command.
pub fn run(command: &Command) -> ExitCode {
    let host = match Host::new(HostOptions {
        cache_dir: None,
        metrics: Metrics::new(),
        clock: Clock::System,
        built_ins: BUILT_INS,
        loader: Loader::this_program(),
    }) {
        Ok(host) => host,
        Err(error) => {
            complain(format_args!("error: this machine cannot run plugins: {error}"));
            return ExitCode::from(1);
        }
    };
    match command {
        Command::List => {
            let mut text = String::new();
            for (name, _) in BUILT_INS {
                let source = ComponentSource::BuiltIn((*name).into());
                match host.inspect(&source) {
                    Ok(inspected) => text += &format!("{name:<18} {}\n", inspected.about.summary),
                    Err(problems) => return refuse(&problems),
                }
            }
            say(&text)
        }
        Command::Inspect { component } => {
            let built_in = BUILT_INS.iter().any(|(name, _)| name == component);
            let source = match built_in {
                true => ComponentSource::BuiltIn(component.as_str().into()),
                false => ComponentSource::File(PathBuf::from(component)),
            };
            match host.inspect(&source) {
                Ok(inspected) => say(&show(&inspected)),
                Err(problems) => refuse(&problems),
            }
        }
    }
}

fn show(inspection: &Inspection) -> String {
    let Inspection { about, digest, hooks, imports } = inspection;
    let mut text = format!("{} {}\n{}\n\n", about.name, about.version, about.summary);
    text += &format!("digest   sha256:{digest}\n");
    text += &format!("hooks    {}\n", hooks.names().join(", "));
    text += &format!("imports  {}\n", imports.join("\n         "));
    if !about.config_schema.is_empty() {
        let schema = serde_json::from_str::<serde_json::Value>(&about.config_schema);
        let pretty = schema.and_then(|schema| serde_json::to_string_pretty(&schema));
        text += &format!("\nconfig\n{}\n", pretty.unwrap_or_else(|_| about.config_schema.clone()));
    }
    text
}

fn refuse(problems: &[crate::wasm::PluginProblem]) -> ExitCode {
    for problem in problems {
        complain(format_args!("error: {problem}"));
    }
    ExitCode::from(2)
}
