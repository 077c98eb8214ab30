//! `[plugins.NAME]`

use std::sync::Arc;

use super::Check;
use crate::config::field::Field;
use crate::config::model::{ComponentSource, Grants, Isolation, OnFailure, Plugin, PluginLimits};
use crate::config::nearest::nearest;
use crate::config::problem::Fault;
use crate::config::read::{Named, TableReader};
use crate::config::tree::{Node, Value};

impl Check<'_> {
    pub(super) fn plugin(&self, named: &Named<'_, TableReader<'_>>) -> Option<Plugin> {
        let table = &named.value;
        let component = table.required("component").and_then(|field| self.component(&field));
        let config = table.field("config").filter(|field| field.as_table().is_some());
        let written = table.table("limits");
        let written = written.as_ref();
        let component = component?;
        let limits = PluginLimits::of(&component);
        let plugin = Plugin {
            name: named.name.into(),
            config: config.map_or("{}".into(), |field| Arc::from(json(field.node).to_string())),
            grants: grants(table.table("grants")),
            limits: PluginLimits {
                memory: written.and_then(|t| t.size("memory")).unwrap_or(limits.memory),
                deadline: written.and_then(|t| t.duration("deadline")).unwrap_or(limits.deadline),
                instances: written.and_then(|t| t.integer("instances")).unwrap_or(limits.instances),
                wait: written.and_then(|t| t.duration("wait")).unwrap_or(limits.wait),
                quota: written.and_then(|t| t.size("quota")).unwrap_or(limits.quota),
            },
            on_failure: match table.one_of("on_failure") {
                Some("skip") => OnFailure::Skip,
                _ => OnFailure::Reject,
            },
            isolation: match table.one_of("isolation") {
                Some("request") => Isolation::Request,
                _ => Isolation::Worker,
            },
            place: table.place.to_string().into(),
            component,
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
        } else if let Some(name) = nearest(text, self.built_ins.iter().copied()) {
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

fn grants(table: Option<TableReader<'_>>) -> Grants {
    let Some(table) = table else { return Grants::default() };
    if let Some(field) = table.field("http")
        && field.list().is_some_and(|origins| origins.iter().any(|origin| origin.text().is_some()))
    {
        field.problem(Fault::hint(
            "plugin contract 0.1 has no outbound interface, so there is nothing to grant",
            "remove http",
        ));
    }
    Grants { store: table.flag("store").unwrap_or_default() }
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
