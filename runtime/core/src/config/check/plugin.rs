//! `[plugins.NAME]`

use std::sync::Arc;

use super::Check;
use crate::config::field::Field;
use crate::config::model::{ComponentSource, Grants, Isolation, OnFailure, Plugin, PluginLimits};
use crate::config::problem::Fault;
use crate::config::read::{Named, TableReader};
use crate::config::tree::{Node, Value};

impl Check<'_> {
    pub(super) fn plugin(&self, named: &Named<'_, TableReader<'_>>) -> Option<Plugin> {
        let table = &named.value;
        let component = table.required("component").and_then(|field| self.component(&field));
        let config = table.field("config").filter(|field| field.as_table().is_some());
        let limits = component.as_ref().map_or_else(PluginLimits::default, PluginLimits::of);
        let limits = limits_or(table.table("limits"), limits);
        let granted = match component {
            Some(ComponentSource::BuiltIn(_)) => Grants::everything(),
            _ => Grants::default(),
        };
        let plugin = Plugin {
            name: named.name.into(),
            config: config.map_or("{}".into(), |field| Arc::from(json(field.node).to_string())),
            grants: self.grants(table.table("grants"), granted),
            limits,
            on_failure: match table.one_of("on_failure") {
                Some("skip") => OnFailure::Skip,
                _ => OnFailure::Reject,
            },
            isolation: match table.one_of("isolation") {
                Some("request") => Isolation::Request,
                _ => Isolation::Worker,
            },
            place: table.place.to_string().into(),
            // All else has been read by now, to tell what is wrong with it.
            component: component?,
        };
        Some(plugin)
    }

    fn component(&self, field: &Field<'_>) -> Option<ComponentSource> {
        let text = field.text()?;
        if let Some((scheme, _)) = text.split_once("://") {
            field.problem(Fault::hint(
                format!("this build loads built-in components and files, not {scheme}://"),
                "fetch the component and name the file: \"./x.wasm\"",
            ));
            return None;
        }
        if text.contains('/') {
            return self.file(field).map(ComponentSource::File);
        }
        if self.built_ins.contains(&text) {
            return Some(ComponentSource::BuiltIn(text.into()));
        }
        let hint = if text.ends_with(".wasm") {
            format!("a file needs a slash: \"./{text}\"")
        } else if let Some(name) = self.report.nearest(text, self.built_ins.iter().copied()) {
            format!("did you mean {name:?}?")
        } else if self.built_ins.is_empty() {
            "name a file: \"./x.wasm\"".to_owned()
        } else {
            format!("there are: {}; or name a file: \"./x.wasm\"", self.built_ins.join(", "))
        };
        field.problem(Fault::hint(format!("there is no built-in component {text:?}"), hint));
        None
    }
}

/// What is written, and of the others these.
fn limits_or(table: Option<TableReader<'_>>, limits: PluginLimits) -> PluginLimits {
    let Some(table) = table else { return limits };
    PluginLimits {
        memory: table.size("memory").unwrap_or(limits.memory),
        deadline: table.duration("deadline").unwrap_or(limits.deadline),
        instances: table.integer("instances").unwrap_or(limits.instances),
        wait: table.duration("wait").unwrap_or(limits.wait),
        quota: table.size("quota").unwrap_or(limits.quota),
    }
}

/// The node as JSON; a date is its text.
pub(in crate::config) fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::String(text) | Value::Datetime(text) => text.as_str().into(),
        Value::Integer(n) => (*n).into(),
        Value::Float(n) => (*n).into(),
        Value::Boolean(b) => (*b).into(),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Table(table) => {
            table.iter().map(|(key, entry)| (key.clone(), json(&entry.node))).collect()
        }
        Value::Broken => serde_json::Value::Null,
    }
}
