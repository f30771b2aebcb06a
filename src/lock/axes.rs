//! Kind and entry: with the [`Placement`], the values in which locks differ. Lock machines ask these values and have no
//! condition on any of them.

use crate::{
    script::{EXCLUSIVE_ACQUIRE, FAIR_ACQUIRE, KeyRole, Verb, Waiter},
    time::Duration,
    topology::Placement,
};

/// Which waiter gets a free lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// The first that attempts to take it.
    Exclusive,
    /// The one that arrived first at the server.
    Fair,
}

impl Kind {
    /// The key roles of a lock.
    pub(crate) const fn layout(self) -> &'static [KeyRole] {
        match self {
            Self::Exclusive => EXCLUSIVE_ACQUIRE.layout,
            Self::Fair => FAIR_ACQUIRE.layout,
        }
    }

    /// Whether the guarantees of this kind hold on this placement.
    pub(crate) const fn is_sound_on(self, placement: Placement) -> bool {
        match self {
            Self::Exclusive => true,
            Self::Fair => placement.has_one_order(),
        }
    }

    /// The shortest time for which a server remembers a waiter without an attempt from it. A position lease is longer,
    /// because a process or its connection may stall for much longer than the pause between its attempts.
    pub(crate) const fn shortest_registration(self) -> Duration {
        match self {
            Self::Exclusive => Duration::from_millis(300),
            Self::Fair => Duration::from_millis(3000),
        }
    }
}

/// How the application comes to a lock. The third entry, re-entry, needs no lock machine of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    /// It acquires a lock.
    Acquire,
    /// It takes over a lock that its token holds already, with this fence.
    Adopt { fence: u64 },
}

impl Entry {
    /// What an attempt asks the nodes to do. An earlier attempt may have left `before` there.
    pub(crate) const fn verb(self, before: Waiter) -> Verb {
        match self {
            Self::Acquire => Verb::Acquire(before),
            Self::Adopt { .. } => Verb::Adopt,
        }
    }

    /// The fence without a grant: an adopted lock keeps the fence with which it was granted.
    pub(crate) const fn fence(self) -> u64 {
        match self {
            Self::Acquire => 0,
            Self::Adopt { fence } => fence,
        }
    }

    /// Whether the lock waits for its turn. An adopted lock does not, because its token holds it already.
    pub(crate) const fn waits_for_turn(self) -> bool {
        matches!(self, Self::Acquire)
    }

    /// Whether a failed acquire cleans up. A failed adoption does not: the lock stays with its holder, unless it has keys in
    /// several slots, of which some were adopted.
    pub(crate) const fn cleans_up(self) -> bool {
        matches!(self, Self::Acquire)
    }
}
