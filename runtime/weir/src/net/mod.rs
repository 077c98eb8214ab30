//! Sockets: listening, accepting, watching, closing.
//!
//! In: an address. Out: streams, each with its peer, its place under the listener's limit and a
//! record of its activity. Never: knows TLS or HTTP; it only counts bytes and time.

mod accept;
mod activity;
mod closed;
mod gone;
mod heard;
mod known;
mod limit;
mod linger;
mod listen;
mod overdue;
mod stall;
mod stream;
mod watch;
mod watched;

pub use accept::{Accepted, Acceptor};
pub use activity::Activity;
pub use closed::Closed;
pub use gone::{CLIENT_PATIENCE, ENDPOINT_PATIENCE, ask_when_silent, end_after};
pub use heard::{Heard, OnSocket};
pub use known::Known;
pub use limit::ConnectionLimit;
pub use linger::{LINGER_BYTES, Linger};
pub use listen::{ListenSocket, SocketFile, listen, remove_socket_file, socket_file};
pub use overdue::{Bounds, LINGER_TIME, Overdue, SWEEP};
pub use stall::Stall;
pub use stream::Stream;
pub use watch::Watch;
pub use watched::Watched;
