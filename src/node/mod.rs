//! One server: its connection, the commands that are in flight on it, and when to connect again.
//!
//! ```text
//!          demand                    connected                 handshake done
//!   Down ----------> Dialing -----------------------> Greeting ---------------> Ready
//!    ^                  |  refused, timed out            |  refused, timed out    |  closed, silent,
//!    '------------------'<-------------------------------'<-----------------------'  malformed, mismatched
//! ```
//! A node connects only on demand, or for the sake of held locks that are renewed (rule 5), and hangs up when it has been
//! idle for long (rule 18). It queues no command for a
//! connection that does not exist yet (rule 7): the lock waits and sends its command once the server is ready, with a
//! validity counted from then.
//!
//! All times here are listening times (rule 16): a connection counts as dead if the client has listened and nothing came.

mod backoff;
mod command;
mod connection;
mod end;
mod endpoint;
mod error_reply;
mod handshake;
mod known;
mod listening;
mod member;
mod news;
mod outcome;
mod part;
mod pending;
mod pipeline;
mod replication;
mod run;
mod runs;
mod subscriptions;

use crate::{
    entropy::Entropy,
    error::NodeError,
    id::{ConnectionId, LockId},
    time::{Duration, Instant},
};

use backoff::Backoff;
pub(crate) use command::Command;
use connection::{Connection, ConnectionEvent};
pub use endpoint::{Endpoint, Transport};
pub(crate) use error_reply::{no_master, same_servers, unserved};
use handshake::Dialect;
pub(crate) use news::FIRST_EPOCH;
pub(crate) use news::{Asked, News, Tag};
pub use news::{NodeFault, NodeSnapshot};
use part::Part;
use pipeline::Pipeline;
use subscriptions::Push;

/// For how long a server that refused HELLO, or hung up on it, is used in RESP2. By then it may have been upgraded.
const RESP2_MEMORY: Duration = Duration::from_millis(600_000);

/// The channel on which sentinels announce that a master was replaced
/// (<https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#pubsub-messages>).
const SWITCHES: &[u8] = b"+switch-master";

/// The most commands in flight on one connection. Further commands are refused as overload.
const MOST_PENDING: usize = 65_536;

#[derive(Clone, Debug, Hash)]
pub(crate) struct Node {
    endpoint: Endpoint,
    /// The channel on which this client's wake-ups are published, or what its shard channels begin with.
    channel: Vec<u8>,
    connect_timeout: Duration,
    /// How many replicas must confirm what is granted.
    replicas: u32,
    state: State,
    backoff: Backoff,
    /// Why the last connection ended. Locks get this error while the backoff allows no new connection.
    last_error: Option<NodeError>,
    /// Whether the failure of the first connection was reported.
    first_failure: bool,
    /// The last error of any kind, for snapshots.
    fault: Option<NodeError>,
    /// The locks that wait until the server is ready or cannot be reached.
    waiting: Vec<LockId>,
    /// How long the server may always take to answer, as measured on its last connection.
    round_trips: Option<Duration>,
    /// Whether an earlier connection was ready.
    was_ready: bool,
    /// Until when new connections begin in RESP2, because the server refused HELLO or hung up on it.
    resp2_until: Option<Instant>,
    /// Whether the server is part of a cluster, by its reply to HELLO, or because it refused keys in different slots.
    is_cluster: bool,
    part: Part,
    /// Whether the server hung up on the last HELLO.
    hung_up: bool,
    /// When the connection was last of use: made, sent a command, or kept.
    used: Instant,
    /// Whether to connect again without a command, because held locks are renewed here.
    wanted: bool,
    /// The time for which this node is in the deadline queue.
    pub(crate) queued_at: Option<Instant>,
}

#[derive(Clone, Debug, Hash)]
enum State {
    Down,
    Dialing { id: ConnectionId, until: Instant, dialect: Dialect },
    Up(Box<Connection>),
}

impl Node {
    pub(crate) fn new(endpoint: Endpoint, connect_timeout: Duration, replicas: u32) -> Self {
        Self {
            endpoint,
            channel: Vec::new(),
            connect_timeout,
            replicas,
            state: State::Down,
            backoff: Backoff::default(),
            last_error: None,
            first_failure: false,
            fault: None,
            waiting: Vec::new(),
            round_trips: None,
            was_ready: false,
            resp2_until: None,
            is_cluster: false,
            part: Part::Alone,
            hung_up: false,
            used: Instant::default(),
            wanted: false,
            queued_at: None,
        }
    }

