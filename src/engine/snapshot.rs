use serde::Serialize;

use super::Counters;

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

/// The state of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeSnapshot {
    /// `down`, `connecting` or `ready`.
    pub state: &'static str,
    /// Commands that wait for replies.
    pub pending: usize,
    /// Whether it tells us when it is our turn.
    pub wakes: bool,
}
