//! Events for the application.

use std::rc::Rc;

use crate::{
    entropy::Token,
    error::{LockError, NodeError},
    id::{HandleId, NodeId, OperationId},
    time::Duration,
};

/// Something the engine reports to the application, from [`Engine::poll_event`](crate::Engine::poll_event).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The lock is held from now on. Result of [`acquire`](crate::Engine::acquire), like [`Failed`](Self::Failed).
    Granted {
        /// The handle.
        lock: HandleId,
        /// The fencing token: larger than those of all earlier grants of the same keys. 0 for a Redlock, which has
        /// none.
        fence: u64,
        /// The token, if it was drawn. `None` if the application chose it.
        token: Option<Token>,
        /// How many attempts were made.
        attempts: u32,
    },
    /// The lock was not acquired. The handle is no longer valid.
    Failed {
        /// The handle.
        lock: HandleId,
        /// The reason.
        failure: LockError,
    },
    /// The lock ended without a release, or its release found that it had (rule 6). Reported once; the handle is no longer
    /// valid, except after [`Loss::Closed`], which [`Released`](Self::Released) follows.
    Lost {
        /// The handle.
        lock: HandleId,
        /// The kind of loss.
        loss: Loss,
        /// Why the last extension failed, if that is why the lock expired.
        reason: Option<Rc<LockError>>,
    },
    /// The client is being closed while the application still works under the lock, which stays held and renewed until
    /// [`release`](crate::Engine::release). Result of [`close`](crate::Engine::close).
    Closing {
        /// The handle.
        lock: HandleId,
    },
    /// Result of [`release`](crate::Engine::release), like [`Lost`](Self::Lost). The handle is no longer valid.
    Released {
        /// The handle.
        lock: HandleId,
        /// How the release ended.
        outcome: ReleaseOutcome,
    },
    /// Result of [`extend`](crate::Engine::extend), like [`OperationFailed`](Self::OperationFailed).
    Extended {
        /// The operation.
        op: OperationId,
        /// The handle.
        lock: HandleId,
    },
    /// Result of [`verify`](crate::Engine::verify), like [`OperationFailed`](Self::OperationFailed).
    Verified {
        /// The operation.
        op: OperationId,
        /// The handle.
        lock: HandleId,
        /// Whether the servers confirmed that the token holds the lock.
        ours: bool,
    },
    /// The first attempt of an acquire found the lock held by another owner. This event, `Renewed`, `RenewFailed`,
    /// `Degraded` and `Connection` are reported only as [`observe`](crate::Engine::observe) says.
    Contended {
        /// The handle.
        lock: HandleId,
    },
    /// The lease was renewed.
    Renewed {
        /// The handle.
        lock: HandleId,
        /// From the sending of the first command that was answered until the renewal was decided.
        rtt: Duration,
    },
    /// A renewal failed. The lease keeps its deadline, and the next renewal is tried before it.
    RenewFailed {
        /// The handle.
        lock: HandleId,
        /// The reason.
        failure: Rc<LockError>,
    },
    /// A majority granted, but some servers could not be reached.
    Degraded {
        /// The handle.
        lock: HandleId,
        /// How many servers.
        missing: u32,
    },
    /// A connection became ready, or it ended, or it could not be made.
    Connection {
        /// The server.
        node: NodeId,
        /// Why the connection ended. `None` if it is ready.
        error: Option<NodeError>,
    },
    /// An operation failed. The lease keeps its deadline.
    OperationFailed {
        /// The operation.
        op: OperationId,
        /// The handle.
        lock: HandleId,
        /// The reason.
        failure: LockError,
    },
}

/// Why a lock was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Validity ended on the client's own clock.
    Expired,
    /// The servers answered that the token no longer holds the lock.
    NotOurs,
    /// The longest hold that the application allowed is over.
    MaxHold,
    /// The servers answered to the release that the token no longer held the lock.
    Gone,
    /// The client was closed. [`Event::Released`] follows.
    Closed,
}

impl Loss {
    /// The reason as a human-readable message.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Expired => "the validity of the lock has ended: its lease was not extended in time",
            Self::NotOurs => {
                "the server says that the lock is no longer ours: it expired there, or its key was deleted or taken"
            }
            Self::Gone => {
                "the lock was no longer ours when it was released: it had expired, or its key was deleted or taken"
            }
            Self::Closed => "the client was closed while the lock was held",
            Self::MaxHold => "the lock was held for as long as maxHold allows",
        }
    }
}

/// How a release ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseOutcome {
    /// The servers deleted the keys.
    Released,
    /// The token no longer held the keys, of a lock whose loss was reported before. This is not an error.
    Expired,
    /// There was no answer in time, or the answer does not tell. Clean-up continues in the background.
    Unknown,
}
