//! Paths that a guarded route does not take, and servers may read as one that it does.
//!
//! In: a guarded route. Out: other spellings, and paths with another slash at their end. Never: what
//! the route takes itself, or more of a long path than of a short one.

use super::ways::takes;
use crate::config::check::sample;
use crate::config::model::{PathMatch, Route};

/// Segments at the beginning of a path that are spelled in other ways, and as many at its end. Most
/// paths have no more than both; what is wide is so in one of them.
const ENDS: usize = 4;

/// Spellings of a guarded path that it does not take itself.
pub(super) fn of(guarded: &Route) -> Vec<String> {
    let Some(path) = &guarded.matches.path else { return Vec::new() };
    let all = sample::paths(path).into_iter().flat_map(|path| spellings(&path));
    all.filter(|spelling| !takes(Some(path), spelling)).collect()
}

/// Guarded paths without the slash that they end in, and one that is guarded alone with another.
pub(super) fn with_other_slash(guarded: &Route) -> Vec<String> {
    let Some(path) = &guarded.matches.path else { return Vec::new() };
    let other = |sample: String| match (sample.strip_suffix('/'), path) {
        (Some(without), _) => Some(without.to_owned()),
        (None, PathMatch::Exact(_)) => Some(sample + "/"),
        (None, _) => None,
    };
    let all = sample::paths(path).into_iter().filter_map(other);
    all.filter(|other| !other.is_empty() && !takes(Some(path), other)).collect()
}

/// A path with something else where one of its segments begins or ends, the last one first.
fn spellings(path: &str) -> Vec<String> {
    let path = path.trim_end_matches('/');
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    let some = slashes.iter().rev().enumerate();
    let some = some.filter(|(behind, _)| *behind < ENDS || slashes.len() - behind <= ENDS);
    let mut all = Vec::new();
    for (_, slash) in some {
        let (before, rest) = path.split_at(*slash);
        let rest = rest.get(1..).unwrap_or_default();
        let (segment, behind) = rest.split_once('/').unwrap_or((rest, "y"));
        if segment.is_empty() {
            continue;
        }
        all.push(format!("{before}/{segment};x/{behind}"));
        all.push(format!("{before}//{segment}/{behind}"));
        all.push(format!("{before}/{segment}%2F{behind}"));
        if segment == rest {
            all.push(format!("{before}/{segment};x"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_has_as_many_spellings_as_one_of_eight_segments() {
        let count = |segments: usize| spellings(&"/a".repeat(segments)).len();
        assert_eq!([count(1), count(2), count(8)], [4, 7, 25]);
        assert_eq!([count(9), count(8000)], [25, 25]);
        let long = spellings("/1/2/3/4/5/6/7/8/9");
        for spelled in ["/1;x/2", "/4;x/5", "/6;x/7", "/9;x/y"] {
            assert!(long.iter().any(|one| one.contains(spelled)), "{spelled}: {long:?}");
        }
    }
}
