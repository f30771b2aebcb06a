//! The application's handles and their locks. After re-entry several handles have one lock.

use crate::{
    id::{HandleId, LockId},
    index::Index,
};

/// A handle, as its lock stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handle {
    pub(crate) id: HandleId,
    pub(crate) phase: Phase,
}

/// What the application knows about a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// Nothing yet: the acquire or re-entry is pending.
    Asking,
    /// Nothing yet: the grant is in the queue of events.
    Granted,
    /// The grant was reported. From here on an early end is a loss; before, it is a failed acquire.
    Informed,
    /// The loss was reported, and the outcome of the release follows: the client was closed.
    Lost,
}

impl Handle {
    pub(crate) const fn new(id: HandleId) -> Self {
        Self { id, phase: Phase::Asking }
    }
}

/// The lock of each handle. A handle has the same number as the lock machine that its acquire started, so only handles
/// that re-entered another lock have an entry here.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Handles {
    reentered: Index,
}

impl Handles {
    /// The lock of a handle. Only the lock knows whether the application still uses the handle.
    pub(crate) fn lock(&self, handle: HandleId) -> LockId {
        let HandleId(number) = handle;
        let held = self.reentered.first_of(number.into()).and_then(|lock| u32::try_from(lock).ok());
        LockId(held.unwrap_or(number))
    }

    /// The handle re-enters a lock, which is its lock from now on.
    pub(crate) fn reenter(&mut self, handle: HandleId, lock: LockId) {
        self.reentered.insert(handle.0.into(), lock.0.into());
    }

    /// Whether the handle with this number re-entered another lock.
    pub(crate) fn has(&self, number: u32) -> bool {
        self.reentered.first_of(number.into()).is_some()
    }

    /// Removes a handle that the application no longer uses.
    pub(crate) fn remove(&mut self, handle: HandleId) {
        if let Some(lock) = self.reentered.first_of(handle.0.into()) {
            self.reentered.remove(handle.0.into(), lock);
        }
    }
}
