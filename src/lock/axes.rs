//! The axes on which locks differ, besides their [`Placement`]: machines ask these values and have no case for any kind.

use crate::{
    script::{EXCLUSIVE_ACQUIRE, FAIR_ACQUIRE, KeyRole, Verb},
    time::Duration,
    topology::Placement,
};

/// How a lock is granted, and to which waiter next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// To whichever waiter asks first when it is free.
    Exclusive,
    /// To waiters in the order of their arrival at the server.
    Fair,
}

impl Kind {
    /// The roles of the keys of a lock.
    pub(crate) const fn layout(self) -> &'static [KeyRole] {
        match self {
            Self::Exclusive => EXCLUSIVE_ACQUIRE.layout,
            Self::Fair => FAIR_ACQUIRE.layout,
        }
    }

    /// Whether the guarantees of this kind hold on such nodes.
    pub(crate) const fn is_sound_on(self, placement: Placement) -> bool {
        match self {
            Self::Exclusive => true,
            Self::Fair => placement.has_one_order(),
        }
    }

    /// The shortest time for which a server remembers a waiter that asks no more. A position in a queue is kept longer: how
    /// often a process asks does not tell for how long it, or its connection, may stall.
    pub(crate) const fn shortest_registration(self) -> Duration {
        match self {
            Self::Exclusive => Duration::from_millis(300),
            Self::Fair => Duration::from_millis(3000),
        }
    }
}

/// How the application comes to a lock. (The third way, re-entry, needs no lock machine of its own.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    /// It asks for a lock that it does not hold.
    Acquire,
    /// It takes over a lock that its token holds already.
    Adopt,
}

impl Entry {
    /// What an attempt asks of the nodes.
    pub(crate) const fn verb(self) -> Verb {
        match self {
            Self::Acquire => Verb::Acquire,
            Self::Adopt => Verb::Adopt,
        }
    }

    /// Whether it waits for its turn among others. The token of an adopted lock holds it already.
    pub(crate) const fn waits_for_turn(self) -> bool {
        matches!(self, Self::Acquire)
    }

    /// Whether a failure has to be cleaned up after. A lock that could not be adopted stays with its holder.
    pub(crate) const fn cleans_up(self) -> bool {
        matches!(self, Self::Acquire)
    }
}
