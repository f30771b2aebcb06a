//! Counters, and events for observers.

use std::collections::VecDeque;

use serde::Serialize;

use crate::event::Event;

/// What an engine has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Counters {
    /// Times that servers were asked for a lock.
    pub attempts: u64,
    /// Locks that were not free when they were first asked for.
    pub contended: u64,
    /// Locks that were granted.
    pub acquired: u64,
    /// Renewals that succeeded.
    pub renewed: u64,
    /// Locks that were lost.
    pub lost: u64,
    /// Locks that were released, as the servers confirmed.
    pub released: u64,
    /// Replies to commands.
    pub round_trips: u64,
    /// Connections that became ready, but for each server's first.
    pub reconnects: u64,
}

/// Counts, and tells those who watch.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Stats {
    pub(crate) counters: Counters,
    /// Whether anybody watches.
    pub(crate) observed: bool,
}

impl Stats {
    /// Counts one more.
    pub(crate) fn count(&mut self, counter: fn(&mut Counters) -> &mut u64) {
        let counter = counter(&mut self.counters);
        *counter = counter.saturating_add(1);
    }

    /// Tells those who watch, if any.
    pub(crate) fn observe(&self, event: Event, events: &mut VecDeque<Event>) {
        if self.observed {
            events.push_back(event);
        }
    }
}
