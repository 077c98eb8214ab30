//! Lines read back by a JSON parser, and what becomes of them when nobody writes.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::UNIX_EPOCH;

use super::*;

const WAIT: Duration = Duration::from_secs(10);

fn record() -> Record<'static> {
    Record {
        time: UNIX_EPOCH + Duration::from_millis(1_772_366_400_250),
        request_id: &"r1",
        client: "192.0.2.1",
        listener: "web",
        method: "GET",
        scheme: "https",
        host: b"a.test",
        path: b"/x?y=1",
        protocol: http::Version::HTTP_2,
        status: 200,
        request_bytes: 0,
        response_bytes: 12,
        duration: Duration::from_micros(1_005),
        route: None,
        upstream: None,
        endpoint: None,
        upstream_status: None,
        upstream_connect: None,
        upstream_first_byte: None,
        attempts: 0,
        plugin: None,
        error: None,
        error_detail: None,
        user: None,
        user_agent: None,
        referer: None,
        attributes: &|_| {},
    }
}

fn line(format: Format, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    match format {
        Format::Json => json::line(&mut out, &mut Stamp::default(), record),
        Format::Combined => combined::line(&mut out, &mut Stamp::default(), record),
    }
    let line = String::from_utf8(out).unwrap();
    assert_eq!(line.find('\n'), Some(line.len() - 1), "{line}");
    line
}

#[test]
fn json_of_a_bare_exchange() {
    let expected = concat!(
        r#"{"time":"2026-03-01T12:00:00.250Z","request_id":"r1","client":"192.0.2.1","#,
        r#""listener":"web","method":"GET","scheme":"https","host":"a.test","path":"/x?y=1","#,
        r#""protocol":"HTTP/2","status":200,"request_bytes":0,"response_bytes":12,"#,
        r#""duration_ms":1.005}"#,
        "\n"
    );
    assert_eq!(line(Format::Json, &record()), expected);
}

#[test]
fn json_of_a_full_exchange() {
    let full = Record {
        route: Some("api"),
        upstream: Some("users"),
        endpoint: Some("127.0.0.1:9001"),
        upstream_status: Some(503),
        upstream_connect: Some(Duration::from_millis(2)),
        upstream_first_byte: Some(Duration::from_nanos(1_500)),
        attempts: 2,
        plugin: Some("jwt"),
        error: Some(Kind::ConnectionTimeout),
        error_detail: Some("no answer within 5s"),
        user: Some("ann"),
        user_agent: Some(b"curl/8"),
        referer: Some(b"http://b.test/"),
        attributes: &|each| {
            each("auth.subject", "ann \"x\"");
            each("k\n", "");
        },
        ..record()
    };
    let value: serde_json::Value = serde_json::from_str(&line(Format::Json, &full)).unwrap();
    for (key, expected) in [
        ("route", serde_json::json!("api")),
        ("upstream", "users".into()),
        ("endpoint", "127.0.0.1:9001".into()),
        ("upstream_status", 503.into()),
        ("upstream_connect_ms", 2.0.into()),
        ("upstream_first_byte_ms", 0.001.into()),
        ("attempts", 2.into()),
        ("plugin", "jwt".into()),
        ("error", "connection_timeout".into()),
        ("error_detail", "no answer within 5s".into()),
        ("user", "ann".into()),
        ("user_agent", "curl/8".into()),
        ("referer", "http://b.test/".into()),
        ("attributes", serde_json::json!({"auth.subject": "ann \"x\"", "k\n": ""})),
    ] {
        assert_eq!(value[key], expected, "{key}");
    }
}

#[test]
fn json_escapes() {
    for (bytes, expected) in [
        (&b"plain / text"[..], "plain / text"),
        (b"\"\\", r#"\"\\"#),
        (b"a\r\nb\tc", r"a\r\nb\tc"),
        (b"\x00\x1b[31m\x7f", r"\u0000\u001b[31m\u007f"),
        ("\u{85}\u{9b}".as_bytes(), r"\u0085\u009b"),
        ("h\u{e9}\u{1f600}".as_bytes(), "h\u{e9}\u{1f600}"),
        (b"a\xffb\xc3", "a\u{fffd}b\u{fffd}"),
        (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
    ] {
        let mut out = Vec::new();
        escape::json(&mut out, bytes);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, expected);
        let back: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
        assert_eq!(back, String::from_utf8_lossy(bytes));
    }
}

#[test]
fn any_byte_makes_a_line() {
    let all: Vec<u8> = (0..=255).collect();
    let hostile = Record {
        host: &all,
        path: &all,
        user_agent: Some(&all),
        referer: Some(&all),
        user: Some("a b\n\"]["),
        request_id: &"x\"\n",
        ..record()
    };
    let json = line(Format::Json, &hostile);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["request_id"], "x\"\n");
    assert!(!json.trim_end().chars().any(char::is_control));
    let combined = line(Format::Combined, &hostile);
    assert!(combined.trim_end().bytes().all(|byte| matches!(byte, b' '..=b'~')), "{combined}");
    assert!(combined.starts_with(r"192.0.2.1 - a\x20b\x0a\x22\x5d\x5b [01/Mar"), "{combined}");
}

