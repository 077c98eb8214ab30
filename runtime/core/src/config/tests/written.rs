//! What stands in `configs/`, and equality: what a reload may keep.

use std::path::{Path, PathBuf};

use super::*;
use crate::config::check::check;
use crate::config::keys::{Key, Kind};
use crate::config::path::join;
use crate::config::report::Report;
use crate::config::tree::{Entry, Node, Table, Value};

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

/// The names of the plugins in this repository, which are those that are built in.
fn built_ins() -> Vec<String> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let entries = std::fs::read_dir(plugins).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.chain(["cors".to_owned()]).collect()
}

#[test]
fn every_file_in_configs_is_valid() {
    let built_ins = built_ins();
    let built_ins: Vec<&str> = built_ins.iter().map(String::as_str).collect();
    let mut count = 0;
    for entry in std::fs::read_dir(configs()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let is_reference = path.ends_with("reference.toml");
            let source = Source::Path(path);
            let config = load(&source, &Environment::default(), &built_ins)
                .unwrap_or_else(|problems| panic!("{problems}"));
            assert!(!config.listeners.is_empty());
            let warnings: Vec<String> =
                config.warnings.iter().map(|w| w.as_warning().to_string()).collect();
            // The reference shows keys that change nothing beside others.
            assert!(
                warnings.is_empty() || is_reference,
                "an example warns of itself: {warnings:?}"
            );
            count += 1;
        }
    }
    assert!(count >= 2);
}

#[test]
fn the_reference_has_every_key_with_its_default() {
    let text = std::fs::read_to_string(configs().join("reference.toml")).unwrap();
    let mut missing = Vec::new();
    section(&text, "", crate::config::keys::ROOT, &mut missing);
    assert!(missing.is_empty(), "configs/reference.toml lacks: {}", missing.join(", "));
}

/// Looks for each key in the part of the text that belongs to its table.
fn section(text: &str, path: &str, keys: &[Key], missing: &mut Vec<String>) {
    let body = body(text, path);
    for key in keys {
        let path =
            if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        match &key.kind {
            Kind::Table(keys) => section(text, &path, keys, missing),
            Kind::TextOr(Kind::Table(keys)) if text.contains(&format!("[{path}]")) => {
                section(text, &path, keys, missing);
            }
            Kind::Named(keys) => {
                let named = text.split(&format!("[{path}.")).nth(1);
                let name = named.and_then(|rest| rest.split(']').next()).unwrap_or_default();
                section(text, &format!("{path}.{name}"), keys, missing);
            }
            Kind::Map(_) if text.contains(&format!("[{path}]")) => {}
            kind => {
                let default = match key.default {
                    // Shown with an example, and the default in the comment.
                    "" | "[]" | "{}" => String::new(),
                    default => format!(" {default}"),
                };
                let line = |line: &str| {
                    let line = line.trim_start_matches("#:").trim_start();
                    let rest = line.strip_prefix(key.name).map(str::trim_start);
                    rest.is_some_and(|rest| rest.starts_with(&format!("={default}")))
                };
                if !body.iter().any(|text| line(text)) {
                    missing.push(format!("{path} ={default}"));
                }
                let inner: &[Key] = match kind {
                    Kind::List(Kind::Table(keys) | Kind::TextOr(Kind::Table(keys)))
                    | Kind::TextOr(Kind::Table(keys) | Kind::List(Kind::Table(keys)))
                    | Kind::Map(Kind::TextOr(Kind::Table(keys))) => keys,
                    _ => &[],
                };
                for key in inner {
                    let written = format!("{} = ", key.name);
                    if !body.iter().any(|text| text.contains(&written)) {
                        missing.push(format!("{path}: {written}"));
                    }
                }
            }
        }
    }
}

/// The lines between a table's header and the next.
fn body<'a>(text: &'a str, path: &str) -> Vec<&'a str> {
    let header = format!("[{path}]");
    let bare = |line: &'a str| line.trim_start_matches("#:").trim_start();
    let lines = text.lines().skip_while(|line| !bare(line).starts_with(&header)).skip(1);
    lines.take_while(|line| !bare(line).starts_with('[')).collect()
}

#[test]
fn every_key_is_read() {
    let reference = std::fs::read_to_string(configs().join("reference.toml")).unwrap();
    let file = "reference.toml".into();
    let tree = crate::config::tree::parse(&file, &reference).root;
    let mut paths = Vec::new();
    below(&Kind::Table(crate::config::keys::ROOT), &tree, &mut Vec::new(), &mut paths);
    assert!(paths.len() > 60, "{paths:?}");
    for path in paths {
        // Nothing takes a date, so whoever reads the key complains of it.
        let mut tree = tree.clone();
        put_date(&mut tree, &path);
        let report = Report::default();
        check(&tree, &Environment::default(), PathBuf::new(), &["cors"], &report);
        let joined = path.iter().fold(String::new(), |path, step| match step.parse::<usize>() {
            Ok(index) => format!("{path}[{index}]"),
            Err(_) => join(&path, step),
        });
        let problems = report.finish().problems;
        assert!(problems.iter().any(|problem| problem.path == joined), "{joined} is not read");
    }
}

