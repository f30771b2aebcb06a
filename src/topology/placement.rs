//! Which nodes a lock asks, and how many of them must grant.

use crate::{id::NodeId, script::LockKeys, time::Duration};

/// How long a connection attempt may delay a vote, at least: connecting takes longer than answering. Also how long a node
/// that has never answered may take for its first answer.
pub(crate) const DIAL_PATIENCE: Duration = Duration::from_millis(1000);

/// What the topology asks of a lock.
pub(crate) trait Placed {
    /// The keys that this node of the placement has.
    fn keys_of(&self, node: NodeId) -> &LockKeys;
    fn placement(&self) -> Placement;
}

/// The nodes of a lock, and what follows from their number. State machines ask this value and never count nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Placement {
    /// One node decides alone.
    Single(NodeId),
    /// A majority of this many independent nodes decides: Redlock. Each stands for a voter.
    Majority(u32),
    /// Each of this many nodes must grant its part of the keys: the slots of a cluster in which the lock has keys.
    Slots(u32),
}

impl Placement {
    /// The nodes to ask.
    pub(crate) fn nodes(self) -> impl Iterator<Item = NodeId> + use<> {
        let (first, count) = match self {
            Self::Single(NodeId(node)) => (node, 1),
            Self::Majority(count) | Self::Slots(count) => (0, count),
        };
        (first..first.saturating_add(count)).map(NodeId)
    }

    /// How many nodes there are to ask.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Single(_) => 1,
            Self::Majority(count) | Self::Slots(count) => usize::try_from(count).unwrap_or(usize::MAX),
        }
    }

    /// How many nodes must grant. Two majorities have a node in common (rule 2). Of several slots, each has keys that no
    /// other has (rule 12).
    pub(crate) fn needed(self) -> usize {
        if self.has_votes() { majority(self.count()) } else { self.count() }
    }

    /// Whether the nodes are independent of each other, and each has a vote.
    pub(crate) const fn has_votes(self) -> bool {
        matches!(self, Self::Majority(_))
    }

    /// Whether grants have a fence (rule 8). Independent nodes have counters whose largest value does not grow with every
    /// grant. Those of several slots are raised to it.
    pub(crate) const fn is_fenced(self) -> bool {
        !self.has_votes()
    }

    /// Whether the nodes are asked for their grants one after the other (rule 12). Their order is the same for all clients: of
    /// two locks, the one that is granted the first common node is not denied by the other one.
    pub(crate) const fn grants_in_turn(self) -> bool {
        matches!(self, Self::Slots(_))
    }

    /// Whether waiters arrive in one order, as a fair queue requires.
    pub(crate) const fn has_one_order(self) -> bool {
        matches!(self, Self::Single(_))
    }

    /// The node, if there is only one.
    pub(crate) const fn only(self) -> Option<NodeId> {
        match self {
            Self::Single(node) => Some(node),
            Self::Majority(_) | Self::Slots(_) => None,
        }
    }

    /// Whether a node wakes the waiters that it denied. Independent nodes do not: each would wake another waiter.
    pub(crate) const fn wakes(self) -> bool {
        !self.has_votes()
    }

    /// Whether a denied attempt may have grants on some nodes, which block other clients and the next attempt.
    pub(crate) const fn grants_in_part(self) -> bool {
        !matches!(self, Self::Single(_))
    }

    /// The default of `nodeTimeout`, for a lease of `ttl`: how long to wait for one server. Where each node is needed, there
    /// is no other to turn to, so it only serves to notice a dead connection: a quarter of the lease, 100 ms to 2 s. Among
    /// several nodes, a silent one must not delay the others: 5 % of the lease, 20 ms to 1 s.
    pub(crate) fn node_timeout(self, ttl: Duration) -> Duration {
        match self {
            Self::Single(_) | Self::Slots(_) => {
                ttl.part(4).clamp(Duration::from_millis(100), Duration::from_millis(2000))
            }
            Self::Majority(_) => ttl.part(20).clamp(Duration::from_millis(20), Duration::from_millis(1000)),
        }
    }

    /// How long a round waits for the answer of a node to which three round trips take `round_trips`. `None` on a
    /// single node: the round waits for as long as the connection lives.
    pub(crate) fn answer_patience(
        self,
        node_timeout: Duration,
        round_trips: Option<Duration>,
    ) -> Option<Duration> {
        match self {
            Self::Single(_) | Self::Slots(_) => None,
            Self::Majority(_) => Some(node_timeout.max(round_trips.unwrap_or(DIAL_PATIENCE))),
        }
    }

    /// How long a connection may be silent before it counts as dead.
    pub(crate) fn silence(self, node_timeout: Duration) -> Duration {
        match self {
            Self::Single(_) | Self::Slots(_) => node_timeout,
            // A round has given up on the node long before. It may only be slow, and dialling again costs more.
            Self::Majority(_) => node_timeout.times(4).max(Duration::from_millis(500)),
        }
    }

    /// How long a connection attempt may delay the vote. `None` on a single node: without a connection there is no vote,
    /// and the attempt fails when the connection does.
    pub(crate) fn dial_patience(self, node_timeout: Duration) -> Option<Duration> {
        match self {
            Self::Single(_) | Self::Slots(_) => None,
            Self::Majority(_) => Some(Self::redial_patience(node_timeout)),
        }
    }

    /// How long to wait for a connection that replaces a dead one. A question is not repeated later than that, so that
    /// a single attempt on a server that hangs ends soon.
    pub(crate) fn redial_patience(node_timeout: Duration) -> Duration {
        node_timeout.max(DIAL_PATIENCE)
    }
}

fn majority(nodes: usize) -> usize {
    (nodes / 2).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_are_needed() {
        assert_eq!([1, 2, 3, 4, 5, 6, 7].map(majority), [1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn node_timeouts_stay_within_their_bounds() {
        let of = |placement: Placement| {
            [100, 1000, 30_000].map(|ttl| placement.node_timeout(Duration::from_millis(ttl)).as_millis())
        };
        assert_eq!(of(Placement::Single(NodeId(0))), [100, 250, 2000]);
        assert_eq!(of(Placement::Majority(3)), [20, 50, 1000]);
    }

    #[test]
    fn a_placement_names_its_nodes() {
        let nodes = |placement: Placement| placement.nodes().collect::<Vec<_>>();
        assert_eq!(nodes(Placement::Single(NodeId(3))), [NodeId(3)]);
        assert_eq!(nodes(Placement::Majority(3)), [NodeId(0), NodeId(1), NodeId(2)]);
    }
}
