//! Tasks in a process of their own.
//!
//! In: a [`Task`] and what to work on. Out: what a child process made of it, or why not. Never:
//! waits longer than its bounds allow, or after it was told to stop; and whatever the component's
//! author thought of, the child pays for it: with its time, its memory, its stack.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use weir_core::clock;
use weir_core::config::{CompileLimits, Flaw};
use weir_core::threads;

use super::problem::Problem;
use super::task::{self, Compiled, Done, Task};

/// Where components are compiled and their schemas are looked at.
#[derive(Debug, Clone, Default)]
pub enum Loader {
    /// In this process: for who trusts each component it loads. A component that asks for more
    /// time or memory than there is gets it.
    #[default]
    Here,
    /// In a child: the program that it is, this `weir` binary itself.
    Apart(PathBuf),
}

/// A child's bounds, and who may end it before.
pub struct Apart<'a> {
    pub program: &'a Path,
    pub limits: CompileLimits,
    /// Asked often while the child works.
    pub stopped: &'a AtomicBool,
}

/// The command of the binary that [`task::serve`] is behind.
pub const COMMAND: &str = "apart";

/// How often it is looked whether to stop.
const LOOK: Duration = Duration::from_millis(20);
/// Time by the clock that a child has for each second of its processor time: the machine may be
/// busy with other things.
const PATIENCE: u32 = 10;

/// Why there is nothing.
enum Ended {
    Stopped,
    Late,
    TooLong,
    System(io::Error),
    Child(ExitStatus),
    Nonsense,
}

/// Killed and reaped when dropped.
struct Kept(Child);

impl Loader {
    /// The binary that runs now, even if its file has been replaced since.
    pub fn this_program() -> Loader {
        let running = PathBuf::from("/proc/self/exe");
        // Without `/proc` it is whatever the system thinks; what cannot be started says so.
        let named = || std::env::current_exe().unwrap_or_default();
        Loader::Apart(if running.exists() { running } else { named() })
    }
}

impl Apart<'_> {
    /// Compiles a component.
    ///
    /// # Errors
    /// As with [`Apart::run`].
    pub fn compile(&self, component: &[u8]) -> Result<Compiled, Vec<Problem>> {
        let made = self.run(Task::Compile, component)?;
        Compiled::of(&made).ok_or_else(|| vec![self.problem(Task::Compile, Ended::Nonsense)])
    }

    /// Does a task.
    ///
    /// # Errors
    /// What is wrong with the component, or that looking at it took more than it may.
    pub fn run(&self, task: Task, input: &[u8]) -> Done {
        let said =
            self.talk(task, input).and_then(|said| task::answer(said).ok_or(Ended::Nonsense));
        match said {
            Ok(done) => done,
            Err(ended) => Err(vec![self.problem(task, ended)]),
        }
    }

    fn talk(&self, task: Task, input: &[u8]) -> Result<Vec<u8>, Ended> {
        let deadline = clock::now() + self.limits.time * PATIENCE;
        let (mut child, mut stream) = self.spawn(task).map_err(Ended::System)?;
        // A child that ends early says why by its status.
        self.send(&mut stream, input, deadline)?;
        let said = self.receive(&mut stream, deadline)?;
        // It has closed its side: it is at its end.
        let status = child.0.wait().map_err(Ended::System)?;
        if status.success() { Ok(said) } else { Err(Ended::Child(status)) }
    }

    fn spawn(&self, task: Task) -> io::Result<(Kept, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(LOOK))?;
        ours.set_write_timeout(Some(LOOK))?;
        let mut command = Command::new(self.program);
        command
            .arg0("weir")
            .args([COMMAND, task.word()])
            .arg(format!("--memory={}", self.limits.memory))
            .arg(format!("--time={}", self.limits.time.as_millis()))
            // What the daemon knows from its environment is none of a component's business.
            .env_clear()
            .envs(std::env::var_os("LD_LIBRARY_PATH").map(|path| ("LD_LIBRARY_PATH", path)))
            // The allocator takes address space as it needs it, since that is what is bounded.
            .env("MIMALLOC_ARENA_RESERVE", "64MiB")
            .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::null())
            // Signals to the daemon's group, as from a terminal, are for the daemon.
            .process_group(0);
        Ok((Kept(command.spawn()?), ours))
    }

    fn send(&self, stream: &mut UnixStream, input: &[u8], deadline: Instant) -> Result<(), Ended> {
        let mut rest = input;
        while !rest.is_empty() {
            match stream.write(rest) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(error) if is_early(&error) => self.look(deadline)?,
                Err(_) => return Ok(()),
            }
        }
        // The other side may be gone by now; reading tells.
        let _ = stream.shutdown(Shutdown::Write);
        Ok(())
    }

    fn receive(&self, stream: &mut UnixStream, deadline: Instant) -> Result<Vec<u8>, Ended> {
        let mut said = Vec::new();
        let mut chunk = vec![0; 64 << 10];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) => return Ok(said),
                Ok(read) => said.extend_from_slice(chunk.get(..read).unwrap_or_default()),
                Err(error) if is_early(&error) => self.look(deadline)?,
                // Reset, for what was sent was not read: its status tells.
                Err(_) => return Ok(said),
            }
            if said.len() as u64 > self.limits.memory {
                return Err(Ended::TooLong);
            }
        }
    }

    fn look(&self, deadline: Instant) -> Result<(), Ended> {
        match self.stopped.load(Ordering::Relaxed) {
            true => Err(Ended::Stopped),
            false if clock::now() >= deadline => Err(Ended::Late),
            false => Ok(()),
        }
    }

    fn problem(&self, task: Task, ended: Ended) -> Problem {
        /// Linux and the BSDs agree on these.
        const ABORT: i32 = 6;
        const SEGMENTATION_FAULT: i32 = 11;
        const OUT_OF_TIME: i32 = 24;
        let CompileLimits { memory, time } = self.limits;
        let says = task.says();
        let about = match task {
            Task::Compile => "/component",
            Task::Check => "/config",
        };
        let at = |message: String| Problem::at(about, Flaw::Said(message));
        let costs = |what: String| {
            let hint = match task {
                Task::Compile => {
                    "a component that needs more than others may be none to trust; if it is, \
                     allow more with `server.compile = { time = …, memory = … }`"
                }
                Task::Check => "its author must write a simpler one",
            };
            at(format!("{says} takes more than {what}")).hint(hint)
        };
        match ended {
            Ended::Stopped => at(format!("{says} was interrupted")),
            Ended::Late => costs(format!("{:?} while the machine is this busy", time * PATIENCE)),
            Ended::TooLong => costs(format!("{} MiB", memory >> 20)),
            Ended::Child(status) => match status.signal() {
                Some(OUT_OF_TIME) => costs(format!("{time:?} of processor time")),
                Some(ABORT | SEGMENTATION_FAULT) => costs(format!(
                    "{} MiB of memory, or nests deeper than the stack allows",
                    memory >> 20
                )),
                _ => at(format!("{says} failed: its process ended with {status}"))
                    .hint("see whether limits of the system leave it processes and memory"),
            },
            Ended::Nonsense => at(format!("{says} failed: its process gave no answer")),
            Ended::System(error) => {
                let hint = match error.kind() {
                    io::ErrorKind::WouldBlock => threads::HINT,
                    _ => {
                        "Weir starts its own binary, as /proc/self/exe; where it may not, use a \
                         cache that was filled elsewhere"
                    }
                };
                at(format!("{says} takes a process of its own, which cannot be started: {error}"))
                    .hint(hint)
            }
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Nothing came yet.
fn is_early(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

#[cfg(test)]
mod tests;
