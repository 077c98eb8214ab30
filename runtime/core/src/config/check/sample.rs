//! Paths that a match takes.
//!
//! In: a path match. Out: some of what it takes, the shortest of each of a pattern's branches; and what
//! all of it begins with. Never: all: a pattern takes more than anybody lists.

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::config::model::PathMatch;
use crate::config::pattern::Pattern;

/// Most samples of one pattern.
const MOST: usize = 32;
/// Longest, in bytes.
const LONGEST: usize = 256;

/// Some paths that a match takes.
pub(super) fn paths(matches: &PathMatch) -> Vec<String> {
    match matches {
        PathMatch::Exact(text) | PathMatch::Below(text) | PathMatch::Prefix(text) => {
            vec![text.clone()]
        }
        PathMatch::Regex(regex) => {
            let pattern = regex_syntax::parse(regex.as_str());
            let samples = pattern.map(|pattern| of(&pattern)).unwrap_or_default();
            let takes = |text: &String| text.starts_with('/') && regex.is_match(text);
            samples.into_iter().filter(takes).collect()
        }
    }
}

/// What every path begins with that a pattern takes, as far as that is easily told.
pub(super) fn start(regex: &Pattern) -> String {
    let Ok(pattern) = regex_syntax::parse(regex.as_str()) else { return String::new() };
    let literals = Extractor::new().extract(&pattern);
    let common = literals.longest_common_prefix().unwrap_or_default();
    std::str::from_utf8(common).unwrap_or_default().to_owned()
}

fn of(pattern: &Hir) -> Vec<String> {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![String::new()],
        HirKind::Literal(literal) => vec![String::from_utf8_lossy(&literal.0).into_owned()],
        HirKind::Class(class) => of_class(class),
        HirKind::Capture(capture) => of(&capture.sub),
        HirKind::Repetition(repetition) => {
            let least = repetition.min.min(LONGEST as u32) as usize;
            let mut all = of(&repetition.sub);
            for sample in &mut all {
                *sample = sample.repeat(least.max(1));
            }
            if least == 0 {
                all.insert(0, String::new());
            }
            bounded(all)
        }
        HirKind::Alternation(branches) => bounded(branches.iter().flat_map(of)),
        HirKind::Concat(parts) => parts.iter().fold(vec![String::new()], |before, part| {
            let next = of(part);
            bounded(
                before.iter().flat_map(|start| next.iter().map(move |end| format!("{start}{end}"))),
            )
        }),
    }
}

/// A letter, if there is one: what stands for any character is no separator then.
fn of_class(class: &Class) -> Vec<String> {
    let Class::Unicode(class) = class else { return Vec::new() };
    let holds = |c: char| class.iter().any(|range| range.start() <= c && c <= range.end());
    let first = class.iter().map(|range| range.start()).next();
    let one = ['x', 'X', '1', '/'].into_iter().find(|c| holds(*c)).or(first);
    one.map(String::from).into_iter().collect()
}

fn bounded(samples: impl IntoIterator<Item = String>) -> Vec<String> {
    samples.into_iter().filter(|sample| sample.len() <= LONGEST).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_branch_of_a_pattern_has_a_path() {
        for (pattern, wanted) in [
            ("/admin(/.*)?", &["/admin", "/admin/"][..]),
            ("/(admin|secret)/.+", &["/admin/x", "/secret/x"]),
            ("(?i)/admin", &["/ADMIN"]),
            ("/v[0-9]+/[a-z]{3}", &["/v1/xxx"]),
            (".*", &[]),
            ("/(a{100}){3}", &[]),
        ] {
            let regex = Pattern::of_path(pattern).expect("a pattern");
            let found = paths(&PathMatch::Regex(regex));
            assert!(
                wanted.iter().all(|path| found.iter().any(|sample| sample == path)),
                "{found:?}"
            );
            assert_eq!(found.is_empty(), wanted.is_empty(), "{pattern}: {found:?}");
        }
    }

    #[test]
    fn what_a_pattern_takes_begins_with_its_start() {
        for (pattern, wanted) in [
            ("/admin(/.*)?", "/admin"),
            ("/x1/[a-z]+/.*y", "/x1/"),
            ("/(admin|admit)/.+", "/admi"),
            ("(?i)/admin", "/"),
            ("/a|b", ""),
            (".*", ""),
            ("(a|)/b", ""),
        ] {
            let regex = Pattern::of_path(pattern).expect("a pattern");
            assert_eq!(start(&regex), wanted, "{pattern}");
        }
    }
}
