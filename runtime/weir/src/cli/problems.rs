//! Problems of a configuration as a person reads them: the line, a mark under it, what to write.
//!
//! In: problems and warnings. Out: text on standard error. Never: colours what is no terminal, or
//! where `NO_COLOR` is set (no-color.org).

use std::io::{self, IsTerminal, Write};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use weir_core::config::{Place, Problem};

/// Prints all of them, and how many there were.
pub fn show(problems: &[Problem], warnings: &[Problem]) {
    let colours = io::stderr().is_terminal() && may_colour(|name| std::env::var_os(name));
    let mut text = drawn(problems, warnings, colours);
    if !problems.is_empty() {
        text.push_str(&count(problems.len(), warnings.len()));
    }
    // Nobody may be there to read it.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// As an environment wants it: not with `NO_COLOR`, nor on a terminal that has none.
fn may_colour(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> bool {
    let set = |name| variable(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && variable("TERM").is_none_or(|term| term != "dumb")
}

/// Warnings last: what stops is nearer to the eye that comes from above, and they are in order.
fn drawn(problems: &[Problem], warnings: &[Problem], colours: bool) -> String {
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    let all = problems.iter().map(|problem| (problem, Level::ERROR));
    for (problem, level) in all.chain(warnings.iter().map(|warning| (warning, Level::WARNING))) {
        out.push_str(&renderer.render(&[draw(problem, level)]));
        out.push_str("\n\n");
    }
    out
}

fn draw<'a>(problem: &'a Problem, level: Level<'a>) -> Group<'a> {
    let group = Group::with_title(level.primary_title(&problem.message));
    let group = match (&problem.excerpt, &problem.place) {
        (Some(excerpt), Place::At { file, line, .. }) => {
            let mark = AnnotationKind::Primary.span(excerpt.mark.clone());
            let snippet = Snippet::source(&excerpt.line).path(&**file).line_start(*line);
            group.element(snippet.annotation(mark))
        }
        (None, Place::At { file, line, column, .. }) => {
            group.element(Origin::path(&**file).line(*line).char_column(*column))
        }
        (_, Place::Whole(file)) => group.element(Origin::path(&**file)),
        (_, Place::Variable(name)) => {
            group.element(Origin::path(format!("environment variable {name}")))
        }
    };
    match &problem.hint {
        Some(hint) => group.element(Level::HELP.message(hint)),
        None => group,
    }
}

/// `3 problems, 1 warning`
fn count(problems: usize, warnings: usize) -> String {
    let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match warnings {
        0 => format!("{}\n", counted(problems, "problem")),
        _ => format!("{}, {}\n", counted(problems, "problem"), counted(warnings, "warning")),
    }
}

#[cfg(test)]
mod tests;
