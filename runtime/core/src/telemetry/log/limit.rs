//! What others can cause in the log is told at most once in a while, with a count.
//!
//! In: events, and `now`. Out: whether an event is told; how many of a kind were not. Never: holds
//! back what an operator causes, or confuses one plugin's trouble with another's.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Events of a kind that are told within a period; the rest is counted.
const TOLD: u32 = 3;
/// The same of what a plugin says itself, which is for whoever wrote it.
const TOLD_BY_PLUGIN: u32 = 100;
const PERIOD: Duration = Duration::from_secs(10);
/// Kinds that are told apart. The names that divide them come from the configuration.
const MOST_KINDS: usize = 1024;
/// Of a message, as an example of what was not told.
const EXAMPLE: usize = 200;

/// The target of plugins' own lines.
const PLUGIN: &str = "weir::plugin";
/// Who configures and runs the process causes what these tell.
const OPERATORS: [&str; 5] =
    ["weir::control", "weir::server", "weir::cli", "weir_core::config", "weir_core::telemetry"];
/// Fields that divide events of one place into kinds: names that a configuration gives.
const NAMES: [&str; 7] = ["plugin", "reason", "hook", "upstream", "endpoint", "listener", "log"];

/// Counts events by kind.
#[derive(Debug, Default)]
pub struct Limit(Mutex<HashMap<Kind, Window>>);

/// A layer that keeps back what [`Limit`] does not admit.
pub struct Limited<F> {
    pub limit: &'static Limit,
    /// Called when something is kept back that was not before, so that it is told in time.
    pub held: F,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Kind {
    place: Identifier,
    names: u64,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    told: u32,
    held: Held,
}

/// Events that were not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub count: u64,
    pub target: &'static str,
    /// The message of the first.
    pub example: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Admitted {
    Told,
    /// The first of a period that is not.
    FirstHeld,
    Held,
}

impl Limit {
    fn admit(&self, now: Instant, kind: Kind, most: u32, target: &'static str) -> Admitted {
        let mut windows = self.windows();
        if windows.len() >= MOST_KINDS {
            windows.retain(|_, window| !window.is_over(now) || window.held.count > 0);
        }
        let kind = match windows.len() < MOST_KINDS || windows.contains_key(&kind) {
            true => kind,
            false => Kind { names: 0, ..kind },
        };
        let window = windows.entry(kind).or_insert_with(|| Window::begin(now, target));
        // With something to tell it ends when that is told.
        if window.is_over(now) && window.held.count == 0 {
            *window = Window::begin(now, target);
        }
        if window.told < most {
            window.told += 1;
            return Admitted::Told;
        }
        window.held.count += 1;
        if window.held.count == 1 { Admitted::FirstHeld } else { Admitted::Held }
    }

    fn exemplify(&self, kind: &Kind, message: String) {
        if let Some(window) = self.windows().get_mut(kind) {
            window.held.example = message;
        }
    }

    /// What is to be told of periods that are over, and whether there will be more.
    pub fn over(&self, now: Instant) -> (Vec<Held>, bool) {
        let mut due = Vec::new();
        let mut more = false;
        self.windows().retain(|_, window| {
            let over = window.is_over(now);
            if over && window.held.count > 0 {
                due.push(window.held.clone());
            }
            more |= !over && window.held.count > 0;
            !over
        });
        (due, more)
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<Kind, Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn begin(now: Instant, target: &'static str) -> Window {
        Window { began: now, told: 0, held: Held { count: 0, target, example: String::new() } }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= PERIOD
    }
}

impl<S: Subscriber, F: Fn() + 'static> Layer<S> for Limited<F> {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let facts = event.metadata();
        let Some(most) = most(facts.target(), *facts.level()) else { return true };
        let mut visitor = Visitor::default();
        event.record(&mut visitor);
        let kind = || Kind { place: facts.callsite(), names: visitor.names.finish() };
        match self.limit.admit(clock::now(), kind(), most, facts.target()) {
            Admitted::Told => true,
            Admitted::Held => false,
            Admitted::FirstHeld => {
                self.limit.exemplify(&kind(), std::mem::take(&mut visitor.message));
                (self.held)();
                false
            }
        }
    }
}

