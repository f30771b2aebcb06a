//! The state of an engine, for people and for tests.

use serde::Serialize;

use super::Engine;
use crate::{entropy::Entropy, lock::Lock, node::NodeSnapshot, stats::Counters};

/// The state of an engine at one moment, as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The servers, in the order in which they were added.
    pub nodes: Vec<NodeSnapshot>,
    /// Locks that are held.
    pub held: usize,
    /// Locks that are waited for.
    pub waiting: usize,
    /// Locks that are being released or cleaned up after.
    pub releasing: usize,
    /// What has been done so far.
    pub counters: Counters,
}

impl<E: Entropy + 'static> Engine<E> {
    /// The state at this moment.
    #[must_use]
    pub fn inspect(&self) -> Snapshot {
        let count = |phase: fn(&Lock) -> bool| self.locks.values().filter(|lock| phase(lock)).count();
        Snapshot {
            nodes: self.topology.inspect(),
            held: count(Lock::is_held),
            waiting: count(Lock::is_waiting),
            releasing: count(|lock| !lock.is_held() && !lock.is_waiting()),
            counters: self.stats.counters,
        }
    }
}

impl<E> core::fmt::Debug for Engine<E> {
    /// Only counts: what an engine holds has tokens and passwords in it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine")
            .field("nodes", &self.topology.count())
            .field("locks", &self.locks.len())
            .finish_non_exhaustive()
    }
}
