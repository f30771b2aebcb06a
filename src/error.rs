//! Errors: an [`InvalidRequest`] is the caller's mistake, a [`NodeError`] comes from a server or the network, and a
//! [`LockError`] is the reason why a call of the application failed.

use std::rc::Rc;

use crate::{
    id::{ConnectionId, NodeId},
    resp::Malformed,
};

/// The kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The lock was not acquired within the wait.
    Timeout,
    /// The lock was lost: it expired, was deleted or belongs to another owner.
    Lost,
    /// No majority of the servers granted.
    Quorum,
    /// The connection was refused or closed, or the server did not answer in time.
    Connection,
    /// The server answered with an error reply.
    Server,
    /// A reply was malformed, too long or did not match its command.
    Protocol,
    /// Too many locks or commands are pending at once.
    Overloaded,
    /// The client was closed.
    Closed,
    /// The core itself failed.
    Internal,
}

impl Code {
    /// The stable name for programs.
    pub(crate) const fn name(self) -> &'static str {
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
}

/// Why a request is invalid. Nothing was sent, and nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// No server was added.
    NoNode,
    /// There is no key, or one of the keys is empty.
    EmptyKey,
    /// There are more than 1 000 keys. A script holds the server up for as long as it works on all of them.
    TooManyKeys,
    /// The keys are in more than 64 slots of a cluster. Each slot takes a round trip.
    TooManySlots,
    /// A key has the form of a derived key or a fence counter, and could be one of another client.
    ReservedKey,
    /// A fair lock on several servers, whose orders of arrival are not one order (rule 8).
    FairOnSeveral,
    /// A fair lock on keys in several slots of a cluster, whose queues have no common order (rule 12).
    FairInSlots,
    /// Keys in several slots of a cluster that is one of several votes: each vote is one command (rule 12).
    SlotsOnSeveral,
    /// The lease is shorter than 100 ms.
    BadLease,
}

impl InvalidRequest {
    /// What is invalid, and what is accepted, as a human-readable message.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::NoNode => "no server was added",
            Self::EmptyKey => "key: must be at least one key, and no key may be empty",
            Self::TooManyKeys => "key: must be at most 1000 keys",
            Self::TooManySlots => "key: must be in at most 64 slots of the cluster",
            Self::ReservedKey => {
                "key: names with \"redlatch:\" before \"fence\", \"waiters\", \"queue\" or \"places\" are reserved for redlatch's own keys"
            }
            Self::FairOnSeveral => {
                "fair: requires a single server; several servers have no common order of arrival, so a fair Redlock would be unsound"
            }
            Self::FairInSlots => {
                "fair: requires all keys in one slot of the cluster, because the queues of several slots have no common order; give the keys the same hash tag, such as {order:7}:stock and {order:7}:payment"
            }
            Self::SlotsOnSeveral => {
                "key: must be in one slot if a cluster is one of several votes; give the keys the same hash tag, such as {order:7}:stock and {order:7}:payment"
            }
            Self::BadLease => "ttl: must be at least 100 ms",
        }
    }
}

/// What went wrong between the client and one server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NodeError {
    /// There was no connection, or no answer in time. A command that was sent has an unknown outcome.
    Connection {
        /// The origin of the error, if it is known.
        cause: Cause,
        /// The human-readable message.
        message: Rc<str>,
    },
    /// An error reply.
    Server(Rc<ServerError>),
    /// A malformed reply, or one that does not match its command. The connection was closed.
    Protocol(Rc<str>),
    /// The peer does not speak Redis's protocol at all: its first byte begins no reply. The connection was closed.
    NotRedis,
    /// Too many commands wait for replies from this server.
    Overloaded,
}

/// The origin of a connection error, so that nobody has to parse its message for hints and causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// No known origin.
    Unknown,
    /// The transport ended this connection, or could not make it. The message is that of the transport.
    Transport(ConnectionId),
    /// As `Transport`, for a reason that a later connection would meet again.
    Obstacle(ConnectionId, Obstacle),
    /// The connection was not ready within the policy's `connect_timeout`.
    ConnectTimeout,
}

/// Why no connection can be made until somebody changes the set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Obstacle {
    /// The runtime does not permit the program to connect.
    Permission,
    /// The server's certificate is not trusted, or is not the server's.
    Certificate,
}

