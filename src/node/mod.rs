//! One server: its connection, what was asked on it, and when to connect again.
//!
//! ```text
//!          demand                    connected                 handshake done
//!   Down ----------> Dialing -----------------------> Greeting ---------------> Ready
//!    ^                  |  refused, timed out            |  refused, timed out    |  closed, silent,
//!    '------------------'<-------------------------------'<-----------------------'  malformed, mismatched
//! ```
//! There is no connection without demand, and no queue of commands for a connection that is yet to come: whoever asks
//! is told to wait, and asks anew once the server is ready, with a time of its own.

mod backoff;
mod command;
mod connection;
mod endpoint;
mod error_reply;
mod handshake;
mod news;
mod pipeline;

use crate::{
    entropy::Entropy,
    error::NodeError,
    id::{ConnectionId, LockId},
    time::{Duration, Instant},
};

use backoff::Backoff;
pub(crate) use command::Command;
use connection::{Connection, Said};
pub use endpoint::{Endpoint, Transport};
pub use news::NodeSnapshot;
pub(crate) use news::{Asked, News, Tag};

/// What the name of a client's channel begins with; the scripts publish there.
const CHANNEL: &[u8] = b"redlatch:wake:";

/// Commands that may wait for replies on one connection: beyond, asking is refused as overload.
const MOST_PENDING: usize = 65_536;

#[derive(Clone, Debug, Hash)]
pub(crate) struct Node {
    endpoint: Endpoint,
    /// Where wake-ups for this client are published.
    channel: Vec<u8>,
    connect_timeout: Duration,
    link: Link,
    backoff: Backoff,
    /// Why the last connection ended, for those who ask while none may be made.
    last_fault: Option<NodeError>,
    /// Who wants to know when the server is ready or cannot be had.
    waiting: Vec<LockId>,
    /// Whether any connection was ready before.
    was_ready: bool,
    /// When the engine looks at this node's timers, at the latest.
    pub(crate) queued_at: Option<Instant>,
}

#[derive(Clone, Debug, Hash)]
enum Link {
    Down,
    Dialing { id: ConnectionId, until: Instant },
    Up(Box<Connection>),
}

impl Node {
    pub(crate) fn new(endpoint: Endpoint, connect_timeout: Duration) -> Self {
        Self {
            endpoint,
            channel: Vec::new(),
            connect_timeout,
            link: Link::Down,
            backoff: Backoff::default(),
            last_fault: None,
            waiting: Vec::new(),
            was_ready: false,
            queued_at: None,
        }
    }

    /// Asks the server, if it is ready. `dial` is called for the id of a new connection if one has to be made.
    pub(crate) fn ask(
        &mut self,
        tag: Tag,
        command: &Command<'_>,
        dial: impl FnOnce() -> ConnectionId,
        now: Instant,
    ) -> Asked {
        match &mut self.link {
            Link::Up(connection) if connection.is_ready() => {
                if connection.pipeline.len() >= MOST_PENDING {
                    return Asked::Refused(NodeError::Overloaded);
                }
                connection.pipeline.push(tag, command, now, &mut connection.out);
                Asked::Sent
            }
            Link::Up(_) | Link::Dialing { .. } => {
                self.waiting.push(tag.lock);
                Asked::Waiting
            }
            Link::Down if self.backoff.allows(now) => {
                self.link = Link::Dialing { id: dial(), until: now.after(self.connect_timeout) };
                self.waiting.push(tag.lock);
                Asked::Waiting
            }
            Link::Down => {
                Asked::Refused(self.last_fault.clone().unwrap_or_else(|| connection_fault("not connected")))
            }
        }
    }

    /// Whether the server sends wake-ups over the connection that is up.
    pub(crate) fn wakes(&self) -> bool {
        matches!(&self.link, Link::Up(connection) if connection.wakes)
    }

