//! Re-entry: one lock, known to the application by several numbers.

use super::Engine;
use crate::{
    entropy::Entropy,
    lock::{Input, LockId, Spec},
    time::Instant,
};

/// What a number of the application's stands for.
pub(super) enum Hold {
    /// No lock that is held.
    None,
    /// The only holder of this lock.
    Only(LockId),
    /// One of several holders of this lock.
    OneOfSeveral(LockId),
}

impl<E: Entropy + 'static> Engine<E> {
    /// The lock that this token holds on these keys. Looked for one by one: it is rare that a token is brought along.
    pub(super) fn held_by(&self, token: &[u8], spec: &Spec, now: Instant) -> Option<LockId> {
        self.locks.iter().find(|(_, lock)| lock.is_owned_by(token, spec, now)).map(|(&id, _)| id)
    }

    /// Under which number a lock is kept that the application knows by `holder`, if it is held.
    pub(super) fn hold_of(&self, holder: LockId) -> Hold {
        let id = self.aliases.get(&holder).copied().unwrap_or(holder);
        match self.locks.get(&id) {
            Some(lock) if lock.is_held() => match lock.holders.as_slice() {
                [only] if *only == holder => Hold::Only(id),
                holders if holders.contains(&holder) || self.aliases.contains_key(&holder) => {
                    Hold::OneOfSeveral(id)
                }
                _ => Hold::None,
            },
            _ => Hold::None,
        }
    }

    /// One of several holders is done.
    pub(super) fn leave(&mut self, holder: LockId, held: LockId, now: Instant) {
        self.touch(held, Input::Leave(holder), now);
        self.aliases.remove(&holder);
    }
}
