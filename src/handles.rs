//! The application's handles, and the lock that each stands for: several for one lock after re-entry.

use std::collections::BTreeMap;

use crate::id::{HandleId, LockId};

/// What a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handle {
    pub(crate) lock: LockId,
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

/// Every handle that the application may still use, or hear of.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Handles(BTreeMap<HandleId, Handle>);

impl Handles {
    pub(crate) fn add(&mut self, handle: HandleId, lock: LockId) {
        self.0.insert(handle, Handle { lock, phase: Phase::Asking });
    }

    pub(crate) fn get(&self, handle: HandleId) -> Option<Handle> {
        self.0.get(&handle).copied()
    }

    pub(crate) fn set(&mut self, handle: HandleId, phase: Phase) {
        if let Some(entry) = self.0.get_mut(&handle) {
            entry.phase = phase;
        }
    }

    pub(crate) fn remove(&mut self, handle: HandleId) -> Option<Handle> {
        self.0.remove(&handle)
    }
}
