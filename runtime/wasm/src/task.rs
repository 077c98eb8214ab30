//! What is done with a component before it may run: compiled, and its schema held against a
//! configuration.
//!
//! In: bytes from whoever wrote the component. Out: a plan and code, or every problem. Never: bounded by
//! itself; a few kilobytes can ask for more time and memory than there is. That is why it can be
//! done in a process of its own, whose side [`serve`] is; [`Apart`](super::apart::Apart) is the
//! other.
#![expect(clippy::disallowed_methods, reason = "what the kernel makes up needs no disk")]

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use wasmtime::Engine;

use super::compilers;
use super::component::inspect;
use super::engine;
use super::glue;
use super::plan::Plan;
use super::problem::Problem;
use super::schema;

/// Something to be done with a component, or with what it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A component to what [`Compiled::of`] takes.
    Compile,
    /// A [`Subject`] to the places of secrets in its configuration, a list as JSON.
    Check,
}

/// What [`Task::Check`] works on.
#[derive(Serialize, Deserialize)]
pub struct Subject<'a> {
    pub config: std::borrow::Cow<'a, str>,
    pub schema: std::borrow::Cow<'a, str>,
}

/// What a task makes.
pub type Done = Result<Vec<u8>, Vec<Problem>>;

/// Threads of a child, where so many are to be had. Each takes memory, and more of them leave nothing
/// for who serves.
const MOST_THREADS: usize = 4;

/// Bytes of a plan. The largest of what comes with Weir takes a few thousand.
pub const MAX_PLAN: u64 = 1 << 20;

/// What a component was compiled to.
#[derive(Debug)]
pub struct Compiled {
    /// As JSON.
    pub plan: Vec<u8>,
    /// What [`Engine::precompile_component`] gives of the plan's [`bundle`](glue::bundle).
    pub code: Vec<u8>,
}

/// Before an answer that is made, or a list of problems.
const MADE: u8 = b'+';
const PROBLEMS: u8 = b'-';

impl Task {
    /// The word for it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Task::Compile => "compile",
            Task::Check => "check",
        }
    }

    pub fn of_word(word: &str) -> Option<Task> {
        [Task::Compile, Task::Check].into_iter().find(|task| task.word() == word)
    }

    /// What it is, for a sentence that begins so.
    pub fn says(self) -> &'static str {
        match self {
            Task::Compile => "compiling the component",
            Task::Check => "checking `config` against the plugin's schema",
        }
    }
}

/// Compiles a component for this engine.
pub fn compile(engine: &Engine, component: &[u8]) -> Result<Compiled, Vec<Problem>> {
    let failed = |why: &dyn fmt::Display| {
        vec![Problem::component(format!("the component does not compile: {why}"))]
    };
    let plan = Plan::of(component).map_err(|refused| failed(&refused))?;
    inspect(&plan)?;
    let bundle = glue::bundle(component, &plan).map_err(|error| failed(&error))?;
    let plan = serde_json::to_vec(&plan).map_err(|error| failed(&error))?;
    if plan.len() as u64 > MAX_PLAN {
        return Err(failed(&format_args!(
            "how it is linked takes more than {MAX_PLAN} bytes to say"
        )));
    }
    let code =
        engine.precompile_component(&bundle).map_err(|error| failed(&format_args!("{error:#}")))?;
    Ok(Compiled { plan, code })
}

impl Compiled {
    /// The plan's length, the plan, the code.
    fn into_bytes(self) -> Vec<u8> {
        let length = (self.plan.len() as u64).to_le_bytes();
        [&length, &self.plan[..], &self.code].concat()
    }

    /// What [`Task::Compile`] made; `None` if that is nothing it makes.
    pub fn of(bytes: &[u8]) -> Option<Compiled> {
        let (length, rest) = bytes.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (plan, code) = rest.split_at_checked(length)?;
        Some(Compiled { plan: plan.to_vec(), code: code.to_vec() })
    }
}

/// Holds a configuration against a schema.
pub fn check(subject: &Subject<'_>) -> Done {
    // Texts are always JSON.
    let said = |secrets: Vec<String>| serde_json::to_vec(&secrets).unwrap_or_default();
    schema::check(&subject.config, &subject.schema).map(said)
}

/// Does a task as the child of a daemon: what to work on comes by standard input, what is made goes
/// to standard output. Limits this process first, so that nothing it works on can take the memory
/// or the processor from those who serve.
///
/// # Errors
/// Where a limit cannot be set, or the parent is gone.
pub fn serve(task: Task, memory: u64, time: Duration) -> io::Result<()> {
    confine(memory, time)?;
    let mut input = Vec::new();
    io::stdin().lock().read_to_end(&mut input)?;
    let done = match task {
        Task::Compile => {
            let engine = engine::compiler().map_err(io::Error::other)?;
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            compilers::on_what_there_is(threads.min(MOST_THREADS), || compile(&engine, &input))
                .unwrap_or_else(|error| Err(vec![Problem::component(error.to_string())]))
                .map(Compiled::into_bytes)
        }
        Task::Check => check(&serde_json::from_slice(&input)?),
    };
    let mut output = io::stdout().lock();
    match done {
        Ok(made) => {
            output.write_all(&[MADE])?;
            output.write_all(&made)?;
        }
        Err(problems) => {
            output.write_all(&[PROBLEMS])?;
            let secrets: Vec<String> =
                problems.first().map(|problem| problem.secrets.to_vec()).unwrap_or_default();
            serde_json::to_writer(&mut output, &(Problem::few(problems), secrets))?;
        }
    }
    output.flush()
}

/// What a child that ended well has said; `None` if that is nothing a child says.
pub fn answer(mut said: Vec<u8>) -> Option<Done> {
    let kind = *said.first()?;
    said.remove(0);
    match kind {
        MADE => Some(Ok(said)),
        PROBLEMS => {
            let (problems, secrets): (Vec<Problem>, Vec<String>) =
                serde_json::from_slice(&said).ok()?;
            let secrets: Arc<[String]> = secrets.into();
            let known = |problem| Problem { secrets: secrets.clone(), ..problem };
            Some(Err(problems.into_iter().map(known).collect()))
        }
        _ => None,
    }
}

fn confine(memory: u64, time: Duration) -> io::Result<()> {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    // The system sends SIGXCPU at the first, SIGKILL at the second.
    limit(Resource::Cpu, seconds, seconds + 1)?;
    limit(Resource::As, memory, memory)?;
    limit(Resource::Core, 0, 0)?;
    // It has nothing to write to a file.
    limit(Resource::Fsize, 0, 0)?;
    // Who serves comes first; a system that has no more memory takes it from here.
    let _ = rustix::process::nice(5);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

/// Sets a limit, or keeps a lower one that was there.
fn limit(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let allowed = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let lowered = |limit: u64| Some(limit.min(allowed));
    Ok(setrlimit(resource, Rlimit { current: lowered(current), maximum: lowered(maximum) })?)
}
