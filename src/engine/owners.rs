//! The locks of each token: what re-entry, adoption and tokens that are used again have to look at.

use crate::{id::LockId, index::Index};

/// Locks by token, and the locks that wait for others of their token to be over.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Owners {
    locks: Index,
    parked: Index,
}

impl Owners {
    pub(super) fn add(&mut self, token: &[u8], lock: LockId) {
        self.locks.insert(hash(token), lock.0.into());
    }

    pub(super) fn remove(&mut self, token: &[u8], lock: LockId) {
        self.locks.remove(hash(token), lock.0.into());
        self.parked.remove(hash(token), lock.0.into());
    }

    /// The locks with this token, in the order in which they began. Others may be among them: tokens are found by a hash.
    pub(super) fn of(&self, token: &[u8]) -> impl Iterator<Item = LockId> {
        locks(&self.locks, token)
    }

    /// Another lock with this token is in the way of this one.
    pub(super) fn park(&mut self, token: &[u8], lock: LockId) {
        self.parked.insert(hash(token), lock.0.into());
    }

    pub(super) fn unpark(&mut self, token: &[u8], lock: LockId) {
        self.parked.remove(hash(token), lock.0.into());
    }

    /// The locks that wait for others with this token, in the order in which they began.
    pub(super) fn parked(&self, token: &[u8]) -> Vec<LockId> {
        if self.parked.is_empty() { Vec::new() } else { locks(&self.parked, token).collect() }
    }

    pub(super) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }
}

fn locks(index: &Index, token: &[u8]) -> impl Iterator<Item = LockId> {
    index.of(hash(token)).filter_map(|lock| u32::try_from(lock).ok().map(LockId))
}

/// FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>), of eight bytes at a time. Tokens with one hash only cost time.
fn hash(token: &[u8]) -> u64 {
    let words =
        token.chunks(8).map(|chunk| chunk.iter().fold(0, |word, &byte| (word << 8) | u64::from(byte)));
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0100_0000_01b3))
}
