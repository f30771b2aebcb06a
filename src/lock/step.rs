//! What a state answers with. Only `mod.rs` knows which state comes next.

use crate::{
    quorum::{Lease, Round},
    script::Waiter,
    time::Duration,
};

/// The outcome of a transition.
pub(crate) enum Step<S> {
    /// The state goes on.
    Stay(S),
    /// The lock is held from now on.
    Granted(Grant),
    /// The lock is over, and what it left on the nodes has to be released.
    Release(Residue),
    /// The lock is over, and nothing is left of it.
    Done,
}

/// A grant of the lock.
pub(crate) struct Grant {
    pub(crate) lease: Lease,
    /// The round that was won. Its late answers lengthen the lease.
    pub(crate) round: Round,
    /// The fencing token; 0 where the placement has none.
    pub(crate) fence: u64,
    pub(crate) attempts: u32,
}

/// What may be left on the nodes.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Residue {
    pub(crate) scope: Scope,
    pub(crate) waiter: Waiter,
    /// The longest lease that was asked for: when it is over, nothing is left.
    pub(crate) longest: Duration,
    pub(crate) report: Report,
}

/// The nodes on which something may be left.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Scope {
    /// All.
    All,
    /// Those that may hold what this attempt asked for: not those that it never reached, or that answered with an error.
    HeldBy(Round),
}

/// Whether the application waits for the outcome of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Report {
    ToApplication,
    ToNobody,
}
