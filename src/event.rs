//! What the application hears.

use crate::{
    entropy::Token,
    error::LockError,
    id::{HandleId, NodeId, OperationId},
};

/// What the application is to hear.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The lock is held from now on. The answer to `acquire`, as is [`Failed`](Self::Failed).
    Granted {
        /// Which.
        lock: HandleId,
        /// The fencing token: larger than that of every earlier grant of the same keys.
        fence: u64,
        /// The owner's token, if the application did not bring its own.
        token: Option<Token>,
    },
    /// The lock is not had, and its id is void.
    Failed {
        /// Which.
        lock: HandleId,
        /// Why.
        failure: LockError,
    },
    /// The lock is held no more though nobody released it. Told once, and its id is void.
    Lost {
        /// Which.
        lock: HandleId,
        /// Why.
        loss: Loss,
    },
    /// The answer to `release`.
    Released {
        /// Which.
        lock: HandleId,
        /// How it went.
        outcome: ReleaseOutcome,
    },
    /// The answer to `extend`, as is [`OperationFailed`](Self::OperationFailed).
    Extended {
        /// Which question.
        op: OperationId,
        /// About which lock.
        lock: HandleId,
    },
    /// The answer to `verify`, as is [`OperationFailed`](Self::OperationFailed).
    Verified {
        /// Which question.
        op: OperationId,
        /// About which lock.
        lock: HandleId,
        /// Whether the servers say that it is ours.
        ours: bool,
    },
    /// Another holds what was asked for. Only told to those who watch, as what follows here.
    Contended {
        /// Which.
        lock: HandleId,
    },
    /// The lease was extended by itself.
    Renewed {
        /// Which.
        lock: HandleId,
    },
    /// A majority agreed, but some servers could not be asked.
    Degraded {
        /// Which.
        lock: HandleId,
        /// How many.
        missing: u32,
    },
    /// A connection became ready, or ended.
    Connection {
        /// To which server.
        node: NodeId,
        /// Whether it is ready now.
        ready: bool,
    },
    /// A question could not be answered; the lease is as it was.
    OperationFailed {
        /// Which question.
        op: OperationId,
        /// About which lock.
        lock: HandleId,
        /// Why.
        failure: LockError,
    },
}

/// Why a lock was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Its validity ended on our own clock.
    Expired,
    /// The servers say that it is not ours.
    NotOurs,
    /// It was held for as long as the application allowed.
    MaxHold,
    /// The client was closed. [`Event::Released`] follows.
    Closed,
}

impl Loss {
    /// For people.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Expired => "the validity of the lock has ended: its lease was not extended in time",
            Self::NotOurs => {
                "the server says that the lock is no longer ours: it expired there, or its key was deleted or taken"
            }
            Self::Closed => "the client was closed while the lock was held",
            Self::MaxHold => "the lock was held for as long as maxHold allows",
        }
    }
}

/// How a release went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseOutcome {
    /// The servers deleted the keys.
    Released,
    /// The keys were no longer ours.
    Expired,
    /// No answer yet, or one that may be either.
    Unknown,
}
