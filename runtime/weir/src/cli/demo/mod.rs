//! `weir demo`: everything at once on this machine, and what to try.
//!
//! In: `--bind`, `--admin`. Out: endpoints that echo, the proxy with `configs/demo.toml` before
//! them, and a list of `curl` lines with what each answers; serves until it is interrupted.
//! Never: needs a file, a network or another program.

mod echo;
mod examples;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

pub use examples::{EXAMPLES, Example, Shows, To, With};
use weir_core::config::{Environment, Source};
use weir_wasm::BuiltIn;

use super::print::{complain, say};
use crate::control::{self, StartError};

/// The configuration that is served, embedded.
const CONFIG: &str = include_str!("../../../../../configs/demo.toml");

/// `weir demo`
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:8080].
    #[arg(long)]
    bind: Option<SocketAddr>,
    /// The address of the admin listener [default: 127.0.0.1:9901].
    #[arg(long)]
    admin: Option<SocketAddr>,
}

/// Runs the command until SIGINT or SIGTERM.
pub fn run(arguments: &Arguments, built_ins: &'static [BuiltIn]) -> ExitCode {
    match serve(arguments, built_ins) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = super::failed(&error);
            let refused = std::error::Error::source(&error).and_then(|why| why.downcast_ref());
            if refused.is_some_and(is_of_an_address) {
                complain(
                    "hint: `weir demo --bind 127.0.0.1:0 --admin 127.0.0.1:0` takes free ports",
                );
            }
            code
        }
    }
}

/// Whether another address may help.
fn is_of_an_address(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
    matches!(error.kind(), AddrInUse | AddrNotAvailable | PermissionDenied)
}

fn serve(arguments: &Arguments, built_ins: &'static [BuiltIn]) -> Result<(), StartError> {
    let _log = weir_core::telemetry::log::init()?;
    let endpoints = echo::start()?;
    let source = Source::Text { name: "configs/demo.toml".into(), text: CONFIG.into() };
    let options = control::Options {
        environment: environment(arguments, endpoints),
        ..super::options(source, built_ins)
    };
    control::run(options, |running, admin| {
        say(&guide(running.address("web"), admin));
    })
}

/// The process's variables, the endpoints' addresses, and the options as overrides.
fn environment(arguments: &Arguments, endpoints: Vec<(&'static str, String)>) -> Environment {
    let options =
        [("WEIR__LISTENERS__WEB__BIND", arguments.bind), ("WEIR__SERVER__ADMIN", arguments.admin)];
    let options = options.into_iter().filter_map(|(name, to)| Some((name, to?.to_string())));
    endpoints
        .into_iter()
        .chain(options)
        .fold(Environment::of_process(), |all, (name, value)| all.with(name, value))
}

/// What is printed: every example as a line for a shell, and below it what that answers.
pub fn guide(web: Option<SocketAddr>, admin: Option<SocketAddr>) -> String {
    let base = |address: Option<SocketAddr>| address.map(|address| format!("http://{address}"));
    let (web, admin) = (base(web), base(admin));
    let mut text = String::from("\nWeir serves configs/demo.toml. In another terminal, try:\n");
    for example in EXAMPLES {
        let to = match example.to {
            To::Web => &web,
            To::Admin => &admin,
        };
        let Some(to) = to else { continue };
        if !example.about.is_empty() {
            text += &format!("\n{}\n", example.about);
        }
        text += &format!("  {}\n      → {}\n", example.command(to), example.promise());
    }
    text += "\nCtrl-C ends it.\n";
    text
}
