//! An event of the daemon's log as a line of JSON.
//!
//! In: `tracing` events. Out: one object: `timestamp`, `level`, the event's fields, `target`. Never: a
//! line break within a line or another character that [acts], or a name twice.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use crate::telemetry::acting::acts;

/// Formats events.
pub struct Json;

struct Object(Map<String, Value>);

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let meta = event.metadata();
        let mut object = Object(Map::new());
        event.record(&mut object);
        // A field of one of these names does not take the place of what it is.
        object.0.insert("timestamp".into(), time.into());
        object.0.insert("level".into(), meta.level().as_str().into());
        object.0.insert("target".into(), meta.target().into());
        write_line(&mut writer, &Value::Object(object.0).to_string())
    }
}

impl Object {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Object {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        match value.downcast_ref::<Fields>() {
            None => self.set(field, value.to_string()),
            Some(Fields(named)) if named.is_empty() => {}
            Some(Fields(named)) => self.set(field, object(named)),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}

/// Values of one name are a list: whoever reads an object keeps only one of them.
fn object(named: &[(String, String)]) -> Value {
    let mut object = Map::new();
    for (name, value) in named {
        match object.get_mut(name) {
            None => drop(object.insert(name.clone(), value.clone().into())),
            Some(Value::Array(values)) => values.push(value.clone().into()),
            Some(first) => *first = Value::Array(vec![first.take(), value.clone().into()]),
        }
    }
    Value::Object(object)
}

/// A line of JSON whose strings hold nothing that [acts]: serde escapes what is below a blank.
fn write_line(writer: &mut Writer<'_>, line: &str) -> fmt::Result {
    if line.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return writeln!(writer, "{line}");
    }
    for character in line.chars() {
        match acts(character) {
            // All of them are below U+10000.
            true => write!(writer, "\\u{:04x}", u32::from(character))?,
            false => writer.write_char(character)?,
        }
    }
    writer.write_char('\n')
}

#[cfg(test)]
mod tests;
