//! How the client learns which server has a lock: from the map of a cluster, or from sentinels.

use super::{Deployment, RouteNews, Servers, Topology, VOTER, map};
use crate::{
    entropy::Entropy,
    error::{Cause, NodeError},
    id::NodeId,
    node::Node,
    time::Instant,
};

impl Topology {
    /// Asks where locks are, if that is wanted and it is time. `owed` says whether the application waits for anything, and
    /// `believed` which deadlines have passed, if any. Call this until it returns `None`.
    pub(crate) fn ask_for_news(
        &mut self,
        owed: bool,
        believed: Option<Instant>,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<RouteNews> {
        let Self { deployment, servers, .. } = self;
        match deployment {
            Deployment::Independent => None,
            Deployment::Cluster(cluster) => {
                if believed.is_some_and(|believed| cluster.is_overdue(believed)) {
                    let late = NodeError::connection(Cause::Unknown, "no answer to CLUSTER SLOTS in time");
                    if let Some((locks, error)) = cluster.failed(&late, entropy, now) {
                        return Some(RouteNews::Unavailable(locks, error));
                    }
                }
                let is_ready = |servers: &Servers, node| servers.peek(node).is_some_and(Node::is_ready);
                while let Some(node) = cluster.next(|node| is_ready(servers, node), owed, now) {
                    let Err(error) = ask(servers, node, &MAP_QUESTION, now) else { return None };
                    if let Some((locks, error)) = cluster.failed(&error, entropy, now) {
                        return Some(RouteNews::Unavailable(locks, error));
                    }
                }
                None
            }
            Deployment::Sentinel(sentinels) => {
                if let Some(news) = believed.and_then(|believed| sentinels.end_late(believed, entropy, now)) {
                    return Some(news);
                }
                if !sentinels.begin(owed, now) {
                    return None;
                }
                let mut news = None;
                for node in (0..).map(NodeId).take(sentinels.count()) {
                    if let Err(error) = ask(servers, node, &sentinels.question(), now) {
                        news = sentinels.failed(node, &error, entropy, now).or(news);
                    }
                }
                news
            }
        }
    }

    /// The server is ready: it is asked where locks are, if it was connected to for that.
    pub(crate) fn is_connected(&mut self, node: NodeId, now: Instant) {
        let Self { deployment, servers, .. } = self;
        // It is ready, so nothing is dialled, and nothing refused.
        let _ = match deployment {
            Deployment::Cluster(cluster) => {
                cluster.found(node);
                if cluster.is_asked(node) { ask(servers, node, &MAP_QUESTION, now) } else { Ok(()) }
            }
            // It may have announced a switch before it was connected to.
            Deployment::Sentinel(sentinels) if sentinels.is_sentinel(node) => {
                ask(servers, node, &sentinels.question(), now)
            }
            Deployment::Sentinel(sentinels) => {
                sentinels.found(node);
                Ok(())
            }
            Deployment::Independent => Ok(()),
        };
    }

    /// A server answered where locks are, or why it does not.
    pub(crate) fn hear_news(
        &mut self,
        from: NodeId,
        reply: Result<Vec<u8>, NodeError>,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<RouteNews> {
        let Self { deployment, servers, pattern, .. } = self;
        let intern = || learn(servers, pattern.as_ref());
        match deployment {
            Deployment::Independent => None,
            Deployment::Cluster(cluster) if !cluster.is_asked(from) => None,
            Deployment::Cluster(cluster) => {
                let mut intern = intern;
                let accepted = reply.map(|frame| {
                    let shards = map::read(&frame)?;
                    cluster.accept(from, shards, |_| intern(), entropy, now)
                });
                let refused = match accepted {
                    Ok(Some((slots, waiting))) => {
                        return Some(RouteNews::Changed { slots, waiting, former: None });
                    }
                    Ok(None) => NodeError::Protocol(NO_MAP.into()),
                    Err(error) => error,
                };
                let unavailable = cluster.failed(&refused, entropy, now);
                unavailable.map(|(locks, error)| RouteNews::Unavailable(locks, error))
            }
            Deployment::Sentinel(sentinels) => match reply {
                Ok(frame) => sentinels.hear(from, &frame, intern, entropy, now),
                Err(error) => sentinels.failed(from, &error, entropy, now),
            },
        }
    }

    /// A sentinel announced a switch to another master.
    pub(crate) fn hear_switch(
        &mut self,
        from: NodeId,
        message: &[u8],
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<RouteNews> {
        let Self { deployment: Deployment::Sentinel(sentinels), servers, pattern, .. } = self else {
            return None;
        };
        sentinels.hear_switch(from, message, || learn(servers, pattern.as_ref()), entropy, now)
    }

    /// The connection to a server ended. If that server was asked where locks are, others answer.
    pub(crate) fn news_failed(
        &mut self,
        node: NodeId,
        error: &NodeError,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<RouteNews> {
        match &mut self.deployment {
            Deployment::Cluster(cluster) if cluster.is_asked(node) => {
                let unavailable = cluster.failed(error, entropy, now);
                unavailable.map(|(locks, error)| RouteNews::Unavailable(locks, error))
            }
            Deployment::Sentinel(sentinels) if sentinels.is_sentinel(node) => {
                sentinels.failed(node, error, entropy, now)
            }
            _ => None,
        }
    }

    /// When to call [`ask_for_news`](Self::ask_for_news) next, and the time for which that is in the deadline queue.
    pub(crate) fn news_deadline(&mut self, owed: bool) -> (Option<Instant>, &mut Option<Instant>) {
        (self.deployment.deadline(owed), &mut self.queued_at)
    }
}

/// What a server of a cluster is asked.
const MAP_QUESTION: [&[u8]; 2] = [b"CLUSTER", b"SLOTS"];

const NO_MAP: &str = "no map of this cluster: it is empty, odd, or that of another cluster";

/// Asks a server where locks are, now or once it is ready.
fn ask(servers: &mut Servers, node: NodeId, question: &[&[u8]], now: Instant) -> Result<(), NodeError> {
    match servers.get_with_dials(node) {
        Some((server, dials)) => server.ask_question(question, || dials.dial(node), now),
        None => Ok(()),
    }
}

/// Adds a server that was announced.
pub(super) fn learn(servers: &mut Servers, pattern: Option<&Node>) -> NodeId {
    pattern.map_or(VOTER, |pattern| servers.add(pattern.twin()))
}
