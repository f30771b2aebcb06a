//! What a node tells the locks.

use serde::Serialize;

use crate::{
    error::NodeError,
    id::{ConnectionId, LockId},
    script::Answer,
};

/// Who asked: a lock, and in which of its rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tag {
    pub(crate) lock: LockId,
    pub(crate) round: u32,
}

/// What became of a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Sent,
    /// Not sent: there will be word when the server is ready or cannot be had.
    Waiting,
    Refused(NodeError),
}

/// News from a server, for the locks.
#[derive(Debug)]
pub(crate) enum News {
    Reply(Tag, Result<Answer, NodeError>),
    NoScript(Tag),
    /// A message says that this lock may be had now.
    Wake(LockId),
    /// The connection is ready; `again` if it is not the first to this server.
    Ready {
        waiting: Vec<LockId>,
        again: bool,
    },
    /// The connection is no more: these commands' outcomes are unknown, and these wait in vain.
    Down {
        unanswered: Vec<Tag>,
        waiting: Vec<LockId>,
        fault: NodeError,
        close: Option<ConnectionId>,
    },
}

/// The state of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeSnapshot {
    /// `down`, `connecting` or `ready`.
    pub state: &'static str,
    /// Commands that wait for replies.
    pub pending: usize,
    /// Whether it tells us when it is our turn.
    pub wakes: bool,
}
