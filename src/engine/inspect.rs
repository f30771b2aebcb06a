//! Snapshots of an engine, for humans and for tests.

use serde::Serialize;

use super::Engine;
use crate::{entropy::Entropy, lock::Lock, node::NodeSnapshot, stats::Counters};

/// The state of an engine at one moment, as plain data. Returned by [`Engine::inspect`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The servers, in the order in which they were added.
    pub nodes: Vec<NodeSnapshot>,
    /// How many locks are held.
    pub held: usize,
    /// How many acquires are waiting, for a server or for another holder.
    pub waiting: usize,
    /// How many releases and clean-ups are in progress.
    pub releasing: usize,
    /// The counters since the engine was created.
    pub counters: Counters,
}

impl<E: Entropy + 'static> Engine<E> {
    /// A snapshot of the present state.
    #[must_use]
    pub fn inspect(&self) -> Snapshot {
        let count = |phase: fn(&Lock) -> bool| self.locks.iter().filter(|(_, lock)| phase(lock)).count();
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
    /// Shows only counts: an engine contains tokens and passwords.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine")
            .field("nodes", &self.topology.count())
            .field("locks", &self.locks.len())
            .finish_non_exhaustive()
    }
}
