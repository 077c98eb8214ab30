//! What is wrong with a plugin, for the person who configures it.

use std::fmt;
use std::sync::Arc;

/// One reason why a plugin cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginProblem {
    /// The plugin's name in the configuration.
    pub plugin: Arc<str>,
    /// Where in the plugin's table: a JSON pointer (RFC 6901) such as `/component` or
    /// `/config/rate`. None: the table as a whole.
    pub pointer: Option<String>,
    /// What happened. Never holds a value of the configuration, which may be secret.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// The same, before it is known which plugin it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub pointer: Option<String>,
    pub message: String,
    pub hint: Option<String>,
}

impl Problem {
    /// About the component itself.
    pub fn component(message: impl Into<String>) -> Problem {
        Problem { pointer: Some("/component".into()), message: message.into(), hint: None }
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
            message: self.message,
            hint: self.hint,
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
