//! What is wrong with a plugin, for the person who configures it.
//!
//! In: texts of the host, of the compiler, and of components themselves. Out: [`PluginProblem`]s, a
//! few short lines each. Never: as much as a component likes to say: every text and their number
//! are cut here, whatever they came from, and control characters are escaped.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_core::config::{Finding, Flaw, Wanted};
use weir_core::telemetry::acting::{acts, escape};

/// Bytes of a text that are told: a line or two of a terminal, and far more than any of the host's
/// own.
const MAX_TEXT: usize = 1 << 10;
/// Bytes of a place in the configuration. A longer one names no key that a person wrote.
const MAX_POINTER: usize = 1 << 10;
/// Choices of which a value may be one; the rest is not told.
const MAX_CHOICES: usize = 32;
/// How a text ends that was cut.
const MORE: &str = " bytes more)";
/// Problems of one plugin that are told.
pub const MAX_PROBLEMS: usize = 50;

/// One reason why a plugin cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginProblem {
    /// The plugin's name in the configuration.
    pub plugin: Arc<str>,
    /// Where in the plugin's table: a JSON pointer (RFC 6901) such as `/component` or
    /// `/config/rate`. None: the table as a whole.
    pub pointer: Option<String>,
    /// What happened. Holds a value of the configuration, which may be a secret, only where it is
    /// what the plugin itself said: who knows the values shows a [`Finding`].
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// What is wrong with the value at `pointer`, if that can be said.
    flaw: Box<Flaw>,
    /// Where values are that the plugin's schema calls `writeOnly`, as JSON pointers.
    secrets: Arc<[String]>,
}

/// The same, before it is known which plugin it is about. Serialized from one process to another
/// where a component is looked at apart; the places of secrets go beside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub pointer: Option<String>,
    pub hint: Option<String>,
    pub flaw: Flaw,
    #[serde(skip)]
    pub secrets: Arc<[String]>,
}

impl Problem {
    /// About the component itself.
    pub fn component(message: impl Into<String>) -> Problem {
        Problem::at("/component", Flaw::Said(message.into()))
    }

    /// About a place in the plugin's table.
    pub fn at(pointer: impl Into<String>, flaw: Flaw) -> Problem {
        let (pointer, flaw) = (Some(pointer.into()), short(flaw));
        Problem { pointer, hint: None, flaw, secrets: Arc::default() }
    }

    /// With what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// Those of this plugin, as many as are told, and how many are not.
    pub fn all_of(problems: Vec<Problem>, plugin: &Arc<str>) -> Vec<PluginProblem> {
        Problem::few(problems).into_iter().map(|problem| problem.of(plugin)).collect()
    }

    /// As many as are told, and how many are not.
    pub fn few(problems: Vec<Problem>) -> Vec<Problem> {
        let more = problems.len().saturating_sub(MAX_PROBLEMS);
        let rest = (more > 0).then(|| {
            let said = format!("at least {more} more problems of this plugin are not shown");
            Problem { pointer: None, ..Problem::component(said) }
        });
        let told = problems.into_iter().take(MAX_PROBLEMS).map(Problem::bounded);
        told.chain(rest).collect()
    }

    /// Of this plugin.
    pub fn of(self, plugin: &Arc<str>) -> PluginProblem {
        let Problem { pointer, hint, flaw, secrets } = self.bounded();
        let message = flaw.words();
        PluginProblem {
            plugin: plugin.clone(),
            pointer,
            message,
            hint,
            flaw: Box::new(flaw),
            secrets,
        }
    }

    /// A place too long to tell becomes the table's.
    fn bounded(self) -> Problem {
        Problem {
            pointer: self.pointer.filter(|pointer| pointer.len() <= MAX_POINTER),
            hint: self.hint.map(cut),
            flaw: short(self.flaw),
            secrets: self.secrets,
        }
    }
}

impl PluginProblem {
    /// For those who know where the plugin's table stands, and what is in it.
    pub fn finding(&self) -> Finding<'_> {
        Finding {
            plugin: &self.plugin,
            pointer: self.pointer.as_deref().unwrap_or_default(),
            flaw: &self.flaw,
            hint: self.hint.as_deref(),
            secrets: &self.secrets,
        }
    }
}

fn short(flaw: Flaw) -> Flaw {
    match flaw {
        Flaw::Unwanted(wanted) => Flaw::Unwanted(few_choices(wanted)),
        Flaw::Value(text) => Flaw::Value(cut(text)),
        Flaw::MissingKey(key) => Flaw::MissingKey(cut(key)),
        Flaw::Said(text) => Flaw::Said(cut(text)),
        Flaw::UnknownKey => Flaw::UnknownKey,
    }
}

fn few_choices(wanted: Wanted) -> Wanted {
    match wanted {
        Wanted::OneOf(all) => Wanted::OneOf(all.into_iter().take(MAX_CHOICES).map(cut).collect()),
        Wanted::Either(all) => {
            Wanted::Either(all.into_iter().take(MAX_CHOICES).map(few_choices).collect())
        }
        other => other,
    }
}

/// The beginning of a text that may have come from anywhere.
fn cut(text: String) -> String {
    // Cut before, the longest there is: every character escaped, and a few words.
    let is_short = text.len() <= MAX_TEXT || text.len() <= 8 * MAX_TEXT && text.ends_with(MORE);
    if is_short && !text.chars().any(acts) {
        return text;
    }
    let end = text.floor_char_boundary(MAX_TEXT.min(text.len()));
    let mut kept = String::with_capacity(end);
    escape(&mut kept, &text[..end], 8 * MAX_TEXT);
    if end < text.len() {
        kept += &format!("… (and {}{MORE}", text.len() - end);
    }
    kept
}

impl fmt::Display for PluginProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}`: {}", self.plugin, self.message)?;
        if let Some(pointer) = &self.pointer {
            write!(f, " (at {pointer})")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PluginProblem {}

#[cfg(test)]
mod tests;
