//! What only reloads touch: which numbers names have, and what is listened on.

use std::collections::HashMap;

use weir_core::config::Bind;

use super::build::Numbers;
use crate::net::{ConnectionLimit, SocketFile};

/// What only reloads touch.
#[derive(Default)]
pub struct State {
    pub numbers: Numbers,
    /// Where each address really is: port 0 was chosen by the system.
    pub bound: HashMap<Bind, Bound>,
    pub limits: HashMap<Bind, ConnectionLimit>,
}

/// An address that is listened on.
#[derive(Debug, Clone)]
pub struct Bound {
    pub at: Bind,
    /// Of a Unix socket, the file that leads to it.
    pub file: Option<SocketFile>,
}
