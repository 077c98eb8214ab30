//! From files to one tree.
//!
//! In: a [`Source`]. Out: the merged tree of what can be read of every file; what cannot is
//! reported. Never: knows what a key means, beyond that the sections of several files are merged by
//! name.
#![expect(clippy::disallowed_methods, reason = "a configuration is read on the control side")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::place::{Lines, Place};
use super::problem::Problem;
use super::report::Report;
use super::stamp::is_configuration;
use super::tree::{self, Lost, Node, Parsed, Table, Value};

/// Where a configuration is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, or a folder whose `*.toml` are merged in order of their names.
    Path(PathBuf),
    /// A text in memory; `name` stands in messages where a file's name would.
    Text { name: String, text: String },
}

impl Source {
    /// The folder that relative paths start from where they are not written in a file.
    pub(crate) fn folder(&self) -> PathBuf {
        match self {
            Source::Path(path) if path.is_dir() => path.clone(),
            Source::Path(path) => path.parent().map(Path::to_path_buf).unwrap_or_default(),
            Source::Text { .. } => PathBuf::new(),
        }
    }
}

/// The tree of all that can be read.
pub(crate) fn read(source: &Source, report: &Report) -> Node {
    let read = match source {
        Source::Text { name, text } => Some(parse(&Arc::from(name.as_str()), text, report)),
        Source::Path(path) if path.is_dir() => folder(path, report),
        Source::Path(path) => {
            file(path, "name the configuration with -c, or try `weir demo`", report)
        }
    };
    let nothing = || Node::new(Place::Whole("configuration".into()), Value::Table(Table::new()));
    read.unwrap_or_else(nothing)
}

fn folder(path: &Path, report: &Report) -> Option<Node> {
    report.source(path.to_path_buf());
    let name = Arc::from(path.display().to_string());
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())),
        Err(error) => {
            let message = format!("this folder cannot be read: {error}");
            report.problem(Problem::new(Place::Whole(name), "", message));
            report.lost(Lost::All);
            return None;
        }
    };
    let is_there = |path: &PathBuf| is_configuration(path) && !report.contents().is_to_come(path);
    let mut files: Vec<PathBuf> = entries.filter(is_there).collect();
    files.sort();
    if files.is_empty() {
        report.problem(
            Problem::new(Place::Whole(name), "", "there is no *.toml in this folder")
                .with_hint("put the configuration there, or name a file with -c"),
        );
        report.lost(Lost::All);
        return None;
    }
    let mut trees =
        files.iter().filter_map(|path| file(path, "mend it, or take it out of the folder", report));
    let mut merged = trees.next()?;
    for tree in trees {
        merge(&mut merged, tree, report);
    }
    Some(merged)
}

fn file(path: &Path, hint: &str, report: &Report) -> Option<Node> {
    report.source(path.to_path_buf());
    let name: Arc<str> = Arc::from(path.display().to_string());
    let bytes = match report.contents().read(path, super::file::CONFIGURATION) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("this file cannot be read: {error}");
            report.problem(Problem::new(Place::Whole(name), "", message).with_hint(hint));
            report.lost(Lost::All);
            return None;
        }
    };
    let (place, message, hint) = match std::str::from_utf8(&bytes) {
        // A key given for a configuration: what is wrong with it would be told line by line.
        Ok(text) if text.trim_start().starts_with("-----BEGIN ") => {
            let hint = "a configuration names certificates and keys by their paths";
            (Place::Whole(name), "this is a PEM file and no configuration", hint)
        }
        Ok(text) => return Some(parse(&name, text, report)),
        Err(error) => {
            let valid = String::from_utf8_lossy(bytes.get(..error.valid_up_to())?);
            let place = Lines::new(&name, &valid).place(valid.len()..valid.len());
            (place, "this is not TOML: a byte here is not UTF-8", "save the file as UTF-8")
        }
    };
    report.problem(Problem::new(place, "", message).with_hint(hint));
    report.lost(Lost::All);
    None
}

fn parse(name: &Arc<str>, text: &str, report: &Report) -> Node {
    report.text(name, text);
    let Parsed { root, problems, lost } = tree::parse(name, text);
    problems.into_iter().for_each(|problem| report.problem(problem));
    lost.into_iter().for_each(|lost| report.lost(lost));
    root
}

/// Sections (`[listeners]`, `[routes]` …) of two files become one; what stands in them must not be
/// there twice.
fn merge(into: &mut Node, from: Node, report: &Report) {
    let (Value::Table(sections), Value::Table(added)) = (&mut into.value, from.value) else {
        return;
    };
    for (name, entry) in added {
        match sections.get_mut(&name) {
            None => {
                sections.insert(name, entry);
            }
            Some(section) => match (&mut section.node.value, entry.node.value) {
                // `server` is one table and not a section of named ones.
                (Value::Table(here), Value::Table(there)) if name != "server" => {
                    merge_section(&name, here, there, report);
                }
                _ => report.problem(twice(&name, &entry.key, &section.key)),
            },
        }
    }
}

fn merge_section(section: &str, here: &mut Table, there: Table, report: &Report) {
    for (name, entry) in there {
        match here.get(&name) {
            Some(first) => {
                let path = format!("{section}.{name}");
                report.problem(twice(&path, &entry.node.place, &first.node.place));
            }
            None => {
                here.insert(name, entry);
            }
        }
    }
}

fn twice(path: &str, second: &Place, first: &Place) -> Problem {
    Problem::new(second.clone(), path, format!("[{path}] is already defined at {first}"))
        .with_hint("keep one of them, or rename this one")
}
