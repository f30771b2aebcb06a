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

/// The lock of every handle that the application may still use, or hear of.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Handles(Index);

impl Handles {
    /// The handle stands for this lock from now on.
    pub(crate) fn set(&mut self, handle: HandleId, lock: LockId) {
        self.remove(handle);
        self.0.insert(handle.0.into(), lock.0.into());
    }

    pub(crate) fn lock(&self, handle: HandleId) -> Option<LockId> {
        let lock = self.0.of(handle.0.into()).next()?;
        u32::try_from(lock).ok().map(LockId)
    }

    pub(crate) fn remove(&mut self, handle: HandleId) {
        if let Some(lock) = self.lock(handle) {
            self.0.remove(handle.0.into(), lock.0.into());
        }
    }
}
