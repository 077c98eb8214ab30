//! One thread for all tasks that wait for somebody outside: whoever asks endpoints, and whatever else
//! finds out what workers are to be told.
//!
//! In: tasks, from any thread, at any time. Out: they go on as long as this is kept, over reloads. Never:
//! anything that blocks: a file may lie on a mount that is dead, and a component may take its time to be
//! compiled.

use std::io;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use weir_core::threads;

/// The way to the thread, which ends with it.
pub struct Tasks(mpsc::UnboundedSender<Begin>);

/// Begins a task, on the thread.
type Begin = Box<dyn FnOnce() + Send>;

impl Tasks {
    /// Starts the thread, which has nothing to do yet.
    ///
    /// # Errors
    /// Where the system gives no thread, or nothing to wait with.
    pub fn start() -> io::Result<Tasks> {
        let (tasks, mut begun) = mpsc::unbounded_channel::<Begin>();
        let (told, ready) = std::sync::mpsc::sync_channel(1);
        threads::spawn("control", "asks endpoints for their health", move || {
            let runtime =
                Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(told.send(Err(error))),
            };
            drop(told.send(Ok(())));
            runtime.block_on(async move {
                while let Some(begin) = begun.recv().await {
                    begin();
                }
            });
        })?;
        ready.recv().unwrap_or_else(|_| Err(io::Error::other("the control thread has ended")))?;
        Ok(Tasks(tasks))
    }

    /// Begins a task. One that panics ends alone, and the log says so.
    pub fn spawn<F>(&self, name: &'static str, task: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let begin = move || {
            let task = spawn_local(task());
            spawn_local(async move {
                if let Err(error) = task.await
                    && error.is_panic()
                {
                    tracing::error!(task = name, %error, "this is a bug of Weir's: a task has ended");
                }
            });
        };
        // It lives as long as this does.
        let _ = self.0.send(Box::new(begin));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;

    fn told(answer: &Receiver<u8>) -> Option<u8> {
        answer.recv_timeout(Duration::from_secs(30)).ok()
    }

    #[test]
    fn a_task_that_panics_ends_alone_and_all_end_with_the_thread() {
        let tasks = Tasks::start().expect("a thread");
        let (tell, answer) = channel();
        tasks.spawn("broken", || async { panic!("on purpose") });
        tasks.spawn("fine", move || async move {
            let _ = tell.send(1);
            std::future::pending::<()>().await;
            drop(tell);
        });
        assert_eq!(told(&answer), Some(1));
        drop(tasks);
        // What it held is dropped.
        assert_eq!(told(&answer), None);
        assert!(answer.recv().is_err(), "it has ended, not fallen silent");
    }
}
