//! `${NAME}`, `${NAME:-default}` and `${file:/run/secrets/x}` in string values.
//!
//! In: the tree as written. Out: the same tree with texts replaced, each remembering what was
//! written. Never: looks at keys, or at what it puts in: a value is not searched again.

use std::path::Path;

use super::Environment;
use super::problem::{Fault, Problem};
use super::report::Report;
use super::tree::{Node, Value};

/// Replaces in every string below `node`.
pub(crate) fn interpolate(
    node: &mut Node,
    path: &str,
    environment: &Environment,
    folder: &Path,
    report: &Report,
) {
    match &mut node.value {
        Value::String(text) if text.contains("${") => {
            let base = node.place.folder().unwrap_or(folder);
            match replaced(text, environment, base, report) {
                Ok((replaced, used)) => {
                    let written = std::mem::replace(text, replaced);
                    node.written = used.then(|| written.into());
                }
                Err(fault) => {
                    report.problem(Problem::of(fault, node.place.clone(), path));
                    node.written = Some(std::mem::take(text).into());
                    node.value = Value::Broken;
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                interpolate(item, &format!("{path}[{i}]"), environment, folder, report);
            }
        }
        Value::Table(table) => {
            for (key, entry) in table {
                let path = super::path::join(path, key);
                interpolate(&mut entry.node, &path, environment, folder, report);
            }
        }
        _ => {}
    }
}

/// The text with everything replaced, and whether something but an escape was.
fn replaced(
    text: &str,
    environment: &Environment,
    base: &Path,
    report: &Report,
) -> Result<(String, bool), Fault> {
    let mut out = String::with_capacity(text.len());
    let mut used = false;
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        out.push_str(before);
        let Some(end) = from.find('}') else {
            return Err(Fault::hint(
                "\"${\" without its \"}\"",
                "write ${NAME}, or $${ for the characters themselves",
            ));
        };
        out.push_str(&lookup(&from[2..end], environment, base, report)?);
        used = true;
        rest = &from[end + 1..];
    }
    out.push_str(rest);
    Ok((out, used))
}

fn lookup(
    inner: &str,
    environment: &Environment,
    base: &Path,
    report: &Report,
) -> Result<String, Fault> {
    if let Some(file) = inner.strip_prefix("file:") {
        let path = base.join(file);
        report.source(path.clone());
        let text = report.contents().text(&path, super::file::SECRET).map_err(|error| {
            let message = format!("${{file:{file}}} cannot be read: {error}");
            Fault::hint(message, "the file must exist, be readable by this user, and be UTF-8")
        })?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        return Ok(line.strip_suffix('\r').unwrap_or(line).to_owned());
    }
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(legal) || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return Err(Fault::hint(
            "what stands in \"${…}\" is not the name of an environment variable",
            "write ${NAME}, ${NAME:-default} or ${file:/path}; $${ for the characters themselves",
        ));
    }
    match (environment.get(name), default) {
        (Some(value), _) => Ok(value.to_owned()),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Fault::hint(
            format!("environment variable {name} is not set"),
            format!("set it, or give a default: ${{{name}:-default}}"),
        )),
    }
}