/// The paths of all keys of a kind, under the names that the reference has.
fn below(kind: &Kind, tree: &Node, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let name = lookup(tree, path).and_then(|table| table.keys().next()).cloned();
    let name = name.unwrap_or_default();
    let mut step = |name: &str, kind: &Kind| {
        path.push(name.to_owned());
        paths.push(path.clone());
        below(kind, tree, path, paths);
        path.pop();
    };
    match kind {
        Kind::Table(keys) => keys.iter().for_each(|key| step(key.name, &key.kind)),
        Kind::Named(keys) => step(&name, &Kind::Table(keys)),
        Kind::List(kind) => step("0", kind),
        // What is below `config` is the plugin's to check.
        Kind::Map(Kind::Any) => {}
        Kind::Map(kind) => step(&name, kind),
        Kind::TextOr(kind) => below(kind, tree, path, paths),
        _ => {}
    }
}

fn lookup<'a>(tree: &'a Node, path: &[String]) -> Option<&'a Table> {
    let step = |table: &'a Table, step: &String| table.get(step)?.node.as_table();
    path.iter().try_fold(tree.as_table()?, step)
}

/// Puts a date at a path, and tables and lists on the way where there are none.
fn put_date(node: &mut Node, path: &[String]) {
    let Some((step, rest)) = path.split_first() else {
        node.value = Value::Datetime("1979-05-27".into());
        return;
    };
    let empty = Node::new(node.place.clone(), Value::Broken);
    if step == "0" {
        node.value = Value::Array(vec![empty.clone()]);
    } else if node.as_table().is_none() {
        node.value = Value::Table(Default::default());
    }
    match &mut node.value {
        Value::Array(items) => put_date(&mut items[0], rest),
        Value::Table(table) => {
            let key = node.place.clone();
            let entry = table.entry(step.clone()).or_insert(Entry { key, node: empty });
            put_date(&mut entry.node, rest);
        }
        _ => unreachable!(),
    }
}

#[test]
fn the_reference_says_what_the_defaults_are() {
    let reference = Source::Path(configs().join("reference.toml"));
    let reference = load(&reference, &Environment::default(), &["cors"]).unwrap();
    let mut bare = load_text(
        "[listeners.web]\nbind = \"127.0.0.1:8080\"\n[plugins.edge-cors]\ncomponent = \"cors\"\n\
         config = { allow_origins = [\"https://app.example.com\"] }\n\
         [routes.api]\nplugins = [\"edge-cors\"]\nupstream = \"users\"\n\
         [upstreams.users]\nhealth = { path = \"/health\" }\n\
         endpoints = [\"http://127.0.0.1:9001\", \"http://127.0.0.1:9002\"]\n",
    )
    .unwrap();
    assert_eq!(bare.listeners[0].limits, Limits::default());
    // What is written there is the default, and holds for gRPC, too.
    let timeouts = &mut bare.upstreams[0].timeouts;
    for bound in [
        &mut bare.listeners[0].limits.body_timeout,
        &mut bare.routes[0].timeout,
        &mut timeouts.first_byte,
        &mut timeouts.idle,
    ] {
        assert_eq!(bound.of(true), Bound::NEVER);
        *bound = Bound::written(bound.of(false));
    }
    assert_eq!(reference.listeners, bare.listeners);
    assert_eq!(reference.plugins, bare.plugins);
    assert_eq!(reference.upstreams, bare.upstreams);
    assert_eq!(reference.routes[0].timeout, bare.routes[0].timeout);
    assert_eq!(reference.routes[0].upstreams, bare.routes[0].upstreams);
    assert_eq!(reference.server.grace, bare.server.grace);
    // Of a component that comes with the proxy; any other has less time.
    let others = PluginLimits { deadline: Duration::from_millis(10), ..bare.plugins[0].limits };
    assert_eq!(others, PluginLimits::default());
    assert_eq!(bare.upstreams[0].pool, Pool::default());
    assert!(bare.upstreams[0].tls.verify, "certificates are verified unless told otherwise");
}

#[test]
fn what_only_moved_is_equal() {
    let before = load_text(TYPICAL).unwrap();
    let after = load_text(&format!("# a line more\n{TYPICAL}")).unwrap();
    assert_eq!(before.plugins, after.plugins);
    assert_eq!(before.listeners, after.listeners);
    assert_eq!(before.upstreams, after.upstreams);
    let changed = load_text(&TYPICAL.replace("\"1h\"", "\"2h\"")).unwrap();
    assert_eq!(before.plugins[1], changed.plugins[1]);
    assert_ne!(before.plugins[0], changed.plugins[0]);
}

#[test]
fn what_is_not_used_is_a_warning() {
    let config = load_text(
        "[listeners.web]\nbind = \"127.0.0.1:80\"\n[plugins.x]\ncomponent = \"cors\"\n\
         [upstreams.a]\nendpoints = [\"http://b\"]\ntls = { verify = false }\n",
    )
    .unwrap();
    let shown: Vec<String> = config.warnings.iter().map(|w| w.as_warning().to_string()).collect();
    let first_lines: Vec<&str> =
        shown.iter().filter_map(|text| text.split("; hint: ").next()).collect();
    assert_eq!(
        first_lines,
        [
            "weir.toml:3:1: warning: [plugins.x] is not used",
            "weir.toml:5:1: warning: [upstreams.a] is not used",
            "weir.toml:7:7: warning: upstreams.a.tls: no endpoint is https://, so this changes nothing",
            "weir.toml:7:18: warning: upstreams.a.tls.verify: any certificate is accepted, so anybody on the way can read and change all",
        ]
    );
}
