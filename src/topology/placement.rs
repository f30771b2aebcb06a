//! Which nodes a lock asks, and how many of them must grant.

use crate::{id::NodeId, time::Duration};

/// How long a connection attempt may delay a vote, at least: connecting takes longer than answering.
const DIAL_PATIENCE: Duration = Duration::from_millis(1000);

/// The nodes of a lock, and what follows from their number. State machines ask this value and never count nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Placement {
    /// One node decides alone.
    Single(NodeId),
    /// A majority of this many independent nodes decides: Redlock.
    Majority(u32),
}

impl Placement {
    /// The nodes to ask.
    pub(crate) fn nodes(self) -> impl Iterator<Item = NodeId> + use<> {
        let (first, count) = match self {
            Self::Single(NodeId(node)) => (node, 1),
            Self::Majority(count) => (0, count),
        };
        (first..first.saturating_add(count)).map(NodeId)
    }

    /// How many nodes there are to ask.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Single(_) => 1,
            Self::Majority(count) => usize::try_from(count).unwrap_or(usize::MAX),
        }
    }

    /// How many nodes must grant (rule 2): two majorities have a node in common.
    pub(crate) fn needed(self) -> usize {
        majority(self.count())
    }

    /// Whether grants have a fence (rule 8). Several nodes have several counters, whose largest value does not grow
    /// with every grant.
    pub(crate) const fn is_fenced(self) -> bool {
        matches!(self, Self::Single(_))
    }

    /// Whether waiters arrive in one order, as a fair queue requires.
    pub(crate) const fn has_one_order(self) -> bool {
        matches!(self, Self::Single(_))
    }

    /// The node that wakes waiters. `None` for several nodes, because each would wake another waiter.
    pub(crate) const fn waker(self) -> Option<NodeId> {
        match self {
            Self::Single(node) => Some(node),
            Self::Majority(_) => None,
        }
    }

    /// Whether a denied attempt may have grants on some nodes, which block other clients and the next attempt.
    pub(crate) const fn grants_in_part(self) -> bool {
        matches!(self, Self::Majority(_))
    }

    /// How long a connection attempt may delay the vote, where a node may take `answer` to reply. `None` on a single
    /// node: without a connection there is no vote, and the attempt fails when the connection does.
    pub(crate) fn dial_patience(self, answer: Duration) -> Option<Duration> {
        match self {
            Self::Single(_) => None,
            Self::Majority(_) => Some(answer.max(DIAL_PATIENCE)),
        }
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
    fn a_placement_names_its_nodes() {
        let nodes = |placement: Placement| placement.nodes().collect::<Vec<_>>();
        assert_eq!(nodes(Placement::Single(NodeId(3))), [NodeId(3)]);
        assert_eq!(nodes(Placement::Majority(3)), [NodeId(0), NodeId(1), NodeId(2)]);
    }
}
