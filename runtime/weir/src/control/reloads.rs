//! The thread that starts, follows files, and has them loaded again; one thing at a time.
//!
//! In: orders to reload, and files that change. Out: what serves, and an answer to whoever asked.
//! Never: heard signals wait for it, or does it need a thread that it does not have from the start;
//! nor does a newer configuration wait behind one that is being [loaded](super::loads) and is stale.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use weir_core::config::Bind;
use weir_core::threads;

use super::files::Files;
use super::loads::Loads;
use super::options::{Options, StartError};
use super::order::{Order, ReloadResult};
use super::running::Running;
use super::start;
use crate::net::{self, ListenSocket as Socket, SocketFile};

/// Orders that may wait; whoever comes then is answered by the reload that they are waiting for.
const WAITING: usize = 128;
/// How long a reload that was asked for waits for files that are being written.
const PATIENCE: Duration = Duration::from_secs(5);
/// Loads that are given up in a row, for what they read has changed; then one goes on to its end.
const GIVEN_UP: u32 = 16;

/// The way to the thread. It ends with its last clone.
#[derive(Clone)]
pub struct Reloads(mpsc::Sender<Order>);

/// What the thread makes at its start.
pub struct Started {
    pub running: Arc<Running>,
    /// The admin listener's socket, and later another one where its file was lost.
    pub admin: mpsc::UnboundedReceiver<Socket>,
}

/// A reload that is due.
struct Due {
    /// Who asked for it.
    waiting: Vec<Order>,
    /// Files that are still being written.
    unfinished: Vec<PathBuf>,
}

/// Begins to start on a thread of its own.
///
/// # Errors
/// Where the system gives no thread.
pub fn begin(
    options: Options,
) -> Result<(Reloads, oneshot::Receiver<Result<Started, StartError>>), StartError> {
    let (orders, asked) = mpsc::channel(WAITING);
    let (told, started) = oneshot::channel();
    let live = move || match begun(options) {
        Err(error) => drop(told.send(Err(error))),
        Ok(Begun { runtime, admin, loads, started }) => {
            let running = started.running.clone();
            if told.send(Ok(started)).is_ok() {
                serve(&runtime, &running, admin, asked, &loads);
            }
        }
    };
    threads::spawn("reloads", "starts and reloads", live).map_err(StartError::from)?;
    Ok((Reloads(orders), started))
}

/// What the thread has once everything serves.
struct Begun {
    runtime: Runtime,
    admin: Admin,
    loads: Loads,
    started: Started,
}

fn begun(options: Options) -> Result<Begun, StartError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| StartError::refused("reloads", error))?;
    let (sockets, asked) = mpsc::unbounded_channel();
    let running = start::start(options)?;
    let admin = Admin::bind(&running, sockets).inspect_err(|_| running.remove_socket_files())?;
    let loads = Loads::begin(running.clone()).inspect_err(|_| running.remove_socket_files())?;
    Ok(Begun { runtime, admin, loads, started: Started { running, admin: asked } })
}

impl Reloads {
    /// Has the configuration read again, some time from now.
    pub fn ask(&self) {
        let (told, _) = oneshot::channel();
        // Where it is full, so many reloads wait that one more would read the same.
        if let Err(TrySendError::Closed(_)) = self.0.try_send(told) {
            tracing::error!("the thread that reloads has ended: restart to have files read again");
        }
    }

