//! `[routes.NAME]`

use std::collections::HashSet;

use http::{HeaderName, HeaderValue};

use super::Check;
use super::listener::path_policy;
use crate::config::field::Field;
use crate::config::model::{
    Bound, Match, PathMatch, PathPolicy, Route, ValueMatch, WeightedUpstream,
};
use crate::config::pattern::Pattern;
use crate::config::problem::Fault;
use crate::config::read::{Named, TableReader};
use crate::config::tree::Value;
use crate::config::{keys, matcher};

impl Check<'_> {
    pub(super) fn route(&self, named: &Named<'_, TableReader<'_>>) -> Option<Route> {
        let table = &named.value;
        let (plugins, upstream) = (table.field("plugins"), table.field("upstream"));
        let misspelled = table.is_misspelled("upstream") || table.is_misspelled("plugins");
        let no_plugin = plugins.is_none_or(|field| field.is_empty_list());
        if upstream.is_none() && no_plugin && !misspelled {
            table.problem(Fault::hint(
                format!(
                    "[{}] has neither upstream nor plugins, so nothing would answer",
                    table.path
                ),
                "add upstream = \"NAME\", or a plugin that replies",
            ));
        }
        Some(Route {
            name: named.name.into(),
            path: route_path_policy(table),
            listeners: table.field("listeners").map(|field| self.listener_indices(&field)),
            matches: table.table("match").map(|table| matches(&table)).unwrap_or_default(),
            priority: table.integer("priority").unwrap_or(0),
            plugins: self.chain(table),
            upstreams: upstream.map(|field| self.weighted(&field)).unwrap_or_default(),
            timeout: table.duration("timeout").map_or(Route::TIMEOUT, Bound::written),
        })
    }

    fn weighted(&self, field: &Field<'_>) -> Vec<WeightedUpstream> {
        let list = match field.shorthand() {
            Ok(_) => {
                let index = self.upstream_index(field);
                return index
                    .map(|upstream| WeightedUpstream { upstream, weight: 1 })
                    .into_iter()
                    .collect();
            }
            Err(None) => {
                self.means(&field.node.value);
                return Vec::new();
            }
            Err(Some(list)) => list,
        };
        let items = list.list().unwrap_or_default();
        let mut out: Vec<WeightedUpstream> = Vec::new();
        let mut seen = HashSet::new();
        for item in &items {
            let Some(table) = item.table() else {
                self.means(&item.node.value);
                continue;
            };
            let upstream = table.required("to").and_then(|to| {
                let index = self.upstream_index(&to)?;
                if !seen.insert(index) {
                    to.problem(Fault::hint(
                        format!("this upstream is in the list already: {:?}", to.text()?),
                        "add their weights",
                    ));
                }
                Some(index)
            });
            let weight = match table.field("weight") {
                Some(weight) => weight.integer().and_then(|weight| u32::try_from(weight).ok()),
                None => Some(1),
            };
            if let (Some(upstream), Some(weight)) = (upstream, weight) {
                out.push(WeightedUpstream { upstream, weight });
            }
        }
        let complete = out.len() == items.len();
        if complete && out.iter().all(|weighted| weighted.weight == 0) {
            let message = if items.is_empty() { "the list is empty" } else { "every weight is 0" };
            field.problem(Fault::hint(
                format!("{message}, so nothing could be sent"),
                "give at least one upstream a weight above 0",
            ));
        }
        out
    }
}

impl Check<'_> {
    /// Names of upstreams where a name cannot be read: whoever wrote them means to use them.
    fn means(&self, value: &Value) {
        match value {
            Value::String(name) => drop(self.upstreams.index(name, self.report)),
            Value::Array(items) => items.iter().for_each(|item| self.means(&item.value)),
            // `{ users = 1 }`, or `{ to = "users" }` without its brackets.
            Value::Table(table) => {
                for (name, entry) in table {
                    if !keys::WEIGHTED.iter().any(|key| key.name == name) {
                        drop(self.upstreams.index(name, self.report));
                    }
                    self.means(&entry.node.value);
                }
            }
            _ => {}
        }
    }
}

