//! Paths of keys, as messages write them: `routes.api.match.query."a b"[0]`.
//!
//! In: a path and a key below it. Out: the longer path; and the keys and indices of one. Never: knows
//! whether anything stands there.

/// `a.b` for a key below a path; keys that are not bare are quoted.
pub(crate) fn join(path: &str, key: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !key.is_empty() && key.bytes().all(bare) {
        format!("{path}{dot}{key}")
    } else {
        format!("{path}{dot}{key:?}")
    }
}

/// The last key or index of a path; none of the root.
pub(super) fn last_step(path: &str) -> Option<String> {
    steps(path).pop()
}

/// The keys and indices of a JSON pointer.
pub(super) fn pointer_steps(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

/// The keys and indices of a path as [`join`] writes it.
pub(super) fn steps(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.trim_start_matches(['.', '[', ']']);
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut step = String::new();
            let mut end = quoted.len();
            let mut chars = quoted.char_indices();
            while let Some((i, c)) = chars.next() {
                match c {
                    '"' => {
                        end = i + 1;
                        break;
                    }
                    '\\' => step.extend(chars.next().map(|(_, c)| c)),
                    c => step.push(c),
                }
            }
            steps.push(step);
            rest = &quoted[end..];
        } else {
            let end = rest.find(['.', '[', ']']).unwrap_or(rest.len());
            if end > 0 {
                steps.push(rest[..end].to_owned());
            }
            rest = &rest[end..];
        }
    }
    steps
}