    /// Sends a command if the server is ready, behind ASKING if it was redirected here. If a new connection is needed, `dial`
    /// requests it and returns its id.
    pub(crate) fn ask(
        &mut self,
        mut tag: Tag,
        command: &Command<'_>,
        asking: bool,
        dial: impl FnOnce() -> ConnectionId,
        now: Instant,
    ) -> Asked {
        match &mut self.state {
            State::Up(connection) if connection.is_ready() => {
                if connection.pipeline.len() >= MOST_PENDING {
                    return Asked::Refused(NodeError::Overloaded);
                }
                if self.is_cluster {
                    tag.epoch = tag.epoch.max(FIRST_EPOCH);
                    // Locks are in different slots: each goes alone.
                    connection.pipeline.close_runs(&mut connection.out);
                }
                if asking {
                    connection.pipeline.push_asking(command.silence, now, &mut connection.out);
                }
                connection.pipeline.push(tag, command, now, &mut connection.out);
                self.used = now;
                Asked::Sent
            }
            State::Up(_) | State::Dialing { .. } => {
                self.waiting.push(tag.lock);
                Asked::Waiting
            }
            State::Down if self.backoff.allows(now) => {
                self.dial(dial(), now);
                self.waiting.push(tag.lock);
                Asked::Waiting
            }
            State::Down => Asked::Refused(self.unreachable()),
        }
    }

    /// How long three round trips to the server take, at most `connectTimeout`. `None` if it has not answered yet.
    pub(crate) fn round_trips(&self) -> Option<Duration> {
        match &self.state {
            State::Up(connection) => connection.round_trips().or(self.round_trips),
            State::Down | State::Dialing { .. } => None,
        }
        .map(|span| span.min(self.connect_timeout))
    }

    /// Allows one dial at once, whatever the backoff.
    pub(crate) fn allow_dial(&mut self) {
        self.backoff.allow();
    }

    /// Whether all keys of a command must be in one slot.
    pub(crate) const fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    /// Whether the server sends wake-ups over the present connection.
    pub(crate) fn wakes(&self) -> bool {
        matches!(&self.state, State::Up(connection) if connection.wakes)
    }

    /// Replaces the endpoint's credentials, from the connection that is being made.
    pub(crate) fn log_in(&mut self, id: ConnectionId, user: String, password: String) {
        if self.id() == Some(id) {
            self.endpoint.user = user;
            self.endpoint.password = password;
        }
    }