/// A path to match that stands here belongs one table deeper.
fn route_path_policy(table: &TableReader<'_>) -> PathPolicy {
    match table.field("path") {
        Some(field) if field.text().is_some_and(|text| text.starts_with('/')) => {
            field.problem(Fault::hint(
                "this is \"normal\" or \"strict\", and no path to match",
                format!("it belongs in [{}.match]", table.path),
            ));
            PathPolicy::Normal
        }
        _ => path_policy(table),
    }
}

fn matches(table: &TableReader<'_>) -> Match {
    let methods = table.field("methods");
    if let Some(field) = methods.as_ref().filter(|field| field.is_empty_list()) {
        field.problem(Fault::hint(
            "an empty list matches nothing",
            "leave methods out to match any",
        ));
    }
    let methods = methods.and_then(|field| field.list()).unwrap_or_default();
    let mut headers: Vec<(HeaderName, ValueMatch)> = Vec::new();
    for entry in table.field("headers").map(|field| field.entries()).unwrap_or_default() {
        let Ok(name) = HeaderName::from_bytes(entry.name.as_bytes()) else {
            let message = format!("{:?} is not a field name", entry.name);
            entry.value.problem_at(entry.key, Fault::hint(message, "letters, digits and \"-\""));
            continue;
        };
        if headers.iter().any(|(known, _)| *known == name) {
            let message = format!("{name} is matched already; field names have no case");
            entry.value.problem_at(entry.key, Fault::hint(message, "keep one of them"));
        }
        if let Some(value) = value(&entry.value, |text| {
            let legal = HeaderValue::from_str(text).is_ok();
            legal.then_some(()).ok_or_else(|| {
                Fault::hint(
                    format!("{text:?} is not a field value"),
                    "it has no control characters",
                )
            })
        }) {
            headers.push((name, value));
        }
    }
    let query = table.field("query").map(|field| field.entries()).unwrap_or_default();
    let query = query
        .into_iter()
        .filter_map(|entry| Some((entry.name.to_owned(), value(&entry.value, |_| Ok(()))?)));
    Match {
        host: table.parsed("host", matcher::host),
        path: table.field("path").and_then(|field| path(&field)),
        methods: methods.iter().filter_map(|item| item.parsed(matcher::method)).collect(),
        headers,
        query: query.collect(),
    }
}

fn path(field: &Field<'_>) -> Option<PathMatch> {
    let table = match field.shorthand() {
        Ok(_) => return field.parsed(matcher::path),
        Err(field) => field?.table()?,
    };
    let kinds = [table.field("exact"), table.field("prefix"), table.field("regex")];
    let misspelled = ["exact", "prefix", "regex"].iter().any(|kind| table.is_misspelled(kind));
    if kinds.iter().flatten().count() != 1 && !misspelled {
        field.problem(Fault::hint(
            "a path is one of exact, prefix and regex",
            "{ prefix = \"/api\" }",
        ));
    }
    let [exact, prefix, regex] = kinds;
    let exact = exact.and_then(|field| field.parsed(matcher::exact_path));
    let prefix = prefix.and_then(|field| field.parsed(matcher::prefix_path));
    let regex = regex.and_then(|field| field.parsed(matcher::regex_path));
    exact.or(prefix).or(regex)
}

/// A header's or a parameter's value.
fn value(field: &Field<'_>, legal: impl Fn(&str) -> Result<(), Fault>) -> Option<ValueMatch> {
    let table = match field.shorthand() {
        Ok(text) => {
            field.parsed(legal)?;
            return Some(ValueMatch::Exact(text.to_owned()));
        }
        Err(field) => field?.table()?,
    };
    let (regex, present) = (table.field("regex"), table.field("present"));
    let misspelled = table.is_misspelled("regex") || table.is_misspelled("present");
    if regex.is_some() == present.is_some() && !misspelled {
        let hint = "a string, { regex = \"…\" } or { present = true }";
        field.problem(Fault::hint("this is not something to match a value with", hint));
    }
    let regex = regex.and_then(|field| field.parsed(Pattern::of_value)).map(ValueMatch::Regex);
    let present = present.and_then(|field| match field.flag()? {
        true => Some(ValueMatch::Present),
        false => {
            let hint = "match the others with a route of their own and a higher priority";
            field.problem(Fault::hint("absence cannot be matched", hint));
            None
        }
    });
    regex.or(present)
}