/// A parsed error reply.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerError {
    /// The first word of the reply: ERR, NOAUTH, WRONGTYPE, ...
    pub prefix: String,
    /// The reply, at most 256 characters, without the command's arguments that servers repeat in some errors.
    pub message: String,
    /// Whether the error is transient, so that another attempt may succeed (rule 14).
    pub transient: bool,
    /// Whether the server did what it was asked for, and only its replicas did not confirm it.
    pub ran: bool,
}

impl NodeError {
    pub(crate) fn connection(cause: Cause, message: &str) -> Self {
        Self::Connection { cause, message: message.into() }
    }

    /// The origin of a connection error.
    #[must_use]
    pub(crate) const fn cause(&self) -> Cause {
        match self {
            Self::Connection { cause, .. } => *cause,
            Self::Server(_) | Self::Protocol(_) | Self::NotRedis | Self::Overloaded => Cause::Unknown,
        }
    }

    /// The first word of an error reply; empty for other errors.
    #[must_use]
    pub(crate) fn prefix(&self) -> &str {
        match self {
            Self::Server(error) => &error.prefix,
            Self::Connection { .. } | Self::Protocol(_) | Self::NotRedis | Self::Overloaded => "",
        }
    }

    /// The code under which the application gets the error.
    #[must_use]
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::Connection { .. } => Code::Connection,
            Self::Server(_) => Code::Server,
            Self::Protocol(_) | Self::NotRedis => Code::Protocol,
            Self::Overloaded => Code::Overloaded,
        }
    }

    /// Whether another attempt would meet the same error.
    #[must_use]
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::Server(error) => !error.transient,
            Self::Connection { cause, .. } => matches!(cause, Cause::Obstacle(..)),
            Self::NotRedis => true,
            Self::Protocol(_) | Self::Overloaded => false,
        }
    }

    /// The same error, as one that may pass.
    #[must_use]
    pub(crate) fn into_transient(self) -> Self {
        match self {
            Self::Server(error) => Self::Server(Rc::new(ServerError { transient: true, ..(*error).clone() })),
            other => other,
        }
    }

    /// Whether the connection failed, and not the command: a new connection may reach the server, or its new master
    /// (rule 17).
    #[must_use]
    pub(crate) fn calls_for_new_connection(&self) -> bool {
        match self {
            Self::Connection { cause, .. } => !matches!(cause, Cause::Obstacle(..)),
            Self::Server(error) => error.prefix == "READONLY",
            Self::Protocol(_) | Self::NotRedis | Self::Overloaded => false,
        }
    }

    /// The human-readable message. It contains no address and no argument of a command.
    #[must_use]
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Connection { message, .. } | Self::Protocol(message) => message,
            Self::Server(error) => &error.message,
            Self::NotRedis => Malformed::UnknownType(0).describe(),
            Self::Overloaded => "too many commands wait for replies from the server",
        }
    }
}

/// Why a call of the application failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LockError {
    /// The kind of the error.
    pub code: Code,
    /// The server that failed, if the error concerns a single server.
    pub node: Option<NodeId>,
    /// The origin of a connection error.
    pub cause: Cause,
    /// How many attempts were made.
    pub attempts: u32,
    /// The human-readable message.
    pub message: Rc<str>,
    /// The first word of an error reply; empty for other errors.
    pub prefix: Rc<str>,
    /// The vote of each server, if there are several.
    pub votes: Vec<(NodeId, Vote)>,
    /// The failure behind this one, if there is one.
    pub reason: Option<Rc<Self>>,
}

/// One server's vote in a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Vote {
    /// The server granted.
    Granted,
    /// Another owner holds the lock on the server.
    Held,
    /// The server did not answer, or answered with an error.
    Failed(NodeError),
    /// The other votes decided before this server was connected or had answered. It need not be at fault.
    Undecided,
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
            reason: None,
        }
    }

    pub(crate) fn from_node(error: &NodeError, node: NodeId, attempts: u32) -> Self {
        Self {
            code: error.code(),
            node: Some(node),
            cause: error.cause(),
            attempts,
            message: error.message().into(),
            prefix: error.prefix().into(),
            votes: Vec::new(),
            reason: None,
        }
    }
}
