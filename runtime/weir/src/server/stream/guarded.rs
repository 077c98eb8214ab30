//! The request side of an HTTP/1.1 connection, as long as its framing is strict.
//!
//! In: bytes that were read. Out: those that may pass, heads only as a whole; what is held until more
//! comes, or until a request for another protocol is answered; and how it ends where something is
//! refused. Never: reads or writes the connection.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::ReadBuf;
use weir_core::error::Error;
use weir_core::http::framing::{self, FramingGuard, Inspected, Then};

use crate::proxy::{self, Refusal, Refused};

/// The request side of an HTTP/1.1 connection.
pub(super) struct Guarded {
    pub(super) guard: FramingGuard,
    refusal: Arc<Refusal>,
    /// The begin of a head whose end has not come.
    held: Vec<u8>,
    /// Looked at, and waiting for room.
    pub(super) passed: Bytes,
    /// Behind a request for another protocol, and not looked at.
    pub(super) behind: Vec<u8>,
    pub(super) end: Option<End>,
}

/// Nothing more is read.
pub(super) enum End {
    /// A head was refused: its stand-in, until hyper has it. `blank`: all that came of it is ends of
    /// lines.
    Head { stand_in: &'static [u8], blank: bool },
    /// A body was: hyper is given bytes that are no chunk, once.
    Body { poisoned: bool },
}

impl Guarded {
    pub(super) fn new(guard: FramingGuard, refusal: Arc<Refusal>) -> Guarded {
        let (held, passed, behind, end) = (Vec::new(), Bytes::new(), Vec::new(), None);
        Guarded { guard, refusal, held, passed, behind, end }
    }

    /// The begin of a head whose end has not come.
    pub(super) fn holds_head(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes back what must not pass, or not yet, or not so.
    pub(super) fn inspect(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let Some(fresh) = buffer.filled().get(before..) else { return };
        let first = self.guard.inspect(fresh);
        if first.then == Then::End && self.held.is_empty() {
            return;
        }
        let fresh = fresh.to_vec();
        buffer.set_filled(before);
        self.sort(&fresh, first);
    }

    /// Passes on what is complete, and holds the rest.
    fn sort(&mut self, fresh: &[u8], first: Inspected) {
        let mut out = Vec::new();
        let (mut rest, mut inspected) = (fresh, first);
        while let Some((clean, dirty)) = rest.split_at_checked(inspected.clean) {
            if !clean.is_empty() {
                out.append(&mut self.held);
                out.extend_from_slice(clean);
            }
            match inspected.then {
                Then::End => break,
                Then::Head => {
                    self.held.extend_from_slice(dirty);
                    break;
                }
                Then::Respell(end) => {
                    let (head, behind) = rest.split_at(end.min(rest.len()));
                    self.held.extend_from_slice(&head[clean.len()..]);
                    let head = std::mem::take(&mut self.held);
                    out.extend_from_slice(&framing::respell(&head).unwrap_or(head));
                    rest = behind;
                    inspected = self.guard.inspect(rest);
                }
                Then::Wait => {
                    self.behind = dirty.to_vec();
                    break;
                }
                Then::Refused(violation) if self.guard.is_in_head() => {
                    self.held.extend_from_slice(dirty);
                    self.refuse(violation.into());
                    break;
                }
                Then::Refused(violation) => {
                    tracing::debug!(violation = violation.as_str(), "body refused");
                    self.end = Some(End::Body { poisoned: false });
                    break;
                }
            }
        }
        self.passed = Bytes::from(out);
    }

    /// The request for another protocol was answered: what came behind it is that one's, or this
    /// one's.
    pub(super) fn go_on(&mut self, switched: bool) {
        let behind = std::mem::take(&mut self.behind);
        if switched {
            self.guard.release();
            self.passed = Bytes::from(behind);
        } else {
            self.guard.resume();
            let first = self.guard.inspect(&behind);
            self.sort(&behind, first);
        }
    }

    /// The head that is held is the connection's last.
    pub(super) fn refuse(&mut self, error: Error) {
        let held = std::mem::take(&mut self.held);
        let blank = held.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        let head = framing::glimpse(&held);
        self.end = Some(End::Head { stand_in: proxy::stand_in(&head), blank });
        self.refusal.leave(self.guard.heads().wrapping_add(1), Refused { error, head });
    }
}
