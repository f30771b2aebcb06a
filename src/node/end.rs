//! When a connection ends: the driver says so, its deadline has passed, or it has been idle for long.

use super::{
    Connection, Dialect, Node, State, Transport,
    news::{News, Tag},
};
use crate::{
    entropy::Entropy,
    error::{Cause, NodeError, Obstacle},
    id::ConnectionId,
    time::{Duration, Instant},
};

/// How long a connection stays open without a command, unless something is owed.
const LONGEST_IDLE: Duration = Duration::from_millis(5 * 60 * 1000);

/// How long a server may always take for its first answer, if no handshake came before, as over another client's session.
const FIRST_ANSWER: Duration = Duration::from_millis(1000);

impl Node {
    /// The driver reports that the connection ended, or could not be made. A server that hangs up on HELLO is dialed
    /// again, and the locks go on waiting: in RESP2 if it has refused HELLO, or hung up twice. Once may be chance, and
    /// RESP2 costs the wake-ups.
    pub(crate) fn closed(
        &mut self,
        id: ConnectionId,
        cause: Cause,
        reason: &str,
        dial: impl FnOnce() -> ConnectionId,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<News> {
        if self.id() != Some(id) {
            return None;
        }
        if let State::Up(connection) = &self.state
            && let Some(until) = connection.may_dislike_hello()
        {
            let is_disliked =
                connection.dialect == Dialect::Resp2 || core::mem::replace(&mut self.hung_up, true);
            let dialect = if is_disliked { Dialect::Resp2 } else { Dialect::Resp3 };
            self.state = State::Dialing { id: dial(), until, dialect };
            return None;
        }
        let news = self.end(NodeError::connection(cause, reason), Vec::new(), false, entropy, now);
        if let Cause::Obstacle(_, Obstacle::Permission) = cause {
            // It may be given at any time, and to ask for it costs the network nothing.
            self.backoff.allow();
        }
        Some(news)
    }

    /// When to call [`timeout`](Self::timeout) next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Down => self.wanted.then(|| self.backoff.until()),
            State::Dialing { until, .. } => Some(*until),
            State::Up(connection) => self.dead_at(connection).or_else(|| self.idle_at()),
        }
    }

    /// When to close the connection if no command is in flight. A transport of commands has none of its own to close.
    fn idle_at(&self) -> Option<Instant> {
        (self.endpoint.transport == Transport::Stream).then(|| self.used.after(LONGEST_IDLE))
    }

    /// Something is owed: the connection stays open, though it may be idle.
    pub(crate) fn keep(&mut self, now: Instant) {
        self.used = now;
    }

    /// Whether to connect again without a command, now that the connection has ended.
    pub(crate) const fn want(&mut self, wanted: bool) {
        self.wanted = wanted;
    }

    /// Connects again without a command, if that is wanted and the backoff allows it.
    pub(crate) fn redial(&mut self, dial: impl FnOnce() -> ConnectionId, now: Instant) {
        if self.wanted && matches!(self.state, State::Down) && self.backoff.allows(now) {
            self.dial(dial(), now);
        }
    }

    /// When the connection counts as dead unless bytes are received before.
    fn dead_at(&self, connection: &Connection) -> Option<Instant> {
        connection.deadline(self.least_silence())
    }

    /// The shortest silence of the server that means anything.
    fn least_silence(&self) -> Duration {
        self.round_trips().unwrap_or(FIRST_ANSWER.min(self.connect_timeout))
    }

    /// A command gets no answer any more, though the connection lives.
    pub(super) fn unanswered(&mut self, tag: Tag, error: NodeError) -> News {
        self.fault = Some(error.clone());
        News::Unanswered(tag, error)
    }

    /// Ends the connection if its deadline has passed.
    pub(crate) fn timeout(&mut self, entropy: &mut dyn Entropy, now: Instant) -> Option<News> {
        if matches!(self.state, State::Down) || self.deadline().is_none_or(|at| at > now) {
            return None;
        }
        if let State::Up(connection) = &self.state
            && self.dead_at(connection).is_none()
        {
            return Some(self.hang_up());
        }
        let least = self.least_silence();
        if let State::Up(connection) = &mut self.state
            && self.endpoint.transport == Transport::Independent
        {
            let tag = connection.give_up_overdue(least, now)?;
            let error = NodeError::connection(Cause::Unknown, "no answer in time (nodeTimeout)");
            return Some(self.unanswered(tag, error));
        }
        let (cause, text) = match &self.state {
            State::Up(connection) if connection.is_ready() => {
                (Cause::Unknown, "no answer: the server stopped responding; connection dropped")
            }
            State::Up(_) => {
                (Cause::ConnectTimeout, "connected, but the handshake got no reply in time (connectTimeout)")
            }
            State::Dialing { .. } | State::Down => {
                (Cause::ConnectTimeout, "connection timed out (connectTimeout)")
            }
        };
        Some(self.end(NodeError::connection(cause, text), Vec::new(), true, entropy, now))
    }

    /// Ends a connection that has been idle for long. That is no failure: the next command connects at once.
    fn hang_up(&mut self) -> News {
        let close = self.id();
        self.state = State::Down;
        let error = NodeError::connection(Cause::Unknown, "closed after five minutes without a command");
        News::Down { unanswered: Vec::new(), waiting: Vec::new(), error, close }
    }

    /// Ends the connection. The commands that were `refused` may be repeated, like those without an answer. `close` asks
    /// the driver to close the connection, unless the driver reported the end itself.
    pub(super) fn end(
        &mut self,
        error: NodeError,
        refused: Vec<Tag>,
        close: bool,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> News {
        let id = self.id();
        let mut unanswered = refused;
        match core::mem::replace(&mut self.state, State::Down) {
            State::Up(connection) => {
                self.round_trips = connection.round_trips().or(self.round_trips);
                if !connection.proven {
                    let is_first = self.backoff.allows_at_once();
                    self.backoff.failed(now, entropy);
                    if is_first && connection.is_ready() {
                        // The command that was in flight is repeated at once (rule 17).
                        self.backoff.allow();
                    }
                    // The server may have been upgraded: RESP3 is tried again.
                    self.resp2_until = None;
                }
                connection.pipeline.into_tags(&mut unanswered);
            }
            State::Dialing { .. } => self.backoff.failed(now, entropy),
            State::Down => {}
        }
        self.hung_up = false;
        self.last_error = Some(error.clone());
        self.fault = Some(error.clone());
        News::Down {
            unanswered,
            waiting: core::mem::take(&mut self.waiting),
            error,
            close: id.filter(|_| close),
        }
    }
}
