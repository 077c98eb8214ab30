//! What others find wrong with a plugin's table: its schema, its component, itself.
//!
//! In: a JSON pointer and a flaw. Out: a [`Problem`] at its place, in the words of Weir's own keys.
//! Never: tells a secret: what came from `${…}`, what the schema calls `writeOnly`, and what has a
//! name that secrets go by.

use serde::{Deserialize, Serialize};

use super::mismatch::Wanted;
use super::path::{join, pointer_steps};
use super::places::Places;
use super::problem::Problem;
use super::secret::{is_template, sounds_secret};
use super::tree::{Node, Value};

/// Something that is wrong in `[plugins.NAME]`.
#[derive(Debug, Clone, Copy)]
pub struct Finding<'a> {
    pub plugin: &'a str,
    /// Where in the plugin's table: a JSON pointer (RFC 6901) such as `/component` or
    /// `/config/rate`; empty for the table as a whole.
    pub pointer: &'a str,
    pub flaw: &'a Flaw,
    /// What to do next; where there is none, it may be found from the value.
    pub hint: Option<&'a str>,
    /// Where values are, likewise, that the plugin's schema calls `writeOnly`.
    pub secrets: &'a [String],
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flaw {
    /// It is of another type or form.
    Unwanted(Wanted),
    /// It, and what is wrong with it: `is out of range: 1 to 10`.
    Value(String),
    /// Nobody knows the key that it stands under.
    UnknownKey,
    /// The table lacks this key.
    MissingKey(String),
    /// As whoever found it says it, where `keys[0].name: …` may lead to the value.
    Said(String),
}

impl Flaw {
    /// For those who do not know the value.
    pub fn words(&self) -> String {
        match self {
            Flaw::Unwanted(wanted) => format!("expected {wanted}"),
            Flaw::Value(what) => format!("this value {what}"),
            Flaw::UnknownKey => "unknown key".to_owned(),
            Flaw::MissingKey(key) => format!("there is no {key:?}"),
            Flaw::Said(words) => words.clone(),
        }
    }
}

// === impl Places ===

impl Places {
    /// The problem that a finding is; `None` where it only follows from one that was reported.
    pub fn problem(&self, finding: Finding<'_>) -> Option<Problem> {
        let Finding { plugin, pointer, flaw, hint, secrets } = finding;
        let table = ["plugins".to_owned(), plugin.to_owned()];
        let mut steps: Vec<String> = table.into_iter().chain(pointer_steps(pointer)).collect();
        let mut said = None;
        if let Flaw::Said(words) = flaw {
            let (inside, words) = self.led_to(&steps, words);
            steps.extend(inside);
            said = Some(words);
        }
        let (nearest, depth) = self.nearest(&steps);
        let node = nearest.node;
        let lacks = matches!(flaw, Flaw::MissingKey(_) | Flaw::UnknownKey);
        if !lacks && node.is_broken() {
            return None;
        }
        let path = joined(&steps);
        let secret = is_secret(&steps, node, secrets);
        let place = match flaw {
            Flaw::UnknownKey if depth == steps.len() => nearest.key,
            _ => &node.place,
        };
        let message = match flaw {
            Flaw::Unwanted(wanted) => {
                format!("{path}: expected {wanted}, found {}", node.described(secret))
            }
            Flaw::Value(what) => {
                let value = node.quoted().filter(|_| !secret);
                format!("{path}: {} {what}", value.as_deref().unwrap_or("this value"))
            }
            Flaw::UnknownKey => {
                let (key, table) = steps.split_last()?;
                format!("unknown key {key:?} in {}", bracketed(&joined(table)))
            }
            Flaw::MissingKey(key) => format!("{} has no {key:?}", bracketed(&path)),
            Flaw::Said(_) => {
                let words = said.unwrap_or_default();
                format!("{path}: {}", self.without_secrets(plugin, words, secrets))
            }
        };
        let hint = hint.map(|hint| match flaw {
            Flaw::Said(_) => self.without_secrets(plugin, hint, secrets),
            _ => hint.to_owned(),
        });
        let hint = hint.or_else(|| match flaw {
            Flaw::Unwanted(wanted) if !secret => wanted.hint(node),
            _ => None,
        });
        // A key is no secret, and the values around it are not shown.
        let secret = secret && !lacks;
        let hint = hint.or_else(|| Some(written_of(flaw, plugin)));
        let problem = Problem { secret, ..Problem::new(place.clone(), path, message) };
        let mut problem = problem.hinted(hint);
        self.excerpts.add_to(&mut problem);
        Some(problem)
    }

