//! Lines as a collector reads them.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What an event looks like.
fn line(event: impl FnOnce()) -> Value {
    let lines = Lines::default();
    let to = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().event_format(Json).with_writer(move || to.clone()).finish();
    tracing::subscriber::with_default(subscriber, event);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.matches('\n').count(), 1, "{text:?}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn an_event_is_one_object() {
    let line = line(|| {
        tracing::warn!(target: "weir::x", name = "a\"b", number = 7, is = true, "two\nlines");
    });
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "two\nlines");
    assert_eq!(line["name"], "a\"b");
    assert_eq!(line["number"], 7);
    assert_eq!(line["is"], true);
    assert_eq!(line["target"], "weir::x");
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
}

#[test]
fn named_values_are_fields_and_cannot_forge_the_events_own() {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fields = Fields(vec![own("user", "a b"), own("level", "ERROR")]);
    let line = line(|| {
        let fields: &(dyn std::error::Error + 'static) = &fields;
        tracing::info!(fields, "said");
    });
    assert_eq!(line["fields"]["user"], "a b");
    assert_eq!(line["fields"]["level"], "ERROR");
    assert_eq!(line["level"], "INFO");
}

#[test]
fn an_event_without_named_values_has_no_empty_object() {
    let line = line(|| {
        let fields: &(dyn std::error::Error + 'static) = &Fields::default();
        tracing::info!(fields, "said");
    });
    assert!(line.get("fields").is_none(), "{line}");
}

#[test]
fn values_of_one_name_are_all_there() {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fields = Fields(vec![own("dup", "a"), own("one", "x"), own("dup", "b"), own("dup", "c")]);
    let line = line(|| {
        let fields: &(dyn std::error::Error + 'static) = &fields;
        tracing::info!(fields, "said");
    });
    assert_eq!(line["fields"]["dup"], serde_json::json!(["a", "b", "c"]));
    assert_eq!(line["fields"]["one"], "x");
}

#[test]
fn nothing_in_a_line_acts_on_who_reads_it() {
    let text = "a\u{1b}[2J\u{7f}\u{9b}\u{2028}\u{202e}z \u{fc}\u{1f600}";
    let lines = Lines::default();
    let to = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().event_format(Json).with_writer(move || to.clone()).finish();
    tracing::subscriber::with_default(subscriber, || tracing::info!(peer = text, "said"));
    let line = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(!line.trim_end().chars().any(acts), "{line:?}");
    let read: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["peer"], text, "it is the same text");
}
