//! What a round needs to ask the nodes: a way to send, and the terms of the vote.

use crate::{
    id::NodeId,
    node::Asked,
    script::Verb,
    time::{Duration, Instant},
    topology::Placement,
};

/// Sends the command of a round to one node. A round knows neither its lock nor the script.
pub(crate) trait Ask {
    /// The present time, taken before anything is sent.
    fn now(&self) -> Instant;

    /// The present listening time, which the deadlines of a round use (rule 16).
    fn listening(&self) -> Instant;

    /// The listening time up to which deadlines are believed.
    fn believed(&self) -> Instant;

    /// How long the node may take to answer; `None` for as long as its connection lives.
    fn patience(&mut self, node: NodeId) -> Option<Duration>;

    /// The server that may still answer an earlier command of the lock to the node (rule 16).
    fn busy(&self, node: NodeId) -> Option<NodeId>;

    /// How many keys the node must confirm.
    fn keys(&self, node: NodeId) -> u32;

    /// Sends the command of the round with this serial number to the node, or to the server `instead` to which it was
    /// redirected. Returns the server.
    fn ask(&mut self, node: NodeId, instead: Option<NodeId>, serial: u32, verb: Verb) -> (NodeId, Asked);
}

/// The terms of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Terms {
    pub(crate) placement: Placement,
    /// How long a connection attempt may delay the vote; `None` until it succeeds or fails.
    pub(crate) dial: Option<Duration>,
    /// The same for a connection that replaces a dead one, to repeat a command.
    pub(crate) redial: Duration,
}
