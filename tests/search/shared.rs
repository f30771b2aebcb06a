//! A part of a state that most steps leave unchanged: it is copied and hashed only after it has changed.

use std::{
    cell::Cell,
    hash::{DefaultHasher, Hash, Hasher},
    ops::{Deref, DerefMut},
    rc::Rc,
};

#[derive(Clone, Default)]
pub struct Shared<T> {
    part: Rc<T>,
    /// The hash of the part, if it was hashed since it changed last.
    hash: Cell<Option<u64>>,
}

impl<T> Shared<T> {
    pub fn new(part: T) -> Self {
        Self { part: Rc::new(part), hash: Cell::new(None) }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.part
    }
}

/// A mutable borrow counts as a change.
impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.hash.set(None);
        Rc::make_mut(&mut self.part)
    }
}

impl<T: Hash> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let hash = self.hash.get().unwrap_or_else(|| {
            let mut hasher = DefaultHasher::new();
            self.part.hash(&mut hasher);
            hasher.finish()
        });
        self.hash.set(Some(hash));
        state.write_u64(hash);
    }
}
