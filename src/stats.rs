//! Counters, and events for observers.

use std::collections::VecDeque;

use serde::Serialize;

use crate::event::Event;

/// What an engine has done since it was created. Counters only grow, and saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Counters {
    /// Attempts to acquire a lock.
    pub attempts: u64,
    /// Acquires whose first attempt found the lock held by another owner.
    pub contended: u64,
    /// Grants.
    pub acquired: u64,
    /// Successful renewals.
    pub renewed: u64,
    /// Losses.
    pub lost: u64,
    /// Releases that the servers confirmed.
    pub released: u64,
    /// Replies to commands.
    pub round_trips: u64,
    /// Connections that became ready, not counting each server's first.
    pub reconnects: u64,
}

/// Which of the events for observers the application wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Observed {
    /// None.
    #[default]
    Nothing,
    /// Only the failure of each server's first connection, while locks wait for it or if there are several servers.
    FirstContacts,
    /// All.
    Everything,
}

/// The counters, and what observers want.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Stats {
    pub(crate) counters: Counters,
    pub(crate) observed: Observed,
}

impl Stats {
    /// Adds one to a counter.
    pub(crate) fn count(&mut self, counter: fn(&mut Counters) -> &mut u64) {
        let counter = counter(&mut self.counters);
        *counter = counter.saturating_add(1);
    }

    /// Queues an event for observers. Without observers the event is not even built.
    pub(crate) fn observe(&self, event: impl FnOnce() -> Event, events: &mut VecDeque<Event>) {
        if self.observed == Observed::Everything {
            events.push_back(event());
        }
    }
}
