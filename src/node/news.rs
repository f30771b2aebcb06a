//! What a node reports to the locks.

use serde::Serialize;

use crate::{
    error::NodeError,
    id::{ConnectionId, LockId, NodeId},
    script::Answer,
};

/// The epoch of a slot whose server was never seen to change.
pub(crate) const FIRST_EPOCH: u32 = 1;

/// Which lock sent a command, and in which of its rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tag {
    pub(crate) lock: LockId,
    /// The serial number of the round.
    pub(crate) serial: u32,
    /// The node of the lock's placement that the command was for.
    pub(crate) node: NodeId,
    /// The epoch of the slot's route when the command was sent; 0 if the server was not known to be part of a cluster.
    pub(crate) epoch: u32,
}

/// Whether a command was sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Sent,
    /// Not sent. The lock gets an input when the server is ready or cannot be reached.
    Waiting,
    /// Not sent, and the lock gets no further input.
    Refused(NodeError),
}

/// News from a server, for the locks.
#[derive(Debug)]
pub(crate) enum News {
    /// The reply to a command.
    Reply(Tag, Result<Answer, NodeError>),
    /// The server did nothing, and the command is to be sent again.
    Repeat(Tag),
    /// The command will get no answer, and its outcome is unknown, though the connection lives.
    Unanswered(Tag, NodeError),
    /// The reply to the question where locks are, as bytes, or why there is none.
    Answer(Result<Vec<u8>, NodeError>),
    /// A sentinel announced that a master was replaced.
    Switch(Vec<u8>),
    /// A wake-up for this lock.
    Wake(LockId),
    /// The server ended a subscription.
    Unsubscribed,
    /// The connection is ready. `again` if an earlier connection to this server was ready.
    Ready { waiting: Vec<LockId>, again: bool },
    /// The connection ended. The `unanswered` commands have an unknown outcome; the `waiting` locks had sent nothing.
    /// `close` is the connection that the driver must close.
    Down { unanswered: Vec<Tag>, waiting: Vec<LockId>, error: NodeError, close: Option<ConnectionId> },
}

/// The state of one server, as [`Snapshot`](crate::Snapshot) shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeSnapshot {
    /// `idle`, `connecting`, `ready` or `down`.
    pub state: &'static str,
    /// How many commands wait for replies.
    pub pending: usize,
    /// Whether the server sends wake-ups to this client.
    pub wakes: bool,
    /// The last error of this server: an error reply, or the end of a connection.
    pub fault: Option<NodeFault>,
}

/// An error of a server, as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeFault {
    /// The name of the error's code, such as `LOCK_SERVER`.
    pub code: &'static str,
    /// The first word of an error reply; empty for other errors.
    pub prefix: String,
    /// The human-readable message.
    pub message: String,
}

impl NodeFault {
    pub(super) fn new(error: &NodeError) -> Self {
        Self {
            code: error.code().name(),
            prefix: error.prefix().to_owned(),
            message: error.message().to_owned(),
        }
    }
}
