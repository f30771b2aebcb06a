//! The locks of each token: what re-entry, adoption and tokens that are used again have to look at.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::id::LockId;

/// Locks by token, and the locks that wait for others of their token to be over.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Owners {
    locks: BTreeSet<(Rc<[u8]>, LockId)>,
    parked: BTreeMap<Rc<[u8]>, Vec<LockId>>,
}

impl Owners {
    pub(super) fn add(&mut self, token: &Rc<[u8]>, lock: LockId) {
        self.locks.insert((token.clone(), lock));
    }

    pub(super) fn remove(&mut self, token: &Rc<[u8]>, lock: LockId) {
        self.locks.remove(&(token.clone(), lock));
    }

    /// The locks with this token, in the order of their ids.
    pub(super) fn of(&self, token: &Rc<[u8]>) -> impl Iterator<Item = LockId> {
        let (first, last) = ((token.clone(), LockId(0)), (token.clone(), LockId(u32::MAX)));
        self.locks.range(first..=last).map(|&(_, lock)| lock)
    }

    /// Another lock with this token is in the way of this one.
    pub(super) fn park(&mut self, token: &Rc<[u8]>, lock: LockId) {
        self.parked.entry(token.clone()).or_default().push(lock);
    }

    pub(super) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// Takes out the locks that wait for others with this token, in the order in which they were parked.
    pub(super) fn take_parked(&mut self, token: &Rc<[u8]>) -> Vec<LockId> {
        self.parked.remove(token).unwrap_or_default()
    }
}
