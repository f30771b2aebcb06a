use super::step::Residue;
use crate::{
    id::{HandleId, OperationId},
    quorum::Heard,
    time::{Duration, Instant},
    timers::Timer,
};

/// Everything that can happen to a lock.
pub(crate) enum Input<'a> {
    /// The lock machine begins.
    Start(Start),
    /// Something about a node.
    Heard(Heard<'a>),
    Timer(Timer),
    /// The lock of the same owner that was in the way is over.
    Unpark,
    /// A message says that the lock is free, or that it is this waiter's turn.
    Wake,
    /// This waiter leads the others of its client from now on.
    Lead,
    /// The application asks for an operation on a held lock.
    Operate(HandleId, OperationId, Operation),
    /// The same owner asks again for what it holds.
    Reenter(Reentry),
    /// This handle gives the lock up, and others keep it.
    Leave(HandleId),
    /// The last handle gives the lock up, and the application waits for the outcome.
    Release,
    /// The last handle gives the lock up, and the application wants to hear nothing more.
    Cancel,
}

/// How a lock machine begins.
pub(crate) enum Start {
    /// With the first attempt.
    Attempt,
    /// By waiting until another lock of the same owner is over.
    Parked,
    /// With the release of what another lock left.
    CleanUp(Residue),
}

/// An operation on a held lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// Extend the lease to at least this span from now.
    Extend(Duration),
    /// Ask the nodes whether the token still holds the lock.
    Verify,
}

/// A request of the same owner for what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reentry {
    pub(crate) handle: HandleId,
    pub(crate) renew: bool,
    /// When its wait is over; `None` if it waits for ever, or for one attempt.
    pub(crate) until: Option<Instant>,
}
