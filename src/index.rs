//! An ordered set of pairs of numbers.
//!
//! Deadlines, handles and tokens share this one type, because each further instantiation of a B-tree adds 7 kB to the
//! wasm.

use std::collections::BTreeSet;

/// Pairs of a key and a value, sorted. A key may have several values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Index(BTreeSet<(u64, u64)>);

impl Index {
    pub(crate) fn insert(&mut self, key: u64, value: u64) {
        self.0.insert((key, value));
    }

    pub(crate) fn remove(&mut self, key: u64, value: u64) {
        self.0.remove(&(key, value));
    }

    /// The values of a key, in order.
    pub(crate) fn of(&self, key: u64) -> impl Iterator<Item = u64> {
        self.0.range((key, 0)..).map_while(move |&(each, value)| (each == key).then_some(value))
    }

    /// The first value of a key.
    pub(crate) fn first_of(&self, key: u64) -> Option<u64> {
        if self.0.is_empty() { None } else { self.of(key).next() }
    }

    pub(crate) fn first(&self) -> Option<(u64, u64)> {
        self.0.first().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