#[test]
fn combined_as_apache_writes_it() {
    let full = Record {
        user_agent: Some(b"say \"hi\"\\\n"),
        referer: Some(b"http://b.test/"),
        user: Some("ann"),
        protocol: http::Version::HTTP_11,
        ..record()
    };
    let expected = concat!(
        r#"192.0.2.1 - ann [01/Mar/2026:12:00:00 +0000] "GET /x?y=1 HTTP/1.1" 200 12 "#,
        r#""http://b.test/" "say \"hi\"\\\x0a""#,
        "\n"
    );
    assert_eq!(line(Format::Combined, &full), expected);
    let bare = Record { response_bytes: 0, client: "", ..record() };
    let expected = "- - - [01/Mar/2026:12:00:00 +0000] \"GET /x?y=1 HTTP/2\" 200 - \"-\" \"-\"\n";
    assert_eq!(line(Format::Combined, &bare), expected);
}

#[test]
fn dates() {
    for (unix, expected) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399, "2000-02-28T23:59:59.000Z"),
        (951_782_400, "2000-02-29T00:00:00.000Z"),
        (951_868_800, "2000-03-01T00:00:00.000Z"),
        (1_709_164_800, "2024-02-29T00:00:00.000Z"),
        (1_735_689_599, "2024-12-31T23:59:59.000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000Z"),
    ] {
        let mut out = Vec::new();
        Stamp::default().rfc3339(&mut out, UNIX_EPOCH + Duration::from_secs(unix));
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
    // One stamp over several seconds.
    let mut stamp = Stamp::default();
    let mut out = Vec::new();
    for millis in [1_999, 2_000, 2_001] {
        stamp.rfc3339(&mut out, UNIX_EPOCH + Duration::from_millis(millis));
    }
    let expected = "1970-01-01T00:00:01.999Z1970-01-01T00:00:02.000Z1970-01-01T00:00:02.001Z";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn files_are_reopened_after_rotation() {
    let directory = std::env::temp_dir().join(format!("weir-access-log-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("access.log");
    let log = AccessLog::open(Format::Json, Some(&path), Arc::default()).unwrap();
    let mut worker = log.worker();
    worker.write(&record());
    assert_eq!(std::fs::read(&path).unwrap(), b"", "a line is buffered");
    worker.flush();
    assert!(log.flush(WAIT));
    let moved = directory.join("access.log.1");
    std::fs::rename(&path, &moved).unwrap();
    worker.write(&record());
    worker.flush();
    log.reopen();
    worker.write(&record());
    drop(worker);
    assert!(log.flush(WAIT));
    let lines = |path| std::fs::read_to_string(path).unwrap().lines().count();
    // The second line may be written before or after the flag is seen, but is not lost.
    assert_eq!(lines(&moved) + lines(&path), 3);
    assert!(lines(&moved) >= 1 && lines(&path) >= 1);
    std::fs::remove_dir_all(&directory).unwrap();
    let gone = AccessLog::open(Format::Json, Some(&path), Arc::default()).unwrap_err();
    assert!(gone.to_string().contains("access.log"), "{gone}");
}

/// A stream that takes a buffer only when told to.
struct Gate(Receiver<()>, Sender<Vec<u8>>);

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        self.1.send(bytes.to_vec()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_are_dropped_and_counted_when_nobody_writes() {
    let (open, gate) = channel();
    let (written, lines) = channel();
    let dropped = Arc::new(AtomicU64::new(0));
    let sink = Sink::Stream(Box::new(Gate(gate, written)));
    let log = AccessLog::to(Format::Json, sink, dropped.clone()).unwrap();
    let mut worker = log.worker();
    for _ in 0..1_000 {
        worker.write(&record());
        worker.flush();
    }
    let lost = dropped.load(Ordering::Relaxed);
    // The channel's places, and perhaps the one buffer that the writer holds, are not lost.
    assert!((1_000 - 129..=1_000 - 128).contains(&lost), "{lost}");
    assert!(!log.flush(Duration::ZERO));
    for _ in 0..1_000 {
        open.send(()).unwrap();
    }
    assert!(log.flush(WAIT));
    assert_eq!(lines.try_iter().count() as u64, 1_000 - lost);
    // A stream that fails loses lines too.
    drop(open);
    let (open, gate) = channel::<()>();
    drop(open);
    let (written, _lines) = channel();
    let dropped = Arc::new(AtomicU64::new(0));
    let sink = Sink::Stream(Box::new(Gate(gate, written)));
    let log = AccessLog::to(Format::Combined, sink, dropped.clone()).unwrap();
    log.worker().write(&record());
    assert!(log.flush(WAIT));
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}
