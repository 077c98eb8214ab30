//! Sockets of clients: listening, accepting, watching, closing.
//!
//! In: an address. Out: streams, each with its peer, its place under the listener's limit and a
//! record of its activity. Never: knows TLS or HTTP; it only counts bytes and time.

mod accept;
mod linger;
mod listen;
mod stream;
mod watch;
mod watched;

pub use accept::{Accepted, Acceptor, ConnectionLimit, ConnectionPlace};
pub use linger::{LINGER_BYTES, Linger};
pub use listen::{Listener, SocketFile, listen, socket_file};
pub use stream::Stream;
pub use watch::{
    Activity, Closed, LINGER_TIME, Observed, Overdue, Phase, SWEEP, Timeouts, Verdict, Watch,
    verdict,
};
pub use watched::Watched;
