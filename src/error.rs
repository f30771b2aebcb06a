//! What can go wrong: [`InvalidRequest`] is ours, a [`NodeError`] is the peer's or the network's, a [`LockError`] is what the application is told.

use std::rc::Rc;

use crate::id::NodeId;

/// The kind of a failure, as a number that stays the same for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Code {
    /// Not acquired within the wait.
    Timeout = 1,
    /// The lock is no longer ours.
    Lost = 2,
    /// A majority cannot be had.
    Quorum = 3,
    /// Refused, closed, or not answered in time.
    Connection = 4,
    /// The server answered with an error.
    Server = 5,
    /// A malformed, over-long or mismatched reply.
    Protocol = 6,
    /// A cap is reached.
    Overloaded = 7,
    /// The client is closed.
    Closed = 8,
    /// The core itself failed.
    Internal = 9,
}

impl Code {
    /// What errors in JavaScript call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "LOCK_TIMEOUT",
            Self::Lost => "LOCK_LOST",
            Self::Quorum => "LOCK_QUORUM",
            Self::Connection => "LOCK_CONNECTION",
            Self::Server => "LOCK_SERVER",
            Self::Protocol => "LOCK_PROTOCOL",
            Self::Overloaded => "LOCK_OVERLOADED",
            Self::Closed => "LOCK_CLOSED",
            Self::Internal => "LOCK_INTERNAL",
        }
    }

    /// The number that it crosses into JavaScript as.
    #[allow(clippy::as_conversions, reason = "a field-less enum has no other conversion")]
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// A call that the core refuses, with nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// No server was added.
    NoNode,
    /// No key, or an empty one.
    EmptyKey,
    /// A key has the form of the keys that the scripts derive, and would share one with another lock.
    ReservedKey,
    /// Fair on several servers: their orders of arrival are not one order.
    FairOnSeveral,
    /// A lease of less than 100 ms.
    BadLease,
}

impl InvalidRequest {
    /// What was wrong and what is accepted, for people.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::NoNode => "no server was added",
            Self::EmptyKey => "key: needs at least one key, and none that is empty",
            Self::ReservedKey => {
                "key: \"{...}:redlatch:...\" is reserved for the keys that redlatch derives from a lock's key"
            }
            Self::FairOnSeveral => {
                "fair: needs a single server; several servers have no common order of arrival, so a fair Redlock would be unsound"
            }
            Self::BadLease => "ttl: needs at least 100 ms",
        }
    }
}

/// What went wrong between us and one server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NodeError {
    /// No connection, or no answer in time: what was asked may or may not have been done.
    Connection(Rc<str>),
    /// An error reply.
    Server(Rc<ServerError>),
    /// A reply that cannot be right: the connection was given up.
    Protocol(Rc<str>),
    /// Too many commands wait for this server's answers.
    Overloaded,
}

/// An error reply, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerError {
    /// Its first word: ERR, NOAUTH, WRONGTYPE, ...
    pub prefix: String,
    /// The whole line, shortened, without what the server repeats of the command's arguments.
    pub message: String,
    /// Whether it may pass, so that asking again makes sense.
    pub transient: bool,
}

impl NodeError {
    /// The code that it is told under.
    #[must_use]
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::Connection(_) => Code::Connection,
            Self::Server(_) => Code::Server,
            Self::Protocol(_) => Code::Protocol,
            Self::Overloaded => Code::Overloaded,
        }
    }

    /// Whether asking again cannot help.
    #[must_use]
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::Server(error) => !error.transient,
            Self::Connection(_) | Self::Protocol(_) | Self::Overloaded => false,
        }
    }

    /// What happened, for people: no address, no argument of a command.
    #[must_use]
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Connection(text) | Self::Protocol(text) => text,
            Self::Server(error) => &error.message,
            Self::Overloaded => "too many commands wait for the server's answers",
        }
    }
}

/// Why a call of the application failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LockError {
    /// The kind.
    pub code: Code,
    /// The server concerned, where it is one.
    pub node: Option<NodeId>,
    /// How often the lock was asked for.
    pub attempts: u32,
    /// The text for people.
    pub message: Rc<str>,
    /// The first word of a server's error reply; empty for other kinds.
    pub prefix: Rc<str>,
    /// How each of several servers voted.
    pub votes: Vec<(NodeId, Vote)>,
}

/// One server's part in an attempt that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Vote {
    /// It granted.
    Granted,
    /// Another holds the lock there.
    Held,
    /// It did not answer, or with an error.
    Failed(NodeError),
}

impl LockError {
    pub(crate) fn new(code: Code, attempts: u32, message: &str) -> Self {
        Self { code, node: None, attempts, message: message.into(), prefix: "".into(), votes: Vec::new() }
    }

    pub(crate) fn from_node(fault: &NodeError, node: NodeId, attempts: u32) -> Self {
        let prefix = match fault {
            NodeError::Server(error) => error.prefix.as_str(),
            _ => "",
        };
        Self {
            code: fault.code(),
            node: Some(node),
            attempts,
            message: fault.message().into(),
            prefix: prefix.into(),
            votes: Vec::new(),
        }
    }
}
