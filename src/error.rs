//! What can go wrong: [`InvalidRequest`] is ours, a [`NodeError`] is the peer's or the network's, a [`LockError`] is what the application is told.

use std::rc::Rc;

use crate::id::{ConnectionId, NodeId};

/// The kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// Not acquired within the wait.
    Timeout,
    /// The lock is no longer ours.
    Lost,
    /// A majority cannot be had.
    Quorum,
    /// Refused, closed, or not answered in time.
    Connection,
    /// The server answered with an error.
    Server,
    /// A malformed, over-long or mismatched reply.
    Protocol,
    /// A cap is reached.
    Overloaded,
    /// The client is closed.
    Closed,
    /// The core itself failed.
    Internal,
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
    Connection {
        /// The origin of the error, if it is known.
        cause: Cause,
        /// The text for people.
        message: Rc<str>,
    },
    /// An error reply.
    Server(Rc<ServerError>),
    /// A reply that cannot be right: the connection was given up.
    Protocol(Rc<str>),
    /// Too many commands wait for this server's answers.
    Overloaded,
}

/// The origin of a connection error, for hints and causes that do not depend on its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// None of the others.
    Unknown,
    /// The transport ended this connection, or could not make it. The message is the transport's own.
    Transport(ConnectionId),
    /// The connection was not ready within the policy's `connect_timeout`.
    ConnectTimeout,
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
    pub(crate) fn connection(cause: Cause, message: &str) -> Self {
        Self::Connection { cause, message: message.into() }
    }

    /// The origin, if it is a connection error.
    #[must_use]
    pub(crate) const fn cause(&self) -> Cause {
        match self {
            Self::Connection { cause, .. } => *cause,
            Self::Server(_) | Self::Protocol(_) | Self::Overloaded => Cause::Unknown,
        }
    }

    /// The first word of a server's error reply; empty for other kinds.
    #[must_use]
    pub(crate) fn prefix(&self) -> &str {
        match self {
            Self::Server(error) => &error.prefix,
            Self::Connection { .. } | Self::Protocol(_) | Self::Overloaded => "",
        }
    }

    /// The code that it is told under.
    #[must_use]
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::Connection { .. } => Code::Connection,
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
            Self::Connection { .. } | Self::Protocol(_) | Self::Overloaded => false,
        }
    }

    /// What happened, for people: no address, no argument of a command.
    #[must_use]
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Connection { message, .. } | Self::Protocol(message) => message,
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
    /// The origin of a connection error.
    pub cause: Cause,
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
        Self {
            code,
            node: None,
            cause: Cause::Unknown,
            attempts,
            message: message.into(),
            prefix: "".into(),
            votes: Vec::new(),
        }
    }

    pub(crate) fn from_node(fault: &NodeError, node: NodeId, attempts: u32) -> Self {
        Self {
            code: fault.code(),
            node: Some(node),
            cause: fault.cause(),
            attempts,
            message: fault.message().into(),
            prefix: fault.prefix().into(),
            votes: Vec::new(),
        }
    }
}
