//! `weir completions` and `weir manual`: the command line, for shells and for `man`.
//!
//! In: the command line as clap knows it. Out: a script on standard output, or pages in a folder; both are
//! what packages install. Never: says anything that `--help` does not.
#![expect(clippy::disallowed_methods, reason = "it is a command that does nothing else")]

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use super::print::{complain, say};

/// Prints what `shell` completes.
pub fn completions(shell: Shell, mut command: Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "weir", &mut script);
    say(&String::from_utf8_lossy(&script))
}

/// Writes `weir.1`, and a page for each of its commands. Two builds of one commit write the same.
pub fn write(folder: &Path, command: Command) -> ExitCode {
    match pages(folder, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("error: the manual in {}: {error}", folder.display()));
            ExitCode::from(1)
        }
    }
}

fn pages(folder: &Path, command: Command) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command, folder)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Arguments;

    #[test]
    fn every_command_has_a_page_and_is_completed() {
        let folder = std::env::temp_dir().join(format!("weir-manual-{}", std::process::id()));
        pages(&folder.join("man1"), Arguments::command()).expect("a folder");
        let mut script = Vec::new();
        clap_complete::generate(Shell::Bash, &mut Arguments::command(), "weir", &mut script);
        let script = String::from_utf8(script).expect("text");
        for command in Arguments::command().get_subcommands() {
            let (name, shown) = (command.get_name(), !command.is_hide_set());
            let page = folder.join(format!("man1/weir-{name}.1"));
            assert_eq!(page.exists(), shown, "{name}");
            assert!(script.contains(name) || !shown, "{name}");
        }
        let page = fs::read_to_string(folder.join("man1/weir.1")).expect("a page");
        assert!(page.contains("WEIR__SERVER__ADMIN") && page.contains("weir\\-run(1)"), "{page}");
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
