//! One thread that writes lines, so that no other has to wait for a disk, a pipe or a terminal.
//!
//! In: whole lines, in buffers, through a bounded channel. Out: the same bytes in a file or stream.
//! Never: makes a sender wait, or ends because it cannot write; where the channel is full, or the
//! disk, lines are dropped and counted, their number is told once it is over, and a line that was
//! cut is finished before the next begins.
#![expect(clippy::disallowed_methods, reason = "it is a thread of its own, which may wait")]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use crate::clock;
use crate::threads;

/// Buffers that may wait; with the access log's 32 KiB each that is 4 MiB.
const WAITING: usize = 128;
/// Lost lines are told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How often the thread looks whether something is due to be told.
const TICK: Duration = Duration::from_secs(1);
/// How long to wait for a stream that takes nothing now, and how often.
const PAUSE: Duration = Duration::from_millis(10);
const PAUSES: usize = 100;

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

/// What the thread does beside writing; it says whether there will be more to do soon.
pub(super) type Chores = fn() -> bool;

enum Message {
    Lines {
        bytes: Vec<u8>,
        count: u64,
    },
    /// Answered when everything before it is written.
    Flush(SyncSender<()>),
    /// Look at the flag, and whether there is something to do.
    Look,
}

/// What is written to, and what it did not take.
struct Out {
    sink: Sink,
    /// The rest of a line that was cut.
    owed: Vec<u8>,
}

/// Lines that were lost, as far as that was told.
struct Told {
    name: String,
    failing: bool,
    lost: u64,
    /// When it may be told next that lines cannot be written, and that they were lost.
    next_failure: Instant,
    next: Instant,
}

impl Sink {
    /// A file to append to, made with mode 0640.
    pub fn file(path: &Path) -> io::Result<Sink> {
        Ok(Sink::File(path.to_owned(), append(path)?))
    }

    /// Standard output or error, without the buffer that the library puts before it: what was cut
    /// there would be written a second time.
    pub fn stream(stream: impl AsFd) -> io::Result<Sink> {
        Ok(Sink::Stream(Box::new(File::from(stream.as_fd().try_clone_to_owned()?))))
    }
}

impl Writer {
    /// Starts the thread. `dropped` counts lines.
    pub fn start(name: &str, sink: Sink, dropped: Arc<AtomicU64>) -> io::Result<Writer> {
        Writer::start_with(name, sink, dropped, || false)
    }

    /// As [`Writer::start`], with chores.
    pub fn start_with(
        name: &str,
        sink: Sink,
        dropped: Arc<AtomicU64>,
        chores: Chores,
    ) -> io::Result<Writer> {
        let (sender, receiver) = sync_channel(WAITING);
        let reopen = Arc::new(AtomicBool::new(false));
        let writer = Writer { sender, reopen: reopen.clone(), dropped: dropped.clone() };
        let lost = dropped.load(Ordering::Relaxed);
        let told = Told::new(name, lost, clock::now());
        let owed = match &sink {
            Sink::File(path, _) => line_end(path),
            Sink::Stream(_) => Vec::new(),
        };
        let out = Out { sink, owed };
        threads::spawn(name, "writes lines", move || {
            write(&receiver, out, told, &reopen, &dropped, chores);
        })?;
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
        self.look();
    }

    /// Has the thread see whether there is something to do.
    pub fn look(&self) {
        // A full channel is as good: the thread looks after each message.
        let _ = self.sender.try_send(Message::Look);
    }

    /// Waits until what was sent is written; false where that took longer than `wait`. Blocks.
    pub fn flush(&self, wait: Duration) -> bool {
        let deadline = clock::now() + wait;
        let (sender, answer) = sync_channel(1);
        let mut message = Message::Flush(sender);
        loop {
            match self.sender.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(_)) if clock::now() >= deadline => return false,
                Err(TrySendError::Full(back)) => message = back,
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        answer.recv_timeout(deadline.saturating_duration_since(clock::now())).is_ok()
    }
}

fn write(
    receiver: &Receiver<Message>,
    mut out: Out,
    mut told: Told,
    reopen: &AtomicBool,
    dropped: &AtomicU64,
    chores: Chores,
) {
    let mut due = false;
    loop {
        let message = match due {
            true => receiver.recv_timeout(TICK),
            false => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if reopen.swap(false, Ordering::AcqRel) {
            out.reopen(dropped);
        }
        match message {
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) | Ok(Message::Look) => {}
            Ok(Message::Flush(answer)) => {
                // Whoever asked may have given up.
                let _ = answer.try_send(());
            }
            Ok(Message::Lines { bytes, count }) => {
                let written = out.lines(&bytes, count);
                if let Err((_, lost)) = &written {
                    dropped.fetch_add(*lost, Ordering::Relaxed);
                }
                told.went(clock::now(), written.err().map(|(error, _)| error));
            }
        }
        let more = chores();
        due = told.tell(clock::now(), dropped.load(Ordering::Relaxed)) || more;
    }
}

