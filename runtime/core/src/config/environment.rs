//! The environment as configuration sees it: a fixed set of variables.

use std::collections::BTreeMap;

/// What a variable that is a key of the configuration starts with.
pub(crate) const PREFIX: &str = "WEIR__";

/// Variables by name. Tests and tools make their own; the daemon takes the process's.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// The variables of this process that are UTF-8.
    pub fn of_process() -> Environment {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Environment { variables: std::env::vars_os().filter_map(utf8).collect() }
    }

    /// The same with one variable set.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Environment {
        self.variables.insert(name.into(), value.into());
        self
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Whether it has keys of a configuration.
    pub fn configures(&self) -> bool {
        self.starting_with(PREFIX).next().is_some()
    }

    /// Sorted by name.
    pub(crate) fn starting_with<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        let all = self.variables.range(prefix.to_owned()..);
        all.take_while(move |(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Environment {
        let owned = |(name, value): (N, V)| (name.into(), value.into());
        Environment { variables: variables.into_iter().map(owned).collect() }
    }
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