    /// The connection that is being made was made. `client` is what wake-ups are addressed to. There is news at once if it
    /// needs no handshake.
    pub(crate) fn connected(
        &mut self,
        id: ConnectionId,
        client: &[u8],
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<News> {
        let Link::Dialing { id: dialed, until } = self.link else {
            return None;
        };
        if dialed != id {
            return None;
        }
        self.channel = [CHANNEL, client].concat();
        let mut first_nonce = [0; 8];
        // The nonce detects accidents, and is not a secret: without randomness it still does.
        let _ = entropy.fill(&mut first_nonce);
        let first_nonce = u64::from_le_bytes(first_nonce);
        let connection = Connection::new(id, &self.endpoint, first_nonce, until, now);
        let ready = connection.is_ready();
        self.link = Link::Up(Box::new(connection));
        ready.then(|| self.ready())
    }

    /// Takes what was received. Then call [`step`](Self::step) until it has no news.
    pub(crate) fn received(&mut self, id: ConnectionId, bytes: &[u8], now: Instant) {
        if let Some(connection) = self.connection(id) {
            connection.received(bytes, now);
        }
    }

    /// The next news in what was received.
    pub(crate) fn step(&mut self, id: ConnectionId, entropy: &mut dyn Entropy, now: Instant) -> Option<News> {
        let Self { endpoint, channel, .. } = self;
        let connection = match &mut self.link {
            Link::Up(connection) if connection.id == id => connection,
            _ => return None,
        };
        match connection.next(endpoint, channel) {
            Said::Nothing => None,
            Said::Ready => Some(self.ready()),
            Said::Wake(lock) => Some(News::Wake(lock)),
            Said::Reply(tag, reply) => {
                if reply.is_ok() {
                    self.backoff.succeeded();
                }
                Some(News::Reply(tag, reply))
            }
            Said::NoScript(tag) => Some(News::NoScript(tag)),
            Said::Over(fault) => Some(self.end(fault, true, entropy, now)),
        }
    }

    /// The driver says that the connection ended, or could not be made.
    pub(crate) fn closed(
        &mut self,
        id: ConnectionId,
        reason: &str,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<News> {
        (self.id() == Some(id)).then(|| self.end(connection_fault(reason), false, entropy, now))
    }

    /// When [`timeout`](Self::timeout) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.link {
            Link::Down => None,
            Link::Dialing { until, .. } => Some(*until),
            Link::Up(connection) => connection.deadline(),
        }
    }

    pub(crate) fn timeout(&mut self, entropy: &mut dyn Entropy, now: Instant) -> Option<News> {
        if self.deadline().is_none_or(|at| at > now) {
            return None;
        }
        let text = match &self.link {
            Link::Up(connection) if connection.is_ready() => {
                "the server stopped answering; the connection was dropped"
            }
            Link::Up(_) => "connected, but the server did not answer the handshake in time (connectTimeout)",
            Link::Dialing { .. } | Link::Down => "no connection in time (connectTimeout)",
        };
        Some(self.end(connection_fault(text), true, entropy, now))
    }

    /// What is to be written to the connection now.
    pub(crate) fn transmit(&mut self, id: ConnectionId) -> Vec<u8> {
        self.connection(id).map(|connection| core::mem::take(&mut connection.out)).unwrap_or_default()
    }

    /// The connection that has something to write.
    pub(crate) fn wants_to_write(&self) -> Option<ConnectionId> {
        match &self.link {
            Link::Up(connection) if !connection.out.is_empty() => Some(connection.id),
            _ => None,
        }
    }

    pub(crate) fn inspect(&self) -> NodeSnapshot {
        let (state, pending) = match &self.link {
            Link::Up(connection) if connection.is_ready() => ("ready", connection.pipeline.len()),
            Link::Up(_) | Link::Dialing { .. } => ("connecting", 0),
            Link::Down => ("down", 0),
        };
        NodeSnapshot { state, pending, wakes: self.wakes() }
    }

    pub(crate) fn id(&self) -> Option<ConnectionId> {
        match &self.link {
            Link::Down => None,
            Link::Dialing { id, .. } => Some(*id),
            Link::Up(connection) => Some(connection.id),
        }
    }

    fn ready(&mut self) -> News {
        let again = core::mem::replace(&mut self.was_ready, true);
        News::Ready { waiting: core::mem::take(&mut self.waiting), again }
    }

    fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        match &mut self.link {
            Link::Up(connection) if connection.id == id => Some(connection),
            _ => None,
        }
    }

    /// Gives the connection up; `close` if the driver does not know yet.
    fn end(&mut self, fault: NodeError, close: bool, entropy: &mut dyn Entropy, now: Instant) -> News {
        let id = self.id();
        let unanswered = match core::mem::replace(&mut self.link, Link::Down) {
            Link::Up(connection) => {
                if !connection.proven {
                    self.backoff.failed(now, entropy);
                }
                connection.pipeline.into_tags().collect()
            }
            Link::Dialing { .. } => {
                self.backoff.failed(now, entropy);
                Vec::new()
            }
            Link::Down => Vec::new(),
        };
        self.last_fault = Some(fault.clone());
        News::Down {
            unanswered,
            waiting: core::mem::take(&mut self.waiting),
            fault,
            close: id.filter(|_| close),
        }
    }
}

fn connection_fault(text: &str) -> NodeError {
    NodeError::Connection(text.into())
}
