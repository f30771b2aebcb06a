//! What a state returns from a transition. Only `mod.rs` knows which state comes next.

use crate::{
    quorum::{Lease, Round},
    script::Waiter,
    time::Duration,
};

/// The outcome of a transition.
pub(crate) enum Step<S> {
    /// The machine stays in this state.
    Stay(S),
    /// The lock was granted.
    Granted(Grant),
    /// The lock ended, and its residue on the nodes has to be released.
    Release(Residue),
    /// The lock ended, and nothing is left of it.
    Done,
}

/// A grant of the lock.
pub(crate) struct Grant {
    pub(crate) lease: Lease,
    /// The round that was won. Its late answers extend the lease.
    pub(crate) round: Round,
    /// The fence; 0 if the placement has none.
    pub(crate) fence: u64,
    pub(crate) attempts: u32,
}

/// What a lock may have left on the nodes.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Residue {
    pub(crate) scope: Scope,
    pub(crate) waiter: Waiter,
    /// The longest lease that was requested: after it, nothing is left.
    pub(crate) longest: Duration,
    pub(crate) report: Report,
}

impl Residue {
    /// The residue of a waiter that this client does not know: its ticket, which lasts for `longest` at most.
    pub(crate) fn unknown_waiter(longest: Duration) -> Self {
        Self { scope: Scope::All, waiter: Waiter::Registered, longest, report: Report::ToNobody }
    }
}

/// The nodes that may have residue.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Scope {
    /// All nodes.
    All,
    /// The nodes that may hold a grant of this attempt (rule 3).
    HeldBy(Round),
}

/// Whether the application waits for the outcome of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Report {
    ToApplication,
    ToNobody,
}
