//! Clients that do not take their responses.
//!
//! In: bodies that are not over with their first frame, and a sweep. Out: for a client that takes
//! nothing, first its response is read ahead, which frees the endpoint's connection; if somebody
//! else waits for that connection, or the client's time is over, the response is cut. Never: reads
//! ahead beyond two bounds, of the client's connection and of the worker.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::spawn_local;
use weir_core::http::Pause;
use weir_core::turn;
use weir_core::turns::{self, Backlog};

use crate::net::{Known, SWEEP};

/// Most bytes that one worker reads ahead for all clients together.
const OF_A_WORKER: usize = 64 << 20;
/// For so long who is slow may take nothing: others have his endpoint's connection before only where
/// their time is nearly over.
const LONG_PAUSE: Duration = Duration::from_secs(3);

/// A body that its client may not take.
pub trait MayStall {
    /// When the client was given what it has not taken yet.
    fn stalled_since(&self) -> Option<Instant>;
    /// How long its client may take nothing.
    fn patience(&self) -> Duration;
    /// Whether it has to give way to somebody who waits for the place that it keeps.
    fn gives_way(&self, pause: Pause) -> bool;
    /// Whether it is to be given up where it cannot be read ahead: its stream's frames are so small that
    /// a few such streams would end the endpoint's connection, and those of others with it.
    fn is_dear_to_keep(&self) -> bool;
    /// Whether reading ahead may free the connection that it keeps: of a body that does not fit
    /// nothing is read.
    fn may_read_ahead(&self) -> bool;
    /// Reads what is there for as long as the turn lasts, while the client takes nothing.
    fn read_ahead(&mut self) -> Progress;
    /// Gives up a client that takes nothing: its stream on HTTP/2, else its connection.
    fn cut(&mut self, why: String);
}

/// What reading ahead came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There may be more at once.
    More,
    /// Nothing more now, or ever.
    Nothing,
}

type Stallable = RefCell<dyn MayStall>;

/// The bodies of one worker that may stall.
pub struct StalledBodies {
    open: Known<Stallable>,
    /// As of the last sweep.
    now: Cell<Instant>,
    /// There are some that are worth reading ahead.
    worth_reading: Notify,
    /// Those to be cut.
    due: Backlog<Weak<Stallable>>,
    pub ahead: Allowance,
}

enum Verdict {
    Keep,
    ReadAhead,
    Cut(Why),
}

/// Why a response is cut.
enum Why {
    /// The client took nothing within this time.
    Stalled(Duration),
    OthersWait,
    /// Its frames are a few bytes each.
    TooSmall,
}

/// Bytes that are read ahead.
#[derive(Debug, Default)]
pub struct Allowance {
    used: Cell<usize>,
}

impl StalledBodies {
    /// None yet, and the tasks that do for them what a sweep finds is to be done.
    ///
    /// # Panics
    /// Outside of a `LocalSet`; every worker is one.
    pub fn start(now: Instant) -> Rc<StalledBodies> {
        let stalled = Rc::new(StalledBodies {
            open: Known::default(),
            now: Cell::new(now),
            worth_reading: Notify::new(),
            due: Backlog::default(),
            ahead: Allowance::default(),
        });
        spawn_local(cut(stalled.clone()));
        turns::spawn_for_all(read_ahead(stalled.clone()));
        stalled
    }

    /// Bytes that the worker may still read ahead.
    pub fn room_ahead(&self) -> usize {
        self.ahead.left(OF_A_WORKER)
    }

    /// The time of the last sweep.
    pub fn now(&self) -> Instant {
        self.now.get()
    }

    /// From now on the sweep looks at it.
    pub fn watch<B: MayStall + 'static>(&self, body: B) -> Rc<RefCell<B>> {
        let body = Rc::new(RefCell::new(body));
        let known: Rc<Stallable> = body.clone();
        self.open.add(&known);
        body
    }

    /// Looks at all bodies.
    pub fn sweep(&self, now: Instant) {
        self.now.set(now);
        let mut worth_reading = false;
        // Whoever is to be cut already is not found twice.
        let all_are_cut = self.due.is_empty();
        for known in self.open.all() {
            let Some(download) = known.upgrade() else { continue };
            let Ok(download) = download.try_borrow() else { continue };
            match judge(&*download, now) {
                Verdict::Keep => {}
                Verdict::ReadAhead => worth_reading = true,
                Verdict::Cut(_) if all_are_cut => self.due.put(known),
                Verdict::Cut(_) => {}
            }
        }
        if worth_reading {
            self.worth_reading.notify_one();
        }
    }
}

/// What becomes of a body at a sweep.
fn judge(download: &dyn MayStall, now: Instant) -> Verdict {
    let Some(since) = download.stalled_since() else { return Verdict::Keep };
    let stalled = now.saturating_duration_since(since);
    // Stamps are as old as the sweep before them.
    if stalled > download.patience() + SWEEP {
        return Verdict::Cut(Why::Stalled(download.patience()));
    }
    let pause = if stalled > LONG_PAUSE { Pause::Long } else { Pause::Short };
    if stalled > SWEEP * 2 && download.gives_way(pause) {
        return Verdict::Cut(Why::OthersWait);
    }
    if stalled > SWEEP && download.is_dear_to_keep() {
        return Verdict::Cut(Why::TooSmall);
    }
    match stalled >= SWEEP && download.may_read_ahead() {
        true => Verdict::ReadAhead,
        false => Verdict::Keep,
    }
}

/// Cuts a few between two looks at the sockets, where they are still to be cut; for ever.
async fn cut(stalled: Rc<StalledBodies>) {
    let each = |due: Weak<Stallable>| {
        if let Some(download) = due.upgrade()
            && let Ok(mut download) = download.try_borrow_mut()
            && let Verdict::Cut(why) = judge(&*download, stalled.now())
        {
            download.cut(why.to_string());
        }
    };
    loop {
        stalled.due.filled().await;
        stalled.due.work_off(each).await;
    }
}

/// Reads all that are worth it, each as far as it goes, after each sweep that found some; for ever.
async fn read_ahead(stalled: Rc<StalledBodies>) {
    loop {
        stalled.worth_reading.notified().await;
        for download in stalled.open.all() {
            while read_some(&download) == Progress::More {
                poll_fn(turn::poll_proceed).await;
            }
            poll_fn(turn::poll_proceed).await;
        }
    }
}

/// Reads ahead until the turn is over, if the client is still there.
fn read_some(download: &Weak<Stallable>) -> Progress {
    let Some(download) = download.upgrade() else { return Progress::Nothing };
    let read = download.try_borrow_mut().map(|mut download| download.read_ahead());
    read.unwrap_or(Progress::Nothing)
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Stalled(most) => {
                write!(f, "the client took nothing of the response within {most:?}")
            }
            Why::OthersWait => f.write_str(
                "the client took nothing while others waited for its endpoint's connection",
            ),
            Why::TooSmall => {
                f.write_str("the client took nothing of a response in frames of a few bytes")
            }
        }
    }
}

impl Allowance {
    /// Bytes that may still be read, of so many.
    pub fn left(&self, most: usize) -> usize {
        most.saturating_sub(self.used.get())
    }

    pub fn take(&self, bytes: usize) {
        self.used.set(self.used.get().saturating_add(bytes));
    }

    pub fn give_back(&self, bytes: usize) {
        self.used.set(self.used.get().saturating_sub(bytes));
    }
}
