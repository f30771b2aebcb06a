//! The locks for which a client listens to shard channels.

use super::slots::Slot;
use crate::{id::LockId, index::Index};

/// In how many slots a client listens in which no lock waits.
const MOST_IDLE: usize = 16;

#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Listeners {
    /// The locks that wait, by slot.
    waiting: Index,
    /// The slots in which none waits any more, and in which the client may still listen, the oldest first.
    idle: Vec<Slot>,
}

impl Listeners {
    pub(super) fn has(&self, slot: Slot, lock: LockId) -> bool {
        self.waiting.has(slot.number(), lock.0.into())
    }

    pub(super) fn add(&mut self, slot: Slot, lock: LockId) {
        self.idle.retain(|&idle| idle != slot);
        self.waiting.insert(slot.number(), lock.0.into());
    }

    /// Returns a slot in which to listen no more.
    pub(super) fn remove(&mut self, slot: Slot, lock: LockId) -> Option<Slot> {
        if !self.has(slot, lock) {
            return None;
        }
        self.waiting.remove(slot.number(), lock.0.into());
        if self.waiting.first_of(slot.number()).is_none() {
            self.idle.push(slot);
        }
        (self.idle.len() > MOST_IDLE).then(|| self.idle.remove(0))
    }
}