/// How many of a period are told; `None`: all. Whoever switched on more than the usual wants all
/// of that.
fn most(target: &str, level: Level) -> Option<u32> {
    let is_of = |module: &str| {
        let inside = target.strip_prefix(module);
        inside.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    if target == PLUGIN {
        return (level <= Level::INFO).then_some(TOLD_BY_PLUGIN);
    }
    if OPERATORS.into_iter().any(is_of) {
        return None;
    }
    let usual = if is_of("weir") { Level::WARN } else { Level::INFO };
    (level <= usual).then_some(TOLD)
}

#[derive(Default)]
struct Visitor {
    names: DefaultHasher,
    message: String,
}

impl Visit for Visitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        if NAMES.contains(&field.name()) {
            (field.name(), value).hash(&mut self.names);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
            self.message.truncate(self.message.floor_char_boundary(EXAMPLE));
        } else if NAMES.contains(&field.name()) {
            (field.name(), format!("{value:?}")).hash(&mut self.names);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Identifier {
        fn of(event: &'static dyn tracing::callsite::Callsite) -> Identifier {
            Identifier(event)
        }
        struct Here;
        impl tracing::callsite::Callsite for Here {
            fn set_interest(&self, _: tracing::subscriber::Interest) {}
            fn metadata(&self) -> &tracing::Metadata<'_> {
                unreachable!("nobody asks")
            }
        }
        static HERE: Here = Here;
        of(&HERE)
    }

    #[test]
    fn a_kind_is_told_a_few_times_and_then_counted() {
        let limit = Limit::default();
        let start = clock::now();
        let admit = |at: Duration, names: u64| {
            limit.admit(start + at, Kind { place: place(), names }, TOLD, "h2::proto")
        };
        let at = Duration::from_secs;
        for _ in 0..TOLD {
            assert_eq!(admit(at(0), 1), Admitted::Told);
        }
        assert_eq!(admit(at(1), 1), Admitted::FirstHeld);
        for _ in 0..7_995 {
            assert_eq!(admit(at(2), 1), Admitted::Held);
        }
        assert_eq!(admit(at(3), 2), Admitted::Told, "another plugin's is another kind");
        limit.exemplify(&Kind { place: place(), names: 1 }, "recv_ping_ack".into());
        assert_eq!(limit.over(start + at(9)), (vec![], true));
        // Later ones are of the same row until it was told.
        assert_eq!(admit(at(11), 1), Admitted::Held);
        let held = Held { count: 7_997, target: "h2::proto", example: "recv_ping_ack".into() };
        assert_eq!(limit.over(start + at(11)), (vec![held], false));
        assert_eq!(admit(at(12), 1), Admitted::Told);
    }

    #[test]
    fn kinds_are_bounded() {
        let limit = Limit::default();
        let now = clock::now();
        for names in 0..100_000 {
            limit.admit(now, Kind { place: place(), names }, TOLD, "h2");
        }
        assert!(limit.windows().len() <= MOST_KINDS + 1);
    }

    #[test]
    fn what_an_operator_causes_is_told_always() {
        for (target, level, told) in [
            ("h2::proto::ping_pong", Level::WARN, Some(TOLD)),
            ("h2::proto::ping_pong", Level::DEBUG, None),
            ("hyper", Level::INFO, Some(TOLD)),
            ("weir_wasm::member", Level::ERROR, Some(TOLD)),
            ("weir::net::accept", Level::WARN, Some(TOLD)),
            ("weir::proxy", Level::INFO, None),
            ("weir::control::running", Level::ERROR, None),
            (module_path!(), Level::ERROR, None),
            ("weir::controlled", Level::ERROR, Some(TOLD)),
            ("weir::plugin", Level::INFO, Some(TOLD_BY_PLUGIN)),
            ("weir::plugin", Level::DEBUG, None),
        ] {
            assert_eq!(most(target, level), told, "{target} {level}");
        }
    }
}
