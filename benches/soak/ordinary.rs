//! Ordinary clients: keep-alive connections that ask at a fixed rate, whatever the answers do.
//!
//! In: an address and a rate. Out: how late each answer came, counted from when it was due to be
//! asked for, and everything that was no good answer. Never: asks less because the proxy is slow; counts
//! what the client itself overslept.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use weir_tests::RawClient;

use crate::machine::precedes;

/// Connections that share the rate.
const CONNECTIONS: u8 = 20;
/// Failures that are told.
const EXAMPLES: usize = 5;

/// The clients; they ask until the process ends.
pub struct Load {
    seen: Arc<Mutex<Latencies>>,
}

/// What they saw.
#[derive(Debug, Default, Clone)]
pub struct Latencies {
    /// Microseconds of good answers.
    micros: Vec<u32>,
    pub errors: usize,
    pub examples: Vec<String>,
}

impl Load {
    pub fn start(address: SocketAddr, rate: u32) -> Load {
        let seen: Arc<Mutex<Latencies>> = Arc::default();
        let every = Duration::from_secs(1) * u32::from(CONNECTIONS) / rate.max(1);
        for number in 0..CONNECTIONS {
            let seen = seen.clone();
            let begin = Instant::now() + every * u32::from(number) / u32::from(CONNECTIONS);
            thread::spawn(move || {
                precedes();
                ask(number, address, begin, every, &seen);
            });
        }
        Load { seen }
    }

    /// What was seen since the last time.
    pub fn take(&self) -> Latencies {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn ask(
    number: u8,
    address: SocketAddr,
    mut due: Instant,
    every: Duration,
    seen: &Mutex<Latencies>,
) {
    // People, not one machine.
    let connect = || RawClient::try_connect_from([127, 0, 2, number + 1], address).ok();
    let mut client = connect();
    loop {
        let wait = due.saturating_duration_since(Instant::now());
        thread::sleep(wait);
        // Who had to sleep asks as soon as it wakes; who did not was kept by the answer before.
        let since = if wait > Duration::ZERO { Instant::now() } else { due };
        let answer = client.as_mut().and_then(|client| {
            client.send(b"GET /good HTTP/1.1\r\nhost: localhost\r\n\r\n");
            client.try_answer("GET")
        });
        let failure = match &answer {
            Some(answer) if answer.status == 200 && answer.header("x-mark").is_some() => None,
            Some(answer) => Some(format!("{answer:?}")),
            None => Some("no answer".to_owned()),
        };
        // A proxy that announces that it closes hurts nobody.
        let closes = answer.is_none_or(|answer| answer.header("connection") == Some("close"));
        if failure.is_some() || closes {
            client = connect();
        }
        let late = u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX);
        seen.lock().unwrap_or_else(PoisonError::into_inner).note(late, failure);
        due += every;
    }
}

impl Latencies {
    fn note(&mut self, late: u32, failure: Option<String>) {
        match failure {
            None => self.micros.push(late),
            Some(what) => {
                self.errors += 1;
                if self.examples.len() < EXAMPLES {
                    self.examples.push(what);
                }
            }
        }
    }

    pub fn add(&mut self, more: &Latencies) {
        self.micros.extend(&more.micros);
        self.errors += more.errors;
        let room = EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(more.examples.iter().take(room).cloned());
    }

    /// So late at most came this share of the good answers.
    pub fn percentile(&self, share: f64) -> Duration {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        Duration::from_micros(sorted.get(at).copied().unwrap_or_default().into())
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |share: f64| self.percentile(share).as_secs_f64() * 1e3;
        write!(
            f,
            "{} good, {} bad, p50 {:.2} ms, p99 {:.2} ms, last {:.1} ms",
            self.micros.len(),
            self.errors,
            millis(0.5),
            millis(0.99),
            millis(1.0)
        )
    }
}
