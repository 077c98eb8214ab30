//! Connections that are being opened, for all who will have room on them.
//!
//! In: requests that find no room, where the endpoint is expected to speak HTTP/2. Out: one connection
//! for as many of them as it has streams, or why there is none. Never: opens one for each of those who
//! come before its SETTINGS; gives one up because whoever came first is gone.
//!
//! What an endpoint speaks over TLS is not known at first: where that turns out to be HTTP/1.1, one of
//! those who waited takes the connection and each of the others opens its own, once on each worker.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;
use weir_core::error::{Error, Kind, Result, Side};
use weir_core::turns;

use super::{Opened, Pool};
use crate::upstream::lease::{Http2, Slot};
use crate::upstream::streams::STREAMS_PER_CONNECTION;

/// Those of one pool.
pub struct Openings {
    underway: RefCell<Vec<Rc<Opening>>>,
    /// The next one will be shared, as far as is known.
    shared: Cell<bool>,
    /// Streams that it will have, as far as is known.
    streams: Cell<usize>,
}

/// A place on one of them, until it is dropped: whoever gave up leaves it to others.
pub struct Joined(Rc<Opening>);

/// One of them.
struct Opening {
    /// Requests that may still wait for it.
    room: Cell<usize>,
    stage: RefCell<Stage>,
    over: Notify,
}

enum Stage {
    Underway,
    Shared(Http2),
    /// It is for whoever takes it from the pool.
    Single,
    Failed(Error),
}

/// Tells those who wait, also where it comes to no end.
struct Underway(Rc<Pool>, Rc<Opening>);

impl Openings {
    /// `shared`: what the endpoint is expected to speak is for several at once.
    pub fn new(shared: bool) -> Openings {
        Openings {
            underway: RefCell::default(),
            shared: Cell::new(shared),
            streams: Cell::new(STREAMS_PER_CONNECTION),
        }
    }

    pub fn are_shared(&self) -> bool {
        self.shared.get()
    }

    /// It is known what the endpoint speaks.
    pub fn set_shared(&self, shared: bool) {
        self.shared.set(shared);
    }

    /// It is known how many streams a connection has.
    pub fn set_streams(&self, streams: usize) {
        self.streams.set(streams);
    }

    /// One that has room for one more.
    pub fn join(&self) -> Option<Joined> {
        let underway = self.underway.borrow();
        let opening = underway.iter().find(|opening| opening.room.get() > 0)?;
        Some(Joined::new(opening))
    }

    /// Opens one more for the caller, and whoever joins.
    pub fn start(&self, pool: &Rc<Pool>, slot: Slot) -> Joined {
        let opening = Rc::new(Opening {
            room: Cell::new(self.streams.get()),
            stage: RefCell::new(Stage::Underway),
            over: Notify::new(),
        });
        self.underway.borrow_mut().push(opening.clone());
        let underway = Underway(pool.clone(), opening.clone());
        turns::spawn_for_all(async move {
            let opened = underway.0.connect(slot).await;
            underway.end(opened);
        });
        Joined::new(&opening)
    }
}

impl Joined {
    fn new(opening: &Rc<Opening>) -> Joined {
        opening.room.set(opening.room.get().saturating_sub(1));
        Joined(opening.clone())
    }

    /// The connection when it is there; none where there is no room on it.
    pub async fn over(&self) -> Result<Option<Opened>> {
        loop {
            let told = self.0.over.notified();
            match &*self.0.stage.borrow() {
                Stage::Underway => {}
                Stage::Single => return Ok(None),
                Stage::Failed(error) => return Err(error.clone()),
                Stage::Shared(connection) => {
                    // One that was closed says so to whoever asks it.
                    let takes =
                        connection.is_closed() || connection.has_room(STREAMS_PER_CONNECTION);
                    return Ok(takes.then(|| Opened::Http2(connection.clone())));
                }
            }
            told.await;
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.0.room.set(self.0.room.get() + 1);
    }
}

impl Underway {
    fn end(&self, opened: Result<Opened>) {
        let Underway(pool, opening) = self;
        let stage = match opened {
            Ok(Opened::Http2(connection)) => Stage::Shared(connection),
            Ok(Opened::Http1(connection)) => {
                pool.keep(connection);
                Stage::Single
            }
            Err(error) => Stage::Failed(error),
        };
        opening.stage.replace(stage);
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let Underway(pool, opening) = self;
        pool.openings.underway.borrow_mut().retain(|other| !Rc::ptr_eq(other, opening));
        if matches!(*opening.stage.borrow(), Stage::Underway) {
            let error = Error::new(
                Kind::ProxyInternalError,
                Side::Proxy,
                "what opened the connection is gone",
            );
            opening.stage.replace(Stage::Failed(error.unsent()));
        }
        opening.over.notify_waiters();
    }
}