impl Out {
    /// Writes lines; else gives how many of them were lost.
    fn lines(&mut self, bytes: &[u8], count: u64) -> Result<(), (io::Error, u64)> {
        let (owed, result) = self.sink.write(&self.owed);
        self.owed.drain(..owed);
        result.map_err(|error| (error, count))?;
        let (written, result) = self.sink.write(bytes);
        let Err(error) = result else { return Ok(()) };
        let (done, rest) = bytes.split_at(written);
        let mut lost = rest;
        if done.last().is_some_and(|last| *last != b'\n') {
            let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
            let (owed, others) = rest.split_at(end);
            self.owed = owed.to_vec();
            lost = others;
        }
        let lost = lost.iter().filter(|byte| **byte == b'\n').count();
        // An event may have several lines.
        Err((error, count.min(lost as u64)))
    }

    fn reopen(&mut self, dropped: &AtomicU64) {
        let Sink::File(path, file) = &mut self.sink else { return };
        match append(path) {
            Ok(new) => {
                if is_same(file, &new) {
                    return;
                }
                *file = new;
                if !self.owed.is_empty() {
                    // Its beginning is in the other file.
                    dropped.fetch_add(1, Ordering::Relaxed);
                }
                self.owed = line_end(path);
            }
            // The old one is still open, and better than none.
            Err(error) => {
                tracing::error!("{error}; lines go on to the file that was open")
            }
        }
    }
}

impl Sink {
    /// Writes as much as is taken; gives how much that was, and why it was not all.
    fn write(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut written = 0;
        let mut pauses = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            let result = match self {
                Sink::Stream(stream) => stream.write(rest),
                Sink::File(_, file) => file.write(rest),
            };
            match result {
                Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Another process made the stream one that does not wait.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && pauses < PAUSES => {
                    pauses += 1;
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return (written, Err(error)),
            }
        }
        (written, Ok(()))
    }
}

impl Told {
    fn new(name: &str, lost: u64, now: Instant) -> Told {
        Told { name: name.to_owned(), failing: false, lost, next_failure: now, next: now }
    }

    /// A buffer was written, or not.
    fn went(&mut self, now: Instant, error: Option<io::Error>) {
        // A disk may be full every other moment.
        if let (Some(error), false) = (&error, self.failing)
            && now >= self.next_failure
        {
            self.next_failure = now + TELL_EVERY;
            let log = &*self.name;
            tracing::error!(log, %error, "lines cannot be written; they are lost until this is over");
        }
        self.failing = error.is_some();
    }

    /// Tells how many lines were lost since it last did; whether it has more to tell.
    fn tell(&mut self, now: Instant, lost: u64) -> bool {
        if self.failing || lost == self.lost {
            return false;
        }
        if now < self.next {
            return true;
        }
        let (log, more) = (&*self.name, lost.saturating_sub(self.lost));
        tracing::warn!(log, lost = more, "lines were lost because they could not be written");
        (self.lost, self.next) = (lost, now + TELL_EVERY);
        false
    }
}

/// Opens what is there already as it would be to append to it.
pub(super) fn can_append(path: &Path) -> io::Result<()> {
    appending().open(path).map(drop)
}

fn appending() -> OpenOptions {
    // A pipe without a reader is refused, and one with a slow reader makes nobody wait.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    options.append(true).mode(0o640).custom_flags(flags);
    options
}

fn append(path: &Path) -> io::Result<File> {
    appending().create(true).open(path).map_err(|error| {
        let text = format!("{}: cannot be opened for appending: {error}", path.display());
        io::Error::new(error.kind(), text)
    })
}

fn is_same(one: &File, other: &File) -> bool {
    let key = |file: &File| file.metadata().map(|facts| (facts.dev(), facts.ino())).ok();
    key(one) == key(other)
}

/// What ends the last line of a file that another process left in the middle of one.
fn line_end(path: &Path) -> Vec<u8> {
    let last = || -> io::Result<Option<u8>> {
        if !std::fs::metadata(path)?.is_file() {
            return Ok(None);
        }
        let mut file = File::open(path)?;
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok(Some(last[0]))
    };
    match last() {
        Ok(Some(last)) if last != b'\n' => vec![b'\n'],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
