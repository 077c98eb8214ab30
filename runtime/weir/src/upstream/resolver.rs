//! Looks names of endpoints up, on threads of its own.
//!
//! In: a name. Out: its addresses, as the system's resolver finds them. Never: makes a worker
//! wait, or needs a thread that may not be had: two exist from the start, and more are a help for
//! names whose servers keep silent, not a condition.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
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
static RESOLVER: Resolver = Resolver {
    state: Mutex::new(State { questions: VecDeque::new(), threads: 0, idle: 0 }),
    asked: Condvar::new(),
};

struct Resolver {
    state: Mutex<State>,
    asked: Condvar,
}

struct State {
    questions: VecDeque<Question>,
    threads: usize,
    idle: usize,
}

struct Question {
    host: Box<str>,
    port: u16,
    answer: oneshot::Sender<io::Result<Vec<SocketAddr>>>,
}

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
    RESOLVER.ask(Question { host: host.into(), port, answer })?;
    found.await.unwrap_or_else(|_| Err(io::Error::other("the look-up was given up")))
}

impl Resolver {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&'static self, question: Question) -> io::Result<()> {
        let mut state = self.state();
        if state.questions.len() >= WAITING {
            // Those that nobody waits for any more make room.
            state.questions.retain(|question| !question.answer.is_closed());
        }
        if state.questions.len() >= WAITING {
            return Err(io::Error::other("too many names are being looked up"));
        }
        if state.idle <= state.questions.len() && state.threads < MOST {
            let added = self.add_thread(&mut state, false);
            // At a limit of threads those that there are will come to it.
            if let Err(error) = added
                && state.threads == 0
            {
                return Err(error);
            }
        }
        state.questions.push_back(question);
        drop(state);
        self.asked.notify_one();
        Ok(())
    }

    fn add_thread(&'static self, state: &mut State, kept: bool) -> io::Result<()> {
        threads::spawn("resolver", "looks names up", move || while self.answer_one(kept) {})?;
        state.threads += 1;
        Ok(())
    }

    /// Waits for a question and answers it; false where the thread is to end.
    fn answer_one(&self, kept: bool) -> bool {
        let Some(Question { host, port, answer }) = self.next(kept) else { return false };
        if !answer.is_closed() {
            let _ = answer.send((&*host, port).to_socket_addrs().map(Iterator::collect));
        }
        true
    }

    fn next(&self, kept: bool) -> Option<Question> {
        let mut state = self.state();
        loop {
            if let Some(question) = state.questions.pop_front() {
                return Some(question);
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
}
