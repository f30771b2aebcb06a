//! Finds the locks of a token, for re-entry, adoption and tokens that are used again.

use crate::{id::LockId, index::Index};

/// The locks of each token, and the parked ones among them. Kept from the first token of the application on: without
/// one, nobody looks for a token.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Owners {
    is_kept: bool,
    locks: Index,
    parked: Index,
}

impl Owners {
    /// From now on the locks of each token are kept. `locks` are the present ones.
    pub(super) fn keep<'a>(&mut self, locks: impl Iterator<Item = (&'a [u8], LockId)>) {
        if !core::mem::replace(&mut self.is_kept, true) {
            locks.for_each(|(token, lock)| self.add(token, lock));
        }
    }

    pub(super) fn add(&mut self, token: &[u8], lock: LockId) {
        if self.is_kept {
            self.locks.insert(hash(token), lock.0.into());
        }
    }

    pub(super) fn remove(&mut self, token: &[u8], lock: LockId) {
        if !self.is_kept {
            return;
        }
        let (hash, lock) = (hash(token), lock.0.into());
        self.locks.remove(hash, lock);
        self.parked.remove(hash, lock);
    }

    /// The locks with this token, by number. Locks with other tokens may be among them: the index contains hashes.
    pub(super) fn of(&self, token: &[u8]) -> impl Iterator<Item = LockId> {
        locks(&self.locks, token)
    }

    /// Parks a lock until another lock with this token is out of its way.
    pub(super) fn park(&mut self, token: &[u8], lock: LockId) {
        self.parked.insert(hash(token), lock.0.into());
    }

    pub(super) fn unpark(&mut self, token: &[u8], lock: LockId) {
        self.parked.remove(hash(token), lock.0.into());
    }

    /// The parked locks with this token, by number.
    pub(super) fn parked(&self, token: &[u8]) -> Vec<LockId> {
        locks(&self.parked, token).collect()
    }

    pub(super) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }
}

fn locks(index: &Index, token: &[u8]) -> impl Iterator<Item = LockId> {
    index.of(hash(token)).filter_map(|lock| u32::try_from(lock).ok().map(LockId))
}

/// FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>), of eight bytes at a time. A collision only costs time.
fn hash(token: &[u8]) -> u64 {
    let words =
        token.chunks(8).map(|chunk| chunk.iter().fold(0, |word, &byte| (word << 8) | u64::from(byte)));
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0100_0000_01b3))
}
