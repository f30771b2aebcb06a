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
mod handshake;
mod pipeline;
mod server_error;

use std::rc::Rc;

use crate::{
    entropy::Entropy,
    error::Fault,
    lock::LockId,
    resp::{Limits, Reply, Scanner, decode},
    script::Answer,
    time::{Duration, Instant},
};

use backoff::Backoff;
use handshake::{Handshake, Next};
pub(crate) use pipeline::{Command, Form};
use pipeline::{Paired, Pipeline};

/// Commands that may wait for replies on one connection: beyond, asking is refused as overload.
const MOST_PENDING: usize = 65_536;

/// A server, by its place in the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A connection, or an attempt at one. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

/// Who asked: a lock, and in which of its rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tag {
    pub(crate) lock: LockId,
    pub(crate) round: u32,
}

/// What a server is told about us. Its address is the driver's business.
#[derive(Clone, Default)]
pub struct Endpoint {
    /// The user to authenticate as; empty for the default user.
    pub user: String,
    /// The password; empty for none.
    pub password: String,
    /// The number of the database.
    pub database: u32,
}

impl core::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Endpoint")
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    fn has_credentials(&self) -> bool {
        !self.user.is_empty() || !self.password.is_empty()
    }

    fn user_or_default(&self) -> &[u8] {
        if self.user.is_empty() { b"default" } else { self.user.as_bytes() }
    }
}

#[derive(Debug)]
pub(crate) struct Node {
    endpoint: Endpoint,
    connect_timeout: Duration,
    link: Link,
    backoff: Backoff,
    /// Why the last connection ended, for those who ask while none may be made.
    last_fault: Option<Fault>,
    /// Who wants to know when the server is ready or cannot be had.
    waiting: Vec<LockId>,
    /// When the engine looks at this node's timers, at the latest.
    pub(crate) entered: Option<Instant>,
}

#[derive(Debug)]
enum Link {
    Down,
    Dialing { id: ConnectionId, until: Instant },
    Up(Box<Connection>),
}

#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    /// The step of the handshake that is awaited, and until when; `None` when ready.
    greeting: Option<(Handshake, Instant)>,
    scanner: Scanner,
    pipeline: Pipeline,
    out: Vec<u8>,
    heard: Instant,
    /// Whether it has answered a command properly: connections that never do are made ever more rarely.
    proven: bool,
    /// Set when the connection is to end once the reply at hand is delivered.
    doomed: Option<Fault>,
}

/// What became of a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Sent,
    /// Not sent: there will be word when the server is ready or cannot be had.
    Waiting,
    Refused(Fault),
}

/// News from a server, for the locks.
#[derive(Debug)]
pub(crate) enum News {
    Reply(Tag, Result<Answer, Fault>),
    NoScript(Tag),
    Ready(Vec<LockId>),
    /// The connection is no more: these commands' outcomes are unknown, and these wait in vain.
    Down {
        unanswered: Vec<Tag>,
        waiting: Vec<LockId>,
        fault: Fault,
        close: Option<ConnectionId>,
    },
}

impl Node {
    pub(crate) fn new(endpoint: Endpoint, connect_timeout: Duration) -> Self {
        Self {
            endpoint,
            connect_timeout,
            link: Link::Down,
            backoff: Backoff::default(),
            last_fault: None,
            waiting: Vec::new(),
            entered: None,
        }
    }

