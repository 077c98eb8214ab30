//! What is open on a worker, known as long as somebody has it: connections, bodies.
//!
//! In: each as it opens. Out: those that are still there. Never: keeps one open; looks at all of them for
//! each that opens.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// Those of one kind.
pub struct Known<T: ?Sized>(RefCell<Vec<Weak<T>>>);

impl<T: ?Sized> Default for Known<T> {
    fn default() -> Self {
        Known(RefCell::default())
    }
}

impl<T: ?Sized> Known<T> {
    pub fn add(&self, one: &Rc<T>) {
        let mut known = self.0.borrow_mut();
        // Forgets those that are gone when the list would have to grow, and not before it is twice as
        // long again.
        if known.len() == known.capacity() {
            known.retain(|one| one.strong_count() > 0);
            let alive = known.len();
            known.reserve(alive);
        }
        known.push(Rc::downgrade(one));
    }

    /// Those that are there now; some may be gone when they are looked at.
    pub fn all(&self) -> Vec<Weak<T>> {
        let mut known = self.0.borrow_mut();
        known.retain(|one| one.strong_count() > 0);
        known.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_gone_are_forgotten() {
        let (known, stays) = (Known::default(), Rc::new(0));
        known.add(&stays);
        for gone in 1..10_000 {
            known.add(&Rc::new(gone));
            assert!(known.0.borrow().len() < 16);
        }
        assert_eq!(known.all().iter().filter_map(Weak::upgrade).collect::<Vec<_>>(), [stays]);
    }
}
