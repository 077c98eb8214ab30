//! The log of every proxy in this process, for tests to look into.
//!
//! In: `tracing` events of Weir. Out: [`Line`]s that name a plugin, asked for by its name: tests run
//! side by side, so each gives its plugins names of their own. Never: keeps other lines.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// One line.
#[derive(Debug, Clone)]
pub struct Line {
    /// `error`, `warn`, `info`, `debug`, `trace`.
    pub level: String,
    pub message: String,
    pub fields: BTreeMap<String, String>,
}

/// By plugin.
static LINES: Mutex<Option<HashMap<String, Vec<Line>>>> = Mutex::new(None);

struct Capture;

#[derive(Default)]
struct Visitor {
    message: String,
    fields: BTreeMap<String, String>,
}

/// Begins to keep lines; done by whoever starts a proxy.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let targets = Targets::new().with_target("weir", LevelFilter::TRACE);
        let subscriber = tracing_subscriber::registry().with(Capture.with_filter(targets));
        tracing::subscriber::set_global_default(subscriber).expect("the first subscriber");
    });
}

/// Every line so far that names this plugin.
pub fn lines(plugin: &str) -> Vec<Line> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.as_ref().and_then(|lines| lines.get(plugin)).cloned().unwrap_or_default()
}

/// The first line of a plugin that is as wanted; waits for it.
///
/// # Panics
/// Where none came within ten seconds.
pub fn wait_for_line(plugin: &str, wanted: impl Fn(&Line) -> bool) -> Line {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let lines = lines(plugin);
        if let Some(line) = lines.iter().find(|line| wanted(line)) {
            return line.clone();
        }
        assert!(Instant::now() < deadline, "no such line of {plugin} among {lines:#?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Line {
    /// A field; empty where the line has none of that name.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut visitor = Visitor::default();
        event.record(&mut visitor);
        let Visitor { message, fields } = visitor;
        let Some(plugin) = fields.get("plugin").cloned() else { return };
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.get_or_insert_default().entry(plugin).or_default();
        lines.push(Line { level, message, fields });
    }
}

impl Visit for Visitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.keep(field, format!("{value:?}"));
    }
}

impl Visitor {
    fn keep(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name => drop(self.fields.insert(name.to_owned(), value)),
        }
    }
}