    /// Asks the server, if it is ready. `dial` is called for the id of a new connection if one has to be made.
    pub(crate) fn ask(
        &mut self,
        tag: Tag,
        command: &Command<'_>,
        form: Form,
        dial: impl FnOnce() -> ConnectionId,
        now: Instant,
    ) -> Asked {
        match &mut self.link {
            Link::Up(connection) if connection.greeting.is_none() => {
                if connection.pipeline.len() >= MOST_PENDING {
                    return Asked::Refused(Fault::Overloaded);
                }
                connection.pipeline.push(tag, command, form, now, &mut connection.out);
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

    /// The connection that is being made was made.
    pub(crate) fn connected(&mut self, id: ConnectionId, entropy: &mut dyn Entropy, now: Instant) {
        let Link::Dialing { id: dialed, until } = self.link else {
            return;
        };
        if dialed != id {
            return;
        }
        let mut first_nonce = [0; 8];
        // The nonce detects accidents, and is not a secret: without randomness it still does.
        let _ = entropy.fill(&mut first_nonce);
        let mut out = Vec::new();
        let step = Handshake::begin(&self.endpoint, &mut out);
        self.link = Link::Up(Box::new(Connection {
            id,
            greeting: Some((step, until)),
            scanner: Scanner::new(Limits::default()),
            pipeline: Pipeline::new(u64::from_le_bytes(first_nonce)),
            out,
            heard: now,
            proven: false,
            doomed: None,
        }));
    }

    /// Takes what was received. Then call [`step`](Self::step) until it has no news.
    pub(crate) fn received(&mut self, id: ConnectionId, bytes: &[u8], now: Instant) {
        if let Some(connection) = self.connection(id) {
            connection.heard = now;
            connection.scanner.push(bytes);
        }
    }

    /// The next news in what was received.
    pub(crate) fn step(&mut self, id: ConnectionId, entropy: &mut dyn Entropy, now: Instant) -> Option<News> {
        loop {
            let Link::Up(connection) = &mut self.link else {
                return None;
            };
            if connection.id != id {
                return None;
            }
            if let Some(fault) = connection.doomed.take() {
                return Some(self.end(fault, true, entropy, now));
            }
            let reply = match connection.scanner.next_frame().map(|frame| frame.map(decode)) {
                Ok(None) => return None,
                Ok(Some(Ok(reply))) => reply,
                Ok(Some(Err(error))) | Err(error) => {
                    return Some(self.end(Fault::Protocol(error.describe().into()), true, entropy, now));
                }
            };
            if matches!(reply, Reply::Push(_)) {
                continue;
            }
            let secret = &self.endpoint.password;
            if let Some((step, until)) = connection.greeting {
                let fault = match step.on_reply(&reply, &self.endpoint, &mut connection.out) {
                    Next::Await(step) => {
                        connection.greeting = Some((step, until));
                        continue;
                    }
                    Next::Done => {
                        connection.greeting = None;
                        return Some(News::Ready(core::mem::take(&mut self.waiting)));
                    }
                    Next::Refused(line) => server_fault(line, secret),
                    Next::Mismatch => Fault::Protocol(
                        "the server answered the handshake with something else; is it a Redis server?".into(),
                    ),
                };
                return Some(self.end(fault, true, entropy, now));
            }
            let news = match connection.pipeline.pair(&reply) {
                Paired::Answer(tag, answer) => {
                    connection.proven = true;
                    self.backoff.succeeded();
                    News::Reply(tag, Ok(answer))
                }
                Paired::NoScript(tag) => News::NoScript(tag),
                Paired::Error(tag, line) => {
                    let fault = server_fault(line, secret);
                    // A replica now: the name may lead to the new master by the next connection.
                    if line.starts_with(b"READONLY") {
                        connection.doomed = Some(fault.clone());
                    }
                    News::Reply(tag, Err(fault))
                }
                Paired::Mismatch => {
                    let text = "a reply does not belong to the command it came for; the connection was dropped, and what was asked may or may not have been done";
                    return Some(self.end(Fault::Protocol(text.into()), true, entropy, now));
                }
            };
            return Some(news);
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
            Link::Up(connection) => match connection.greeting {
                Some((_, until)) => Some(until),
                None => connection.pipeline.silent_at(connection.heard),
            },
        }
    }

    pub(crate) fn timeout(&mut self, entropy: &mut dyn Entropy, now: Instant) -> Option<News> {
        if self.deadline().is_none_or(|at| at > now) {
            return None;
        }
        let text = match &self.link {
            Link::Up(connection) if connection.greeting.is_none() => {
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

    pub(crate) fn id(&self) -> Option<ConnectionId> {
        match &self.link {
            Link::Down => None,
            Link::Dialing { id, .. } => Some(*id),
            Link::Up(connection) => Some(connection.id),
        }
    }

    fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        match &mut self.link {
            Link::Up(connection) if connection.id == id => Some(connection),
            _ => None,
        }
    }

    /// Gives the connection up; `close` if the driver does not know yet.
    fn end(&mut self, fault: Fault, close: bool, entropy: &mut dyn Entropy, now: Instant) -> News {
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

fn connection_fault(text: &str) -> Fault {
    Fault::Connection(text.into())
}

fn server_fault(line: &[u8], secret: &str) -> Fault {
    Fault::Server(Rc::new(server_error::parse(line, secret)))
}