    /// Reads the configuration again and waits for what comes of it.
    ///
    /// # Errors
    /// What is wrong; the old configuration goes on serving.
    pub async fn reload(&self) -> ReloadResult {
        let gone = || Arc::new(StartError::system("nothing is reloaded any more"));
        let (told, outcome) = oneshot::channel();
        self.0.send(told).await.map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Waits on the runtime; what takes its time is done by the other thread.
fn serve(
    runtime: &Runtime,
    running: &Running,
    mut admin: Admin,
    mut asked: mpsc::Receiver<Order>,
    loads: &Loads,
) {
    let mut files = {
        let _entered = runtime.enter();
        Files::new()
    };
    files.follow(running.sources());
    let (mut orders, mut given_up) = (Vec::new(), 0);
    while let Some(Due { waiting, unfinished }) =
        runtime.block_on(due(&mut files, &mut asked, std::mem::take(&mut orders)))
    {
        if !unfinished.is_empty() {
            tracing::warn!(files = ?unfinished, "still being written to: left as they were");
        }
        let may = given_up < GIVEN_UP;
        let load = loads.load(running, &mut files, &mut asked, &unfinished, may);
        let went = runtime.block_on(load);
        orders = went.orders;
        if went.stale && went.outcome.is_err() {
            // Who waits for it waits for the newer one.
            given_up += 1;
            orders.splice(0..0, waiting);
            running.go_on();
            continue;
        }
        given_up = 0;
        running.go_on();
        if went.outcome.is_ok() {
            admin.come_back();
        }
        files.follow(running.sources());
        // Who wrote a configuration and asks for it is told that it is not in use.
        let written = unfinished.iter().find(|path| is_configuration(path));
        let outcome = match (went.outcome, written) {
            (Err(error), _) => Err(Arc::new(error)),
            (Ok(()), Some(path)) if !waiting.is_empty() => {
                let path = path.display();
                let why = format!("{path} is still being written to; it is read once that is over");
                Err(Arc::new(running.refused(StartError::system(why))))
            }
            (Ok(()), _) => Ok(unfinished.into()),
        };
        for order in waiting {
            // Whoever asked may be gone.
            let _ = order.send(outcome.clone());
        }
    }
}

/// Waits until the configuration is to be read again; `None`: never any more. Who asked already does
/// not wait.
async fn due(
    files: &mut Files,
    asked: &mut mpsc::Receiver<Order>,
    mut waiting: Vec<Order>,
) -> Option<Due> {
    let mut unfinished = None;
    if waiting.is_empty() {
        tokio::select! {
            order = asked.recv() => waiting.push(order?),
            without = files.changed() => unfinished = Some(without),
        }
    }
    let unfinished = match unfinished {
        Some(unfinished) => unfinished,
        None => files.settled(PATIENCE).await,
    };
    // Whoever asked until now wants what is written now.
    while let Ok(order) = asked.try_recv() {
        waiting.push(order);
    }
    Some(Due { waiting, unfinished })
}

/// A file of configuration, or a folder of them; not what one names.
fn is_configuration(path: &Path) -> bool {
    path.is_dir() || path.extension().is_some_and(|is| is == "toml")
}

/// The admin listener's address, which is bound at the start only.
struct Admin {
    running: Arc<Running>,
    bound: Option<(Bind, Option<SocketFile>)>,
    sockets: mpsc::UnboundedSender<Socket>,
}

impl Admin {
    fn bind(
        running: &Arc<Running>,
        sockets: mpsc::UnboundedSender<Socket>,
    ) -> Result<Admin, StartError> {
        let mut admin = Admin { running: running.clone(), bound: None, sockets };
        if let Some(built) = running.built()
            && let Some(bind) = built.config.server.admin.clone()
        {
            let place = built.config.places.of("server.admin");
            let said = |error| StartError::refused(format!("{place}: server.admin"), error);
            admin.listen(bind).map_err(said)?;
        }
        Ok(admin)
    }

    fn listen(&mut self, bind: Bind) -> std::io::Result<()> {
        let socket = net::listen(&bind, 1)?.pop();
        socket.into_iter().for_each(|socket| drop(self.sockets.send(socket)));
        let file = net::socket_file(&bind);
        self.running.own_socket_file(&bind, file);
        self.bound = Some((bind, file));
        Ok(())
    }

    /// Where the file of a Unix socket was deleted, nobody finds the socket.
    fn come_back(&mut self) {
        let Some((bind, file)) = &self.bound else { return };
        if net::socket_file(bind) != *file
            && let Err(error) = self.listen(bind.clone())
        {
            tracing::error!(%error, "admin: the socket's file was deleted and cannot be made again");
        }
    }
}
