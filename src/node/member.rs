//! A server as a part of a deployment, which the client asks where locks are.

use super::{
    Node, State,
    news::{News, Tag},
    part::Part,
};
use crate::{
    entropy::Entropy,
    error::{Cause, NodeError},
    id::ConnectionId,
    time::Instant,
};

impl Node {
    /// Another server like this one, about which nothing is known yet.
    pub(crate) fn twin(&self) -> Self {
        let endpoint = self.endpoint.clone();
        let twin = Self::new(endpoint, self.connect_timeout, self.replicas);
        Self { is_cluster: self.is_cluster, part: self.part, ..twin }
    }

    /// From now on the client uses the server as a part of a cluster.
    pub(crate) const fn join_cluster(&mut self) {
        self.is_cluster = true;
        self.part = Part::Member;
    }

    /// From now on the client uses the server as a sentinel.
    pub(crate) const fn become_sentinel(&mut self) {
        self.part = Part::Sentinel;
        self.replicas = 0;
    }

    /// Whether commands can be sent.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(&self.state, State::Up(connection) if connection.is_ready())
    }

    /// Asks where locks are, now or once the server is ready: then call this again.
    ///
    /// # Errors
    /// Why the server cannot be reached, while the backoff allows no new connection.
    pub(crate) fn ask_question(
        &mut self,
        question: &[&[u8]],
        dial: impl FnOnce() -> ConnectionId,
        now: Instant,
    ) -> Result<(), NodeError> {
        match &mut self.state {
            State::Up(connection) => {
                if connection.is_ready() {
                    connection.pipeline.push_question(question, now, &mut connection.out);
                    self.used = now;
                }
                Ok(())
            }
            State::Dialing { .. } => Ok(()),
            State::Down if self.backoff.allows(now) => {
                self.dial(dial(), now);
                Ok(())
            }
            State::Down => Err(self.unreachable()),
        }
    }

    /// Why the server cannot be reached.
    pub(super) fn unreachable(&self) -> NodeError {
        let unknown = || NodeError::connection(Cause::Unknown, "not connected");
        self.last_error.clone().unwrap_or_else(unknown)
    }

    /// Ends the connection to a server that redirects to itself: another one has its address now. Its command may be repeated.
    pub(crate) fn renew(&mut self, tag: Tag, entropy: &mut dyn Entropy, now: Instant) -> News {
        let error = NodeError::connection(
            Cause::Unknown,
            "the server redirected to its own address; connection dropped",
        );
        self.end(error, vec![tag], true, entropy, now)
    }

    /// Ends the connection to a former master, if there is one: it may not know yet that it was replaced. No other one is made
    /// for the sake of held locks.
    pub(crate) fn leave(&mut self, entropy: &mut dyn Entropy, now: Instant) -> Option<News> {
        self.wanted = false;
        self.id()?;
        let error =
            NodeError::connection(Cause::Unknown, "the sentinels named another master; connection dropped");
        Some(self.end(error, Vec::new(), true, entropy, now))
    }
}
