//! Accepting connections, up to a [limit](super::limit) that all workers share.
//!
//! In: a listening socket. Out: streams with their peer. Never: ends, and never spins: an error of
//! the system (no descriptors, no memory) is waited out, longer each time. Never: more than a few of them
//! between two looks at the worker's sockets, however many come at once.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::time::Instant;
use weir_core::client::ClientKey;
use weir_core::telemetry::metrics::ListenerMetrics;

use super::limit::{ConnectionLimit, ConnectionPlace};
use super::{CLIENT_PATIENCE, ListenSocket, Stream, end_after};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A client that is gone tells within this when it is asked; looked for after each part.
const HEARD_WITHIN: [Duration; 4] = [
    Duration::from_millis(2),
    Duration::from_millis(8),
    Duration::from_millis(40),
    Duration::from_millis(100),
];

/// Connections that are accepted between two looks at the worker's sockets: half a millisecond's.
const AT_ONCE: u32 = 8;

/// Connections that wait for a client that may be gone; others beyond the limit are closed at once.
const DOUBTED: usize = 64;

/// One worker's end of a listener.
#[derive(Debug)]
pub struct Acceptor {
    socket: Socket,
    limit: ConnectionLimit,
    metrics: ListenerMetrics,
    /// How long to wait after the next error.
    pause: Duration,
    /// How long clients may acknowledge nothing.
    patience: Duration,
    /// Those that got no place while somebody is asked whether he is still there.
    doubted: Vec<Doubted>,
    /// Connections that may still be accepted before the worker looks at its sockets. Who may give way is
    /// looked for among all once until then: there are none left after it.
    left: u32,
}

/// A connection.
#[derive(Debug)]
pub struct Accepted {
    pub stream: Stream,
    /// `None` for a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Keep it as long as the connection.
    pub place: ConnectionPlace,
}

/// A connection that may get the place of one whose client is found to have gone.
#[derive(Debug)]
struct Doubted {
    stream: Stream,
    peer: Option<SocketAddr>,
    /// The parts of [`HEARD_WITHIN`] that are over.
    looked: usize,
    next: Instant,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Acceptor {
    /// Takes the socket into the calling runtime.
    ///
    /// # Errors
    ///
    /// The runtime cannot watch it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with IO.
    pub fn new(
        listener: ListenSocket,
        limit: ConnectionLimit,
        metrics: ListenerMetrics,
    ) -> io::Result<Self> {
        let socket = match listener {
            ListenSocket::Tcp(listener) => Socket::Tcp(TcpListener::from_std(listener)?),
            ListenSocket::Unix(listener) => Socket::Unix(UnixListener::from_std(listener)?),
        };
        let (pause, patience) = (FIRST_PAUSE, CLIENT_PATIENCE);
        let (doubted, left) = (Vec::new(), AT_ONCE);
        Ok(Acceptor { socket, limit, metrics, pause, patience, doubted, left })
    }

    /// From now on connections whose client takes nothing for so long, instead of [`CLIENT_PATIENCE`],
    /// are ended, also where nobody else watches them: tunnels.
    pub fn end_after(&mut self, patience: Duration) {
        if let Socket::Tcp(socket) = &self.socket
            && self.patience != patience
        {
            end_after(socket, patience);
            self.patience = patience;
        }
    }

    /// The next connection. Those beyond the limit are closed at once, where no other one gives way
    /// and no client is found to have gone. A peer that `speaks_for_many` has no share of them; `doubt`
    /// has those looked for that may be gone: see [`super::Watch::doubt`]. Cancel safe.
    pub async fn accept(
        &mut self,
        speaks_for_many: impl Fn(IpAddr) -> bool,
        doubt: impl Fn() -> bool,
    ) -> Accepted {
        loop {
            if self.left == 0 {
                tokio::task::yield_now().await;
                self.left = AT_ONCE;
            }
            let accepted = tokio::select! {
                () = look_again(&self.doubted) => {
                    doubt();
                    // Whoever is gone makes room when his task has run.
                    tokio::task::yield_now().await;
                    match self.look(&speaks_for_many) {
                        Some(accepted) => return accepted,
                        None => continue,
                    }
                }
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.pause = FIRST_PAUSE;
                    let place = self.enter(peer, &speaks_for_many);
                    let searched = place.as_ref().is_none_or(|place| place.is_anothers);
                    self.left = if searched { 0 } else { self.left.saturating_sub(1) };
                    match place {
                        Some(place) => return self.accepted(stream, peer, place),
                        None if self.doubted.len() < DOUBTED && doubt() => {
                            let next = Instant::now() + HEARD_WITHIN[0];
                            self.doubted.push(Doubted { stream, peer, looked: 0, next });
                        }
                        None => self.metrics.rejected(),
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, pause = ?self.pause, "cannot accept connections");
                    // Descriptors of clients that are gone come back.
                    doubt();
                    tokio::time::sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// A place for a peer.
    fn enter(
        &self,
        peer: Option<SocketAddr>,
        speaks_for_many: impl Fn(IpAddr) -> bool,
    ) -> Option<ConnectionPlace> {
        // Behind a Unix socket all are one.
        let one = || peer.is_some_and(|peer| !speaks_for_many(peer.ip().to_canonical()));
        self.limit.enter(ClientKey::of_peer(peer), one)
    }

    /// Gives the first that is due a place, if there is one by now.
    fn look(&mut self, speaks_for_many: impl Fn(IpAddr) -> bool) -> Option<Accepted> {
        let first =
            (0..self.doubted.len()).min_by_key(|at| self.doubted.get(*at).map(|it| it.next));
        let mut doubted = self.doubted.swap_remove(first?);
        self.left = 0;
        if let Some(place) = self.enter(doubted.peer, speaks_for_many) {
            return Some(self.accepted(doubted.stream, doubted.peer, place));
        }
        doubted.looked += 1;
        match HEARD_WITHIN.get(doubted.looked) {
            Some(part) => {
                doubted.next = Instant::now() + *part;
                self.doubted.push(doubted);
            }
            None => self.metrics.rejected(),
        }
        None
    }

    fn accepted(
        &self,
        stream: Stream,
        peer: Option<SocketAddr>,
        mut place: ConnectionPlace,
    ) -> Accepted {
        if place.is_anothers {
            self.metrics.rejected();
        }
        place.metrics = Some(self.metrics.accepted());
        Accepted { stream, peer, place }
    }
}

impl Socket {
    async fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Socket::Tcp(socket) => {
                socket.accept().await.map(|(stream, peer)| (stream.into(), Some(peer)))
            }
            Socket::Unix(socket) => socket.accept().await.map(|(stream, _)| (stream.into(), None)),
        }
    }
}

/// When the first one that is in doubt is due.
async fn look_again(doubted: &[Doubted]) {
    match doubted.iter().map(|doubted| doubted.next).min() {
        Some(next) => tokio::time::sleep_until(next).await,
        None => pending().await,
    }
}

/// The client was gone before it was accepted: nothing to wait for. (accept(2) hands out pending
/// network errors of the new socket.)
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionReset
            | ConnectionRefused
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | HostUnreachable
            | TimedOut
    )
}

#[cfg(test)]
mod tests;
