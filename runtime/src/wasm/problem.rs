//! What is wrong with a plugin, for the person who configures it.

use std::fmt;
use std::sync::Arc;

use crate::config::{Finding, Flaw};

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

/// The same, before it is known which plugin it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub pointer: Option<String>,
    pub hint: Option<String>,
    pub flaw: Flaw,
    pub secrets: Arc<[String]>,
}

impl Problem {
    /// About the component itself.
    pub fn component(message: impl Into<String>) -> Problem {
        Problem::at("/component", Flaw::Said(message.into()))
    }

    /// About a place in the plugin's table.
    pub fn at(pointer: impl Into<String>, flaw: Flaw) -> Problem {
        Problem { pointer: Some(pointer.into()), hint: None, flaw, secrets: Arc::default() }
    }

    /// With what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// Of this plugin.
    pub fn of(self, plugin: &Arc<str>) -> PluginProblem {
        PluginProblem {
            plugin: plugin.clone(),
            pointer: self.pointer,
            message: self.flaw.words(),
            hint: self.hint,
            flaw: Box::new(self.flaw),
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
