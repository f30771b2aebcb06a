//! A server as a part of a cluster, which the client asks for the map.

use super::{
    Node, State,
    news::{News, Tag},
};
use crate::{
    entropy::Entropy,
    error::{Cause, NodeError},
    id::ConnectionId,
    time::Instant,
};

impl Node {
    /// Another server of the cluster, about which nothing is known yet.
    pub(crate) fn twin(&self) -> Self {
        let endpoint = self.endpoint.clone();
        let twin = Self::new(endpoint, self.connect_timeout, self.replicas);
        Self { is_cluster: self.is_cluster, is_member: self.is_member, ..twin }
    }

    /// From now on the client uses the server as a part of a cluster.
    pub(crate) fn join_cluster(&mut self) {
        self.is_cluster = true;
        self.is_member = true;
    }

    /// Whether commands can be sent.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(&self.state, State::Up(connection) if connection.is_ready())
    }

    /// Asks for the map of the cluster, now or once the server is ready: then call this again.
    ///
    /// # Errors
    /// Why the server cannot be reached, while the backoff allows no new connection.
    pub(crate) fn ask_for_map(
        &mut self,
        dial: impl FnOnce() -> ConnectionId,
        now: Instant,
    ) -> Result<(), NodeError> {
        match &mut self.state {
            State::Up(connection) => {
                if connection.is_ready() {
                    connection.pipeline.push_map(now, &mut connection.out);
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
}
