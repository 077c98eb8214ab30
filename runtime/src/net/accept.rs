//! Accepting connections, up to a [limit](super::limit) that all workers share.
//!
//! In: a listening socket. Out: streams with their peer. Never: ends, and never spins: an error of
//! the system (no descriptors, no memory) is waited out, longer each time.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};

use super::limit::{ConnectionLimit, ConnectionPlace};
use super::{Listener, Stream, end_after};
use crate::client::ClientKey;
use crate::telemetry::metrics::ListenerMetrics;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A client that is gone tells within this when it is asked; looked for after each part.
const HEARD_WITHIN: [Duration; 4] = [
    Duration::from_millis(2),
    Duration::from_millis(8),
    Duration::from_millis(40),
    Duration::from_millis(100),
];

/// One worker's end of a listener.
#[derive(Debug)]
pub struct Acceptor {
    socket: Socket,
    limit: ConnectionLimit,
    metrics: ListenerMetrics,
    /// How long to wait after the next error.
    pause: Duration,
    /// How long clients may acknowledge nothing.
    patience: Option<Duration>,
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
        listener: Listener,
        limit: ConnectionLimit,
        metrics: ListenerMetrics,
    ) -> io::Result<Self> {
        let socket = match listener {
            Listener::Tcp(listener) => Socket::Tcp(TcpListener::from_std(listener)?),
            Listener::Unix(listener) => Socket::Unix(UnixListener::from_std(listener)?),
        };
        Ok(Acceptor { socket, limit, metrics, pause: FIRST_PAUSE, patience: None })
    }

    /// From now on connections whose client takes nothing for so long are ended, also where nobody
    /// else watches them: tunnels.
    pub fn end_after(&mut self, patience: Duration) {
        if let Socket::Tcp(socket) = &self.socket
            && self.patience != Some(patience)
        {
            end_after(socket, patience);
            self.patience = Some(patience);
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
            let accepted = match &self.socket {
                Socket::Tcp(socket) => {
                    let accepted = socket.accept().await;
                    accepted.map(|(stream, peer)| (stream.into(), Some(peer)))
                }
                Socket::Unix(socket) => {
                    socket.accept().await.map(|(stream, _)| (stream.into(), None))
                }
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.pause = FIRST_PAUSE;
                    let peer_ip = peer.map(|peer| peer.ip());
                    let key = peer_ip.map_or(ClientKey::Unnamed, ClientKey::from);
                    // Behind a Unix socket all are one.
                    let one = || peer_ip.is_some_and(|ip| !speaks_for_many(ip.to_canonical()));
                    match self.enter(key, one, &doubt).await {
                        Some(mut place) => {
                            if place.is_anothers {
                                self.metrics.rejected();
                            }
                            place.metrics = Some(self.metrics.accepted());
                            return Accepted { stream, peer, place };
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

    /// A place, also that of a client that has gone without a word.
    async fn enter(
        &self,
        key: ClientKey,
        one: impl Fn() -> bool,
        doubt: impl Fn() -> bool,
    ) -> Option<ConnectionPlace> {
        let place = self.limit.enter(key, &one);
        if place.is_some() || !doubt() {
            return place;
        }
        for pause in HEARD_WITHIN {
            tokio::time::sleep(pause).await;
            doubt();
            tokio::task::yield_now().await;
            if let Some(place) = self.limit.enter(key, &one) {
                return Some(place);
            }
        }
        None
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
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::config::Bind;
    use crate::net::listen;
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn only_the_system_is_waited_for() {
        for (code, of_one) in [(103, true), (104, true), (24, false), (23, false), (105, false)] {
            // ECONNABORTED, ECONNRESET; EMFILE, ENFILE, ENOBUFS
            assert_eq!(is_of_one_connection(&io::Error::from_raw_os_error(code)), of_one, "{code}");
        }
    }

    #[tokio::test]
    async fn beyond_the_limit_connections_are_closed() {
        let listener = listen(&Bind::Tcp("127.0.0.1:0".parse().unwrap()), 1).unwrap().remove(0);
        let address = listener.local_addr().unwrap();
        let metrics = Metrics::new();
        let limit = ConnectionLimit::new(Some(1));
        let mut acceptor = Acceptor::new(listener, limit, metrics.listener("web")).unwrap();
        let connect = || tokio::net::TcpStream::connect(address);
        let first = connect().await.unwrap();
        let accepted = acceptor.accept(|_| false, || false).await;
        assert_eq!(accepted.peer, Some(first.local_addr().unwrap()));
        let mut refused = connect().await.unwrap();
        let next = tokio::spawn(async move { acceptor.accept(|_| false, || false).await });
        assert_eq!(refused.read(&mut [0]).await.unwrap(), 0);
        drop(accepted);
        let third = connect().await.unwrap();
        assert_eq!(next.await.unwrap().peer, Some(third.local_addr().unwrap()));
        let text = metrics.render();
        assert!(text.contains("weir_connections_accepted_total{listener=\"web\"} 2"), "{text}");
        assert!(text.contains("weir_connections_rejected_total{listener=\"web\"} 1"), "{text}");
    }
}
