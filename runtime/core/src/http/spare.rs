//! Maps of fields that served a message and may serve another: making one for each response costs two
//! allocations, as much as reading its fields.
//!
//! In: maps that nobody wants any more. Out: empty ones. Never: keeps a field, more than
//! [`MOST`] maps for a worker, or one larger than [`LARGEST`].

use std::cell::RefCell;

use http::HeaderMap;

/// Maps that are kept, on each thread.
const MOST: usize = 16;
/// Fields that one may have room for.
const LARGEST: usize = 48;

thread_local! {
    static SPARE: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
}

/// An empty map, with room or without.
pub fn take() -> HeaderMap {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Takes the fields out of a map and keeps it, unless it is not worth it.
pub fn keep(mut map: HeaderMap) {
    if map.capacity() == 0 || map.capacity() > LARGEST {
        return;
    }
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < MOST {
            map.clear();
            spare.push(map);
        }
    });
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::{HOST, VIA};

    use super::*;

    #[test]
    fn what_comes_back_is_empty_and_what_is_kept_is_bounded() {
        while take().capacity() > 0 {}
        let mut map = HeaderMap::with_capacity(8);
        map.insert(HOST, HeaderValue::from_static("a"));
        map.append(VIA, HeaderValue::from_static("a"));
        map.append(VIA, HeaderValue::from_static("b"));
        for _ in 0..2 * MOST {
            keep(map.clone());
        }
        keep(HeaderMap::with_capacity(2 * LARGEST));
        keep(HeaderMap::new());
        for _ in 0..MOST {
            let spare = take();
            assert!(spare.is_empty() && (1..=LARGEST).contains(&spare.capacity()));
            assert!(!spare.contains_key(VIA));
        }
        assert_eq!(take().capacity(), 0);
    }
}
