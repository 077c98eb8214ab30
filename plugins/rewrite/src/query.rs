//! Edits of a query: pair by pair, so that what no edit names stays byte for byte.
//!
//! In: the query as it is. Out: the new one, or nothing where it stays.
//! Never: decodes or encodes a value that it does not write itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use weir_sdk::{Request, Template, decode, encode};

/// Edits of the query. Names and values are written as they are meant, not percent-encoded.
#[weir_sdk::config]
#[derive(Default)]
pub struct Edits {
    /// Parameters that get this value: the first in its place, more of that name go.
    #[serde(default)]
    set: BTreeMap<String, Template>,
    /// Parameters put at the end.
    #[serde(default)]
    add: BTreeMap<String, Template>,
    /// Parameters that go.
    #[serde(default)]
    remove: Vec<String>,
}

/// The edits, with everything encoded that can be before a request is there.
pub struct Query {
    /// Sorted by name: each of the thousands that a client may send is looked for.
    set: Vec<Pair>,
    add: Vec<Pair>,
    /// Sorted.
    remove: Vec<String>,
}

struct Pair {
    name: String,
    /// `NAME=`, or `NAME=VALUE` for a value without variables.
    encoded: String,
    variable: Option<Template>,
}

// === impl Query ===

impl Query {
    pub fn new(mut edits: Edits) -> Self {
        edits.remove.sort_unstable();
        Self {
            set: edits.set.into_iter().map(Pair::new).collect(),
            add: edits.add.into_iter().map(Pair::new).collect(),
            remove: edits.remove,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }

    /// The new query; `Some(None)` if nothing is left of it, `None` if no edit applies.
    pub fn edit(&self, query: Option<&str>, request: &Request) -> Option<Option<String>> {
        if self.is_empty() {
            return None;
        }
        let mut out = String::new();
        let mut first = true;
        let mut changed = false;
        let mut done = vec![false; self.set.len()];
        for raw in query.into_iter().flat_map(|query| query.split('&')) {
            let name = decode(raw.split_once('=').map_or(raw, |(name, _)| name), true);
            if !raw.is_empty() && self.removes(&name) {
                changed = true;
                continue;
            }
            if let (Some(at), false) = (self.sets(&name), raw.is_empty()) {
                changed = true;
                let is_first = done.get_mut(at).is_some_and(|done| !std::mem::replace(done, true));
                if let (true, Some(pair)) = (is_first, self.set.get(at)) {
                    separate(&mut out, &mut first);
                    pair.write(&mut out, request);
                }
                continue;
            }
            separate(&mut out, &mut first);
            out.push_str(raw);
        }
        let unset = self.set.iter().zip(&done).filter(|(_, done)| !**done);
        for pair in unset.map(|(pair, _)| pair).chain(&self.add) {
            changed = true;
            // `?` alone is a query of one empty pair, which needs no separator.
            if out.is_empty() {
                first = true;
            }
            separate(&mut out, &mut first);
            pair.write(&mut out, request);
        }
        changed.then(|| (!first).then_some(out))
    }

    fn removes(&self, name: &str) -> bool {
        self.remove.binary_search_by(|removed| removed.as_str().cmp(name)).is_ok()
    }

    /// The place in `set` of what this name is set to.
    fn sets(&self, name: &str) -> Option<usize> {
        self.set.binary_search_by(|pair| pair.name.as_str().cmp(name)).ok()
    }
}

// === impl Pair ===

impl Pair {
    fn new((name, value): (String, Template)) -> Self {
        let mut encoded = encode(&name).into_owned();
        encoded.push('=');
        let variable = match value.as_static() {
            Some(value) => {
                encoded.push_str(&encode(value));
                None
            }
            None => Some(value),
        };
        Self { name, encoded, variable }
    }

    fn write(&self, out: &mut String, request: &Request) {
        out.push_str(&self.encoded);
        if let Some(variable) = &self.variable {
            let value: Cow<'_, str> = variable.render_str(request);
            out.push_str(&encode(&value));
        }
    }
}

fn separate(out: &mut String, first: &mut bool) {
    if !std::mem::replace(first, false) {
        out.push('&');
    }
}
