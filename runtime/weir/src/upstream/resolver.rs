//! Looks names of endpoints up, on threads of its own.
//!
//! In: a name. Out: its addresses, as the system's resolver finds them. Never: makes a worker
//! wait, or needs a thread that may not be had: two exist from the start, and more are a help for
//! names whose servers keep silent, not a condition. Never asks for a name that is asked for already: whoever
//! asks again and again for one whose servers keep silent has one thread wait, and not all of them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use weir_core::threads;

/// Threads that live as long as the process.
const KEPT: usize = 2;
/// Threads at a time: so many names can keep their askers waiting before others have to.
const MOST: usize = 64;
/// Questions that may wait for a thread.
const WAITING: usize = 1024;
/// How long a thread beyond those that are kept waits for another question.
const IDLE: Duration = Duration::from_secs(10);

/// The process's own, as the system's resolver is.
static RESOLVER: Resolver =
    Resolver { state: LazyLock::new(Mutex::default), asked: Condvar::new() };

struct Resolver {
    state: LazyLock<Mutex<State>>,
    asked: Condvar,
}

#[derive(Default)]
struct State {
    /// Names that no thread has taken yet.
    questions: VecDeque<Name>,
    /// Who waits for a name, with and without a thread.
    asking: HashMap<Name, Vec<Answer>>,
    /// How many of them there are.
    waiting: usize,
    threads: usize,
    idle: usize,
}

type Name = (Arc<str>, u16);
type Answer = oneshot::Sender<io::Result<Vec<SocketAddr>>>;

/// Makes the threads that are kept, unless they are there.
///
/// # Errors
/// Where the system gives none.
pub fn start() -> io::Result<()> {
    let mut state = RESOLVER.state();
    while state.threads < KEPT {
        RESOLVER.add_thread(&mut state, true)?;
    }
    Ok(())
}

/// The addresses of a name; it may have none. Whoever stops waiting takes the question back.
///
/// # Errors
/// The name is unknown, its servers do not answer, or too many names are asked for already.
pub async fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let (answer, found) = oneshot::channel();
    RESOLVER.ask((host.into(), port), answer)?;
    found.await.unwrap_or_else(|_| Err(io::Error::other("the look-up was given up")))
}

impl Resolver {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&'static self, name: Name, answer: Answer) -> io::Result<()> {
        let mut state = self.state();
        if state.waiting >= WAITING {
            state.forget();
        }
        if state.waiting >= WAITING {
            return Err(io::Error::other("too many names are being looked up"));
        }
        if !state.asking.contains_key(&name) {
            if state.idle <= state.questions.len() && state.threads < MOST {
                let added = self.add_thread(&mut state, false);
                // At a limit of threads those that there are will come to it.
                if let Err(error) = added
                    && state.threads == 0
                {
                    return Err(error);
                }
            }
            state.questions.push_back(name.clone());
            self.asked.notify_one();
        }
        state.asking.entry(name).or_default().push(answer);
        state.waiting += 1;
        Ok(())
    }

    fn add_thread(&'static self, state: &mut State, kept: bool) -> io::Result<()> {
        threads::spawn("resolver", "looks names up", move || while self.answer_one(kept) {})?;
        state.threads += 1;
        Ok(())
    }

    /// Waits for a name and looks it up; false where the thread is to end.
    fn answer_one(&self, kept: bool) -> bool {
        let Some((host, port)) = self.next(kept) else { return false };
        let found = (&*host, port).to_socket_addrs().map(Vec::from_iter);
        let mut state = self.state();
        let asking = state.asking.remove(&(host, port)).unwrap_or_default();
        state.waiting -= asking.len();
        drop(state);
        for answer in asking {
            let copy =
                found.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()));
            let _ = answer.send(copy.cloned());
        }
        true
    }

    /// The next name that somebody waits for.
    fn next(&self, kept: bool) -> Option<Name> {
        let mut state = self.state();
        loop {
            while let Some(name) = state.questions.pop_front() {
                if state.is_wanted(&name) {
                    return Some(name);
                }
            }
            state.idle += 1;
            let waited = self.asked.wait_timeout(state, IDLE);
            let (back, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = back;
            state.idle -= 1;
            if waited.timed_out() && !kept && state.questions.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }
}

impl State {
    /// Whether anybody waits for it still. Where nobody does, it is no name that is asked for.
    fn is_wanted(&mut self, name: &Name) -> bool {
        let Some(asking) = self.asking.get_mut(name) else { return false };
        let before = asking.len();
        asking.retain(|answer| !answer.is_closed());
        self.waiting -= before - asking.len();
        if asking.is_empty() {
            self.asking.remove(name);
            return false;
        }
        true
    }

    /// Those who wait for nothing any more make room.
    fn forget(&mut self) {
        for asking in self.asking.values_mut() {
            asking.retain(|answer| !answer.is_closed());
        }
        self.waiting = self.asking.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_names_are_looked_up_at_once_by_a_bounded_number_of_threads() {
        start().expect("threads");
        let asked: Vec<_> =
            (0..500).map(|_| tokio::spawn(async { lookup("localhost", 80).await })).collect();
        for answer in asked {
            let found = answer.await.expect("no panic").expect("localhost is known");
            assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
        }
        let threads = RESOLVER.state().threads;
        assert!((KEPT..=MOST).contains(&threads), "{threads}");
        assert!(lookup("no such name", 80).await.is_err());
    }

    /// Whoever asks for it again waits for the same answer, and nobody else waits for it.
    #[tokio::test]
    async fn a_name_that_is_asked_for_is_not_asked_for_again() {
        static STUCK: Resolver =
            Resolver { state: LazyLock::new(Mutex::default), asked: Condvar::new() };
        let name: Name = ("silent.example".into(), 80);
        // As if a thread had it.
        STUCK.state().asking.insert(name.clone(), Vec::new());
        let mut found = Vec::new();
        for _ in 0..WAITING {
            let (answer, asked) = oneshot::channel();
            STUCK.ask(name.clone(), answer).expect("there is room");
            found.push(asked);
        }
        let kept = |state: &State| (state.threads, state.questions.len());
        assert_eq!(kept(&STUCK.state()), (0, 0));
        let (answer, _asked) = oneshot::channel();
        assert!(STUCK.ask(name.clone(), answer).is_err(), "as many wait as may");
        drop(found);
        let (answer, asked) = oneshot::channel();
        STUCK.ask(("localhost".into(), 80), answer).expect("those who gave up made room");
        assert!(asked.await.expect("an answer").is_ok());
        assert_eq!(STUCK.state().waiting, 0);
    }
}
