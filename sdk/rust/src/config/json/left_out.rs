//! Values that are wrong, and without which the rest is read.
//!
//! In: where they stand. Out: where things stood before they were left out.
//! Never: what was wrong with them.

use crate::problem::steps;

/// A value that is passed over.
#[derive(Debug)]
pub struct LeftOut {
    /// Where it stands, in bytes from the text's end.
    pub(super) at: usize,
    /// Whether what follows it moves up.
    pub(super) in_list: bool,
    /// The JSON pointer to it, in the text.
    pub(super) pointer: String,
}

// === impl LeftOut ===

impl LeftOut {
    /// Whether it stands at this pointer or below.
    pub fn is_within(&self, pointer: &str) -> bool {
        let below = self.pointer.strip_prefix(pointer);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The pointer into the text to what stands at this pointer without the values that were left
    /// out.
    pub fn written(all: &[Self], pointer: &str) -> String {
        let mut out = String::new();
        for step in steps(pointer) {
            let index = step.parse::<usize>().ok();
            let index = index.map(|index| index + Self::before(all, &out, index));
            out.push('/');
            match index {
                Some(index) => out.push_str(&index.to_string()),
                None => out.push_str(step),
            }
        }
        out
    }

    /// How many entries of a list were left out before the one that has this index without them.
    fn before(all: &[Self], list: &str, index: usize) -> usize {
        let entry = |value: &Self| {
            let entry = value.pointer.strip_prefix(list)?.strip_prefix('/')?;
            entry.parse::<usize>().ok().filter(|_| value.in_list)
        };
        // In the order they were found, which is that of the list.
        let before = |count, entry| if entry <= index + count { count + 1 } else { count };
        all.iter().filter_map(entry).fold(0, before)
    }
}
