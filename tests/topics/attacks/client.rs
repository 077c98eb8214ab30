//! Clients that send what is no request, that wait, or that want more than their part.

mod containment;
mod desync;
mod framing;
mod limits;
mod seats;
mod shares;
mod stalled;
