//! One thread that writes lines, so that no other has to wait for a disk, a pipe or a terminal.
//!
//! In: whole lines, in buffers, through a bounded channel. Out: the same bytes in a file or stream.
//! Never: makes a sender wait; where the channel is full, or the disk, lines are dropped and
//! counted.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// Buffers that may wait; with the access log's 32 KiB each that is 4 MiB.
const WAITING: usize = 128;

/// The way to the thread; it ends when the last clone is dropped and everything is written.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    sender: SyncSender<Message>,
    reopen: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
}

/// Where lines go.
pub(super) enum Sink {
    Stream(Box<dyn Write + Send>),
    /// Reopened on demand, for programs that rotate logs.
    File(PathBuf, File),
}

enum Message {
    Lines {
        bytes: Vec<u8>,
        count: u64,
    },
    /// Answered when everything before it is written.
    Flush(SyncSender<()>),
    /// Look at the flag.
    Reopen,
}

impl Sink {
    /// A file to append to, made with mode 0640.
    pub fn file(path: &Path) -> io::Result<Sink> {
        Ok(Sink::File(path.to_owned(), append(path)?))
    }
}

impl Writer {
    /// Starts the thread. `dropped` counts lines.
    pub fn start(name: &str, sink: Sink, dropped: Arc<AtomicU64>) -> io::Result<Writer> {
        let (sender, receiver) = sync_channel(WAITING);
        let reopen = Arc::new(AtomicBool::new(false));
        let writer = Writer { sender, reopen: reopen.clone(), dropped: dropped.clone() };
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || write(&receiver, sink, &reopen, &dropped))?;
        Ok(writer)
    }

    /// Hands over whole lines. Gives the buffer back, emptied, where they had to be dropped.
    pub fn send(&self, bytes: Vec<u8>, count: u64) -> Option<Vec<u8>> {
        match self.sender.try_send(Message::Lines { bytes, count }) {
            Ok(()) => None,
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => {
                self.dropped.fetch_add(count, Ordering::Relaxed);
                let Message::Lines { mut bytes, .. } = message else { return None };
                bytes.clear();
                Some(bytes)
            }
        }
    }

    /// Has the file opened anew before the next line.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
        // A full channel is as good: the thread looks at the flag before each message.
        let _ = self.sender.try_send(Message::Reopen);
    }

    /// Waits until what was sent is written; false where that took longer than `wait`. Blocks.
    pub fn flush(&self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        let (sender, answer) = sync_channel(1);
        let mut message = Message::Flush(sender);
        loop {
            match self.sender.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(_)) if Instant::now() >= deadline => return false,
                Err(TrySendError::Full(back)) => message = back,
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        answer.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

fn write(receiver: &Receiver<Message>, mut sink: Sink, reopen: &AtomicBool, dropped: &AtomicU64) {
    let mut failing = false;
    for message in receiver {
        if reopen.swap(false, Ordering::AcqRel)
            && let Sink::File(path, file) = &mut sink
        {
            match append(path) {
                Ok(new) => *file = new,
                // The old one is still open, and better than none.
                Err(error) => eprintln!("weir: {error}; lines go on to the file that was open"),
            }
        }
        match message {
            Message::Reopen => {}
            Message::Flush(answer) => {
                // Whoever asked may have given up.
                let _ = answer.try_send(());
            }
            Message::Lines { bytes, count } => {
                let written = match &mut sink {
                    Sink::Stream(stream) => stream.write_all(&bytes).and_then(|()| stream.flush()),
                    Sink::File(_, file) => file.write_all(&bytes),
                };
                if let Err(error) = &written {
                    dropped.fetch_add(count, Ordering::Relaxed);
                    if !failing {
                        eprintln!("weir: log lines are lost until this is over: {error}");
                    }
                }
                failing = written.is_err();
            }
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new().create(true).append(true).mode(0o640).open(path);
    opened.map_err(|error| {
        let text = format!("{}: cannot be opened for appending: {error}", path.display());
        io::Error::new(error.kind(), text)
    })
}
