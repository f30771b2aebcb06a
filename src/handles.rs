//! The application's handles, and the lock that each stands for: several for one lock after re-entry.

use crate::{
    id::{HandleId, LockId},
    index::Index,
};

/// A handle, as its lock keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handle {
    pub(crate) id: HandleId,
    pub(crate) phase: Phase,
}

/// How far the application has come with a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// It asks for the lock, or to re-enter it.
    Asking,
    /// It got the lock, and the event that says so is in the queue.
    Granted,
    /// It knows that it got the lock: from here on the end is a loss, before it is a failure to acquire.
    Informed,
}

impl Handle {
    pub(crate) const fn new(id: HandleId) -> Self {
        Self { id, phase: Phase::Asking }
    }
}

/// The locks that handles stand for. A handle and the lock machine that it asks for have one number, drawn together, so
/// that only the handles that re-entered another lock need an entry here.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Handles {
    reentered: Index,
}

impl Handles {
    /// The lock that a handle stands for, if the application still uses the handle: the lock itself knows that.
    pub(crate) fn lock(&self, handle: HandleId) -> LockId {
        let HandleId(number) = handle;
        let held = self.reentered.first_of(number.into()).and_then(|lock| u32::try_from(lock).ok());
        LockId(held.unwrap_or(number))
    }

    /// The handle stands for the lock that it re-enters, from now on.
    pub(crate) fn reenter(&mut self, handle: HandleId, lock: LockId) {
        self.reentered.insert(handle.0.into(), lock.0.into());
    }

    /// Whether a handle with this number stands for a lock of another number.
    pub(crate) fn has(&self, number: u32) -> bool {
        self.reentered.first_of(number.into()).is_some()
    }

    /// The application uses the handle no more.
    pub(crate) fn remove(&mut self, handle: HandleId) {
        if let Some(lock) = self.reentered.first_of(handle.0.into()) {
            self.reentered.remove(handle.0.into(), lock);
        }
    }
}