    /// The driver made the connection. `channel` is where the client's wake-ups are published, or what
    /// its shard channels begin with, up to a brace. Returns news at once if the
    /// connection needs no handshake.
    pub(crate) fn connected(
        &mut self,
        id: ConnectionId,
        channel: Vec<u8>,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<News> {
        let State::Dialing { id: dialed, until, dialect } = self.state else {
            return None;
        };
        if dialed != id {
            return None;
        }
        self.channel = if self.part == Part::Sentinel { SWITCHES.to_vec() } else { channel };
        let mut first_nonce = [0; 8];
        // The nonce detects accidents and is no secret, so zeros do if there is no randomness.
        let _ = entropy.fill(&mut first_nonce);
        let first_nonce = u64::from_le_bytes(first_nonce);
        let pipeline = (first_nonce, self.replicas);
        let connection = Connection::new(id, &self.endpoint, self.part, dialect, pipeline, until, now);
        let ready = connection.is_ready();
        self.state = State::Up(Box::new(connection));
        self.used = now;
        ready.then(|| self.ready(now))
    }

    /// Takes received bytes. Then call [`step`](Self::step) until it returns `None`.
    pub(crate) fn received(&mut self, id: ConnectionId, bytes: &[u8], now: Instant) {
        if let Some(connection) = self.connection(id) {
            connection.received(bytes, now);
        }
    }

    /// The next news in the received bytes.
    pub(crate) fn step(&mut self, id: ConnectionId, entropy: &mut dyn Entropy, now: Instant) -> Option<News> {
        let Self { endpoint, channel, .. } = self;
        let connection = match &mut self.state {
            State::Up(connection) if connection.id == id => connection,
            _ => return None,
        };
        match connection.next(endpoint, channel) {
            ConnectionEvent::Idle => None,
            ConnectionEvent::Ready => Some(self.ready(now)),
            ConnectionEvent::Push(Push::Wake(lock)) => Some(News::Wake(lock)),
            ConnectionEvent::Push(Push::Unsubscribed) => Some(News::Unsubscribed),
            ConnectionEvent::Push(Push::Switch(message)) => Some(News::Switch(message)),
            ConnectionEvent::Answer(reply) => Some(News::Answer(reply)),
            ConnectionEvent::Reply(tag, reply) => {
                match &reply {
                    Ok(_) => self.backoff.succeeded(),
                    Err(NodeError::Server(error))
                        if error.prefix == "CROSSSLOT" && tag.epoch < FIRST_EPOCH =>
                    {
                        // Refused before it ran. Nothing else in the command needs another slot than its locks.
                        self.is_cluster = true;
                        return Some(News::Repeat(tag));
                    }
                    Err(error) => self.fault = Some(error.clone()),
                }
                Some(News::Reply(tag, reply))
            }
            ConnectionEvent::Repeat(tag) => Some(News::Repeat(tag)),
            ConnectionEvent::Unanswered(tag, error) => Some(self.unanswered(tag, error)),
            ConnectionEvent::Ended(error) => Some(self.end(error, Vec::new(), true, entropy, now)),
            ConnectionEvent::Demoted(tags, error) => Some(self.end(error, tags, true, entropy, now)),
        }
    }

    /// Whether it is time to write before the application has made all its calls: see [`Pipeline::is_half_full`].
    pub(crate) fn is_half_full(&self) -> bool {
        self.stream().is_some_and(Pipeline::is_half_full)
    }

    /// Whether the server has much to do: see [`Pipeline::has_backlog`].
    pub(crate) fn has_backlog(&self) -> bool {
        self.stream().is_some_and(Pipeline::has_backlog)
    }

    /// The commands on a connection that takes any number of them at once. Over another client, or over HTTP, each write may
    /// be a request of its own.
    fn stream(&self) -> Option<&Pipeline> {
        match &self.state {
            State::Up(connection) if self.endpoint.transport == Transport::Stream => {
                Some(&connection.pipeline)
            }
            State::Up(_) | State::Down | State::Dialing { .. } => None,
        }
    }

    /// Takes the bytes to write, and their connection, if there are any.
    pub(crate) fn poll_transmit(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        match &mut self.state {
            State::Up(connection) => {
                connection.pipeline.close(&mut connection.out);
                connection.pipeline.transmitted();
                let bytes = core::mem::take(&mut connection.out);
                (!bytes.is_empty()).then_some((connection.id, bytes))
            }
            State::Down | State::Dialing { .. } => None,
        }
    }

    pub(crate) fn inspect(&self) -> NodeSnapshot {
        let (state, pending) = match &self.state {
            State::Up(connection) if connection.is_ready() => ("ready", connection.pipeline.len()),
            State::Up(_) | State::Dialing { .. } => ("connecting", 0),
            State::Down if self.backoff.allows_at_once() => ("idle", 0),
            State::Down => ("down", 0),
        };
        NodeSnapshot { state, pending, wakes: self.wakes(), fault: self.fault.as_ref().map(NodeFault::new) }
    }

    /// The present connection, or the one that is being made.
    pub(crate) fn id(&self) -> Option<ConnectionId> {
        match &self.state {
            State::Down => None,
            State::Dialing { id, .. } => Some(*id),
            State::Up(connection) => Some(connection.id),
        }
    }

    /// Whether no connection was ever ready. True once only.
    pub(crate) fn is_first_failure(&mut self) -> bool {
        !self.was_ready && !core::mem::replace(&mut self.first_failure, true)
    }

    fn dial(&mut self, id: ConnectionId, now: Instant) {
        self.state =
            State::Dialing { id, until: now.after(self.connect_timeout), dialect: self.dialect(now) };
    }

    fn dialect(&self, now: Instant) -> Dialect {
        if self.resp2_until.is_some_and(|until| now < until) { Dialect::Resp2 } else { Dialect::Resp3 }
    }

    fn ready(&mut self, now: Instant) -> News {
        if self.resp2_until.is_none_or(|until| until <= now)
            && matches!(&self.state, State::Up(connection) if connection.dialect == Dialect::Resp2)
        {
            self.resp2_until = Some(now.after(RESP2_MEMORY));
        }
        self.hung_up = false;
        self.wanted = false;
        self.is_cluster |= matches!(&self.state, State::Up(connection) if connection.is_cluster);
        let again = core::mem::replace(&mut self.was_ready, true);
        News::Ready { waiting: core::mem::take(&mut self.waiting), again }
    }

    fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        match &mut self.state {
            State::Up(connection) if connection.id == id => Some(connection),
            _ => None,
        }
    }
}