    /// The value that the words begin with, `keys[1].name: missing field`, if there is such a one.
    fn led_to<'w>(&self, steps: &[String], words: &'w str) -> (Vec<String>, &'w str) {
        let nowhere = (Vec::new(), words);
        let Some((path, rest)) = words.split_once(": ") else { return nowhere };
        let inside = super::path::steps(path);
        let all: Vec<String> = steps.iter().chain(&inside).cloned().collect();
        let written = joined(&inside) == path;
        if written && self.nearest(&all).1 == all.len() { (inside, rest) } else { nowhere }
    }

    /// What a plugin says may quote what it was given.
    fn without_secrets(&self, plugin: &str, words: &str, secrets: &[String]) -> String {
        let mut steps = vec!["plugins".to_owned(), plugin.to_owned(), "config".to_owned()];
        let mut texts = Vec::new();
        let (config, depth) = self.nearest(&steps);
        if depth == steps.len() {
            collect(config.node, &mut steps, secrets, &mut texts);
        }
        // The longest first: one may be a part of another.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let mut words = words.to_owned();
        for text in texts {
            let escaped = text.escape_debug().to_string();
            for text in [text, escaped.as_str()] {
                words = masked(&words, text);
                words = without_beginning(&words, text);
            }
        }
        words
    }
}

/// What to write, where nobody says more of it.
fn written_of(flaw: &Flaw, plugin: &str) -> String {
    match flaw {
        Flaw::Unwanted(wanted) => format!("what is wanted: {wanted}"),
        Flaw::UnknownKey => "remove it, or look its name up in the plugin's README".to_owned(),
        Flaw::MissingKey(key) => format!("add {key} = … there"),
        Flaw::Value(_) | Flaw::Said(_) => {
            format!("the README of [plugins.{plugin}]'s component says what it takes")
        }
    }
}

/// Without as much of a long text as stands somewhere: what quotes it may have been cut.
fn without_beginning(words: &str, text: &str) -> String {
    let Some(begin) = text.char_indices().nth(BEGINNING).and_then(|(at, _)| text.get(..at)) else {
        return words.to_owned();
    };
    let mut out = String::new();
    let mut rest = words;
    while let Some(at) = rest.find(begin) {
        let (before, from) = rest.split_at(at);
        let alike = from.char_indices().zip(text.chars()).take_while(|((_, a), b)| a == b);
        let end = alike.last().map_or(begin.len(), |((at, c), _)| at + c.len_utf8());
        out.extend([before, "***"]);
        rest = from.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Characters of a secret that are known again where it is not told whole.
const BEGINNING: usize = 12;

/// Without a text; one that is short enough to be a part of any word, where it stands alone.
fn masked(words: &str, text: &str) -> String {
    let part_of_a_word = |c: char| c.is_alphanumeric() && text.len() < 6;
    let mut out = String::new();
    let (mut rest, mut before) = (words, None);
    while let Some((left, right)) = rest.split_once(text) {
        let before_it = left.chars().next_back().or(before);
        let inside = [before_it, right.chars().next()].into_iter().flatten().any(part_of_a_word);
        out.push_str(left);
        out.push_str(if inside { text } else { "***" });
        before = text.chars().next_back();
        rest = right;
    }
    out.push_str(rest);
    out
}

fn collect<'n>(
    node: &'n Node,
    steps: &mut Vec<String>,
    secrets: &[String],
    out: &mut Vec<&'n str>,
) {
    match &node.value {
        Value::String(text) if !text.is_empty() && is_secret(steps, node, secrets) => {
            out.push(text);
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                steps.push(i.to_string());
                collect(item, steps, secrets, out);
                steps.pop();
            }
        }
        Value::Table(table) => {
            for (key, entry) in table {
                steps.push(key.clone());
                collect(&entry.node, steps, secrets, out);
                steps.pop();
            }
        }
        _ => {}
    }
}

/// Whether a value of a plugin's own table is a secret.
fn is_secret(steps: &[String], node: &Node, secrets: &[String]) -> bool {
    let [_, _, config, inside @ ..] = steps else { return false };
    if config != "config" {
        return false;
    }
    let under = |pointer: &String| {
        let mut named = pointer_steps(pointer).skip(1);
        let mut own = inside.iter();
        named.all(|step| own.next().is_some_and(|own| *own == step))
    };
    let from_outside = node.written.is_some() || node.is_secret();
    let looks = match &node.value {
        // A name makes no secret of what is on or off, nor of where a value is to come from.
        Value::Boolean(_) => false,
        Value::String(text) if is_template(text) => false,
        _ => inside.iter().any(|step| sounds_secret(step)),
    };
    from_outside || looks || secrets.iter().any(under)
}

fn joined(steps: &[String]) -> String {
    steps.iter().fold(String::new(), |path, step| match step.parse::<usize>() {
        Ok(index) => format!("{path}[{index}]"),
        Err(_) => join(&path, step),
    })
}

fn bracketed(path: &str) -> String {
    if path.contains('[') { path.to_owned() } else { format!("[{path}]") }
}
