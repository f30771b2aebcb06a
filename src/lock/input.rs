use super::step::Residue;
use crate::{
    id::{HandleId, NodeId, OperationId},
    quorum::Heard,
    time::{Duration, Instant},
    timers::Timer,
};

/// Everything that can happen to a lock.
pub(crate) enum Input<'a> {
    /// The lock machine begins.
    Start(Start),
    /// News about a node.
    Heard(Heard<'a>),
    Timer(Timer),
    /// No other lock is in the way of this parked lock any more.
    Unpark,
    /// A wake-up: the lock may be free, or it may be this waiter's turn.
    Wake,
    /// The slot of the lock has another server.
    Moved,
    /// A server of this voter has a new connection, or the slot another server: the lock is to be confirmed after this delay.
    Confirm(NodeId, Duration),
    /// This waiter is now the leader.
    Lead,
    /// The application requests an operation on a held lock.
    Operate(HandleId, OperationId, Operation),
    /// The application re-enters the lock.
    Reenter(Reentry),
    /// This handle leaves, and other handles keep the lock.
    Leave(HandleId),
    /// The last handle releases the lock, and the application waits for the outcome.
    Release,
    /// The client is being closed: a release no longer waits for nodes that cannot be reached.
    Close,
    /// The last handle gives the lock up, and the application wants no further events.
    Cancel,
}

/// How a lock machine begins.
pub(crate) enum Start {
    /// With the first attempt.
    Attempt,
    /// Parked, until another lock with the same token is out of the way.
    Parked,
    /// With the release of another lock's residue.
    CleanUp(Residue),
}

/// An operation on a held lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// Extend the lease to at least this span from now.
    Extend(Duration),
    /// Check on the nodes whether the token still holds the lock.
    Verify,
}

/// A request to re-enter a held lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reentry {
    pub(crate) handle: HandleId,
    pub(crate) renew: bool,
    /// The listening time at which its wait is over. `None` if the wait is unlimited, or is a single attempt.
    pub(crate) until: Option<Instant>,
}
