//! Loads of a configuration, on a thread of their own: each may take a while, and be stale before it
//! is at its end.
//!
//! In: that the configuration is to be read; meanwhile files that change, and orders. Out: how it
//! went. Never: two at a time; or one that goes on for long after what it read was replaced.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use tokio::sync::{mpsc, oneshot};
use weir_core::config::Sources;
use weir_core::threads;

use super::files::Files;
use super::options::StartError;
use super::order::Order;
use super::running::Running;

/// The way to the thread. It ends with this.
pub struct Loads(Sender<Load>);

/// One to be done.
struct Load {
    /// Files that are left as they were.
    without: Vec<PathBuf>,
    /// What was read, before it is built.
    read: oneshot::Sender<Sources>,
    done: oneshot::Sender<Result<(), StartError>>,
}

/// How it went.
pub struct Went {
    pub outcome: Result<(), StartError>,
    /// It was told to end, for something that it read is another now.
    pub stale: bool,
    /// Who asked for a reload meanwhile.
    pub orders: Vec<Order>,
}

impl Loads {
    /// Begins the thread, which is there before anything needs it.
    ///
    /// # Errors
    /// Where the system gives none.
    pub fn begin(running: Arc<Running>) -> Result<Loads, StartError> {
        let (loads, asked) = channel::<Load>();
        let live = move || {
            while let Ok(Load { without, read, done }) = asked.recv() {
                // Who waits may be gone.
                let _ = done.send(reload(&running, &without, |sources| drop(read.send(sources))));
            }
        };
        threads::spawn("loads", "loads what is to serve", live).map_err(StartError::from)?;
        Ok(Loads(loads))
    }

    /// Loads what is there now, without some files. Once something of it is replaced it is given up, where it `may` be.
    pub async fn load(
        &self,
        running: &Running,
        files: &mut Files,
        asked: &mut mpsc::Receiver<Order>,
        without: &[PathBuf],
        may: bool,
    ) -> Went {
        let ((read, mut sources), (done, mut outcome)) = (oneshot::channel(), oneshot::channel());
        let mut went = Went::default();
        if self.0.send(Load { without: without.to_vec(), read, done }).is_err() {
            return went;
        }
        let (mut is_read, mut hears) = (false, true);
        let give_up = |went: &mut Went| {
            went.stale = true;
            running.give_up();
        };
        loop {
            tokio::select! {
                biased;
                ended = &mut outcome => {
                    went.outcome = ended.unwrap_or_else(|_| Err(gone()));
                    return went;
                }
                read = &mut sources, if !is_read => {
                    is_read = true;
                    read.into_iter().for_each(|read| files.follow(read));
                }
                order = asked.recv(), if hears => {
                    hears = order.is_some();
                    went.orders.extend(order);
                    // One who asks again for the same has it when the load is at its end.
                    if may && is_read && files.have_changed(without) {
                        give_up(&mut went);
                    }
                }
                _ = files.changed(), if may && is_read && !went.stale => give_up(&mut went),
            }
        }
    }
}

impl Default for Went {
    fn default() -> Self {
        Went { outcome: Err(gone()), stale: false, orders: Vec::new() }
    }
}

fn gone() -> StartError {
    StartError::system("nothing is reloaded any more")
}

/// What is wrong in this process must not end it: it serves.
fn reload(
    running: &Running,
    without: &[PathBuf],
    read: impl FnOnce(Sources),
) -> Result<(), StartError> {
    match catch_unwind(AssertUnwindSafe(|| running.reload_without(without, read))) {
        Ok(reloaded) => reloaded.map(drop),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text =
                text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason");
            let text = format!("this is a bug of Weir's: it panicked: {text}");
            Err(running.refused(StartError::system(text)))
        }
    }
}
