use std::sync::Mutex;

use crate::clock;

use super::*;

const WAIT: Duration = Duration::from_secs(10);

/// A disk with so much room, and what is on it.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

impl Disk {
    fn make_room(&self, bytes: usize) {
        self.0.lock().expect("sound").0 = bytes;
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("sound").1.clone()).expect("text")
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.0.lock().expect("sound");
        let taken = bytes.len().min(disk.0);
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        disk.0 -= taken;
        disk.1.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_loses_whole_lines_and_nothing_once_there_is_room() {
    let disk = Disk::default();
    let dropped = Arc::new(AtomicU64::new(0));
    let sink = Sink::Stream(Box::new(disk.clone()));
    let writer = Writer::start("test", sink, dropped.clone()).expect("a thread");
    let send = |text: &str| {
        let count = text.matches('\n').count() as u64;
        writer.send(text.as_bytes().to_vec(), count);
        assert!(writer.flush(WAIT));
    };
    disk.make_room(7);
    send("one\ntwo\nthree\n");
    assert_eq!(disk.text(), "one\ntwo");
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "the second is cut, and not given up");
    send("four\n");
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
    disk.make_room(100);
    send("five\n");
    assert_eq!(disk.text(), "one\ntwo\nfive\n");
    disk.make_room(5);
    send("six\nseven\n");
    disk.make_room(1);
    send("eight\n");
    disk.make_room(100);
    send("nine\n");
    assert_eq!(disk.text(), "one\ntwo\nfive\nsix\nseven\nnine\n");
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}

#[test]
fn a_file_that_ends_within_a_line_gets_its_end_first() {
    let path = std::env::temp_dir().join(format!("weir-writer-{}", std::process::id()));
    std::fs::write(&path, "cut by a cra").expect("written");
    let sink = Sink::file(&path).expect("a file");
    let writer = Writer::start("test", sink, Arc::default()).expect("a thread");
    writer.send(b"one\n".to_vec(), 1);
    // The same file again: what is owed stays owed.
    writer.reopen();
    writer.send(b"two\n".to_vec(), 1);
    assert!(writer.flush(WAIT));
    assert_eq!(std::fs::read_to_string(&path).expect("text"), "cut by a cra\none\ntwo\n");
    std::fs::remove_file(&path).expect("removed");
}

#[test]
fn a_pipe_without_a_reader_is_refused_at_once() {
    let path = std::env::temp_dir().join(format!("weir-writer-{}.pipe", std::process::id()));
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
    assert!(made.success());
    assert!(Sink::file(&path).is_err());
    let reader = std::thread::spawn({
        let path = path.clone();
        move || std::fs::read_to_string(path).expect("text")
    });
    // It is there once a reader is.
    let deadline = clock::now() + WAIT;
    let sink = loop {
        match Sink::file(&path) {
            Ok(sink) => break sink,
            Err(error) => assert!(clock::now() < deadline, "{error}"),
        }
    };
    let writer = Writer::start("test", sink, Arc::default()).expect("a thread");
    writer.send(b"one\n".to_vec(), 1);
    assert!(writer.flush(WAIT));
    drop(writer);
    assert_eq!(reader.join().expect("read"), "one\n");
    std::fs::remove_file(&path).expect("removed");
}

#[test]
fn what_was_lost_is_told_once_in_a_while() {
    let start = clock::now();
    let mut told = Told::new("test", 0, start);
    assert!(!told.tell(start, 0));
    told.went(start, Some(io::ErrorKind::StorageFull.into()));
    assert!(!told.tell(start, 5), "not before it is over");
    told.went(start, None);
    assert!(!told.tell(start, 5), "told");
    assert!(told.tell(start, 6), "due later");
    assert!(!told.tell(start + TELL_EVERY, 6));
    assert_eq!(told.lost, 6);
}
