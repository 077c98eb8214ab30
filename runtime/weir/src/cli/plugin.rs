//! `weir plugin`: what plugins there are, and what one is.
//!
//! In: a name or a file. Out: text on standard output. Never: runs a hook.

mod diff;

use std::path::PathBuf;
use std::process::ExitCode;

use weir_core::clock::Clock;
use weir_core::config::ComponentSource;
use weir_core::telemetry::acting::Shown;
use weir_core::telemetry::metrics::Metrics;
use weir_wasm::{About, BuiltIn, Host, HostOptions, Inspection, Loader};

use super::print::{complain, say};

/// `weir plugin …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// The built-in plugins.
    List,
    /// What a plugin can do and what it cannot, its hooks, imports and configuration schema.
    Inspect {
        /// A built-in plugin's name, or a `.wasm` file.
        component: String,
    },
    /// What changes from one component to another, line by line: what it can do, hooks, functions,
    /// configuration schema, size. Exit 0, or 1 where the new one can do what the old one cannot.
    Diff {
        /// A built-in plugin's name, or a `.wasm` file.
        old: String,
        /// The same.
        new: String,
    },
}

/// Runs the command.
pub fn run(command: &Command, built_ins: &'static [BuiltIn]) -> ExitCode {
    let host = match Host::new(HostOptions {
        cache_dir: None,
        metrics: Metrics::new(),
        clock: Clock::System,
        built_ins,
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
            for (name, _) in built_ins {
                let source = ComponentSource::BuiltIn((*name).into());
                match host.inspect(&source) {
                    Ok(inspected) => {
                        text += &format!("{name:<18} {}\n", Shown(&inspected.about.summary));
                    }
                    Err(problems) => return refuse(&problems),
                }
            }
            say(&text)
        }
        Command::Inspect { component } => match host.inspect(&source(component, built_ins)) {
            Ok(inspected) => say(&show(&inspected)),
            Err(problems) => refuse(&problems),
        },
        Command::Diff { old, new } => {
            let inspect = |component| host.inspect(&source(component, built_ins));
            match (inspect(old), inspect(new)) {
                (Ok(old), Ok(new)) => {
                    let (text, beyond) = diff::of(&old, &new);
                    let said = say(&text);
                    if beyond && said == ExitCode::SUCCESS { ExitCode::from(1) } else { said }
                }
                (Err(problems), _) | (_, Err(problems)) => refuse(&problems),
            }
        }
    }
}

/// A built-in plugin of that name, or else a file.
fn source(component: &str, built_ins: &[BuiltIn]) -> ComponentSource {
    match built_ins.iter().any(|(name, _)| *name == component) {
        true => ComponentSource::BuiltIn(component.into()),
        false => ComponentSource::File(PathBuf::from(component)),
    }
}

fn show(inspection: &Inspection) -> String {
    let Inspection { about, digest, size, hooks, imports, capabilities, functions: _ } = inspection;
    // What a component says of itself is a stranger's.
    let (name, version) = (Shown(&about.name), Shown(&about.version));
    let mut text = format!("{name} {version}\n{}\n\n", Shown(&about.summary));
    text += &format!("digest   sha256:{digest}\nsize     {size} bytes\n");
    text += &format!("hooks    {}\n", hooks.names().join(", "));
    for (title, words) in [("can", &capabilities.can), ("cannot", &capabilities.cannot)] {
        text += &format!("{title:<8} {}\n", words.join("\n         "));
    }
    let imports: Vec<String> = imports.iter().map(|import| Shown(import).to_string()).collect();
    text += &format!("imports  {}\n", imports.join("\n         "));
    if !about.config_schema.is_empty() {
        text += &format!("\nconfig\n{}\n", schema(about).join("\n"));
    }
    text
}

/// The lines of a configuration's schema.
fn schema(about: &About) -> Vec<String> {
    let schema = serde_json::from_str::<serde_json::Value>(&about.config_schema);
    let pretty = schema.and_then(|schema| serde_json::to_string_pretty(&schema));
    let schema = pretty.unwrap_or_else(|_| about.config_schema.clone());
    schema.lines().map(|line| Shown(line).to_string()).collect()
}

fn refuse(problems: &[weir_wasm::PluginProblem]) -> ExitCode {
    for problem in problems {
        complain(format_args!("error: {problem}"));
    }
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_component_says_moves_no_cursor() {
        let hostile = |text: &str| format!("{text}\u{1b}[2J\r\u{9b}1A\u{202e}");
        let about = About {
            name: hostile("name\nname"),
            version: hostile("1"),
            summary: hostile("summary"),
            config_schema: hostile("{\"title\": 1,\n"),
        };
        let (digest, imports) = ("00".to_owned(), vec![hostile("import")]);
        let (size, hooks, functions, capabilities) = Default::default();
        let inspection =
            Inspection { about, digest, size, hooks, imports, functions, capabilities };
        let shown = show(&inspection);
        assert!(shown.starts_with("name\\nname\\u{1b}[2J\\r\\u{9b}1A\\u{202e} 1"), "{shown}");
        let acts = |character: &char| weir_core::telemetry::acting::acts(*character);
        assert!(shown.chars().filter(acts).all(|character| character == '\n'), "{shown:?}");
    }
}
