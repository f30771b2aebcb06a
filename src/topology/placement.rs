//! Which nodes a lock asks, and what their answers are worth.

use crate::{id::NodeId, time::Duration};

/// The least that a connection attempt may hold up the vote of several nodes: a dial takes longer than an answer.
const DIAL_PATIENCE: Duration = Duration::from_millis(1000);

/// The nodes that hold a lock, as a value: state machines ask it and never count nodes themselves.
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

    /// How many nodes must agree (rule 2): two majorities have a node in common.
    pub(crate) fn needed(self) -> usize {
        majority(self.count())
    }

    /// Whether grants carry a fencing token. The counters of several nodes are not one: their largest value would not
    /// grow from grant to grant (rule 8).
    pub(crate) const fn is_fenced(self) -> bool {
        matches!(self, Self::Single(_))
    }

    /// Whether arrivals have one order, which a queue needs.
    pub(crate) const fn has_one_order(self) -> bool {
        matches!(self, Self::Single(_))
    }

    /// The node whose wake-ups a waiter can rely on. Of several, each would wake another waiter.
    pub(crate) const fn waker(self) -> Option<NodeId> {
        match self {
            Self::Single(node) => Some(node),
            Self::Majority(_) => None,
        }
    }

    /// Whether a denied attempt may have left grants on some nodes, where they block others and the next attempt.
    pub(crate) const fn grants_in_part(self) -> bool {
        matches!(self, Self::Majority(_))
    }

    /// How long a connection attempt may hold up the vote, if a node may take `answer` to reply. `None` without other
    /// nodes: the attempt then fails by itself.
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
