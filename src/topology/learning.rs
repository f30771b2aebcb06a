//! How the client learns which server has a lock: from the map of a cluster, or from sentinels.

use super::{Deployment, RouteNews, Servers, Topology, VoterId, map, voter::Voter};
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
    ) -> Option<(VoterId, RouteNews)> {
        let Self { voters, servers, .. } = self;
        voters.iter_mut().find_map(|voter| {
            let news = voter.ask_for_news(servers, owed, believed, entropy, now)?;
            Some((voter.id, news))
        })
    }

    /// The server is ready: it is asked where locks are, if it was connected to for that.
    pub(crate) fn is_connected(&mut self, node: NodeId, now: Instant) {
        let Some((Voter { deployment, .. }, servers)) = self.voter_of_mut(node) else { return };
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
            Deployment::Server => Ok(()),
        };
    }

    /// A server answered where locks are, or why it does not.
    pub(crate) fn hear_news(
        &mut self,
        from: NodeId,
        reply: Result<Vec<u8>, NodeError>,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<(VoterId, RouteNews)> {
        let (voter, servers) = self.voter_of_mut(from)?;
        let news = voter.hear_news(from, reply, servers, entropy, now)?;
        Some(self.checked(from, news))
    }

    /// A sentinel announced a switch to another master.
    pub(crate) fn hear_switch(
        &mut self,
        from: NodeId,
        message: &[u8],
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<(VoterId, RouteNews)> {
        let (voter, servers) = self.voter_of_mut(from)?;
        let &mut Voter {
            deployment: Deployment::Sentinel(ref mut sentinels), ref pattern, id, first, ..
        } = voter
        else {
            return None;
        };
        let intern = intern(servers, pattern.as_ref(), id, first);
        let news = sentinels.hear_switch(from, message, intern, entropy, now)?;
        Some(self.checked(from, news))
    }

    /// The connection to a server ended. If that server was asked where locks are, others answer.
    pub(crate) fn news_failed(
        &mut self,
        node: NodeId,
        error: &NodeError,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<(VoterId, RouteNews)> {
        let (voter, _) = self.voter_of_mut(node)?;
        let news = match &mut voter.deployment {
            Deployment::Cluster(cluster) if cluster.is_asked(node) => {
                let (locks, error) = cluster.failed(error, entropy, now)?;
                RouteNews::Unavailable(locks, error)
            }
            Deployment::Sentinel(sentinels) if sentinels.is_sentinel(node) => {
                sentinels.failed(node, error, entropy, now)?
            }
            _ => return None,
        };
        Some(self.checked(node, news))
    }

    /// When to call [`ask_for_news`](Self::ask_for_news) next, and the time for which that is in the deadline queue.
    pub(crate) fn news_deadline(&mut self, owed: bool) -> (Option<Instant>, &mut Option<Instant>) {
        let deadlines = self.voters.iter().filter_map(|voter| voter.deployment.deadline(owed));
        (deadlines.min(), &mut self.queued_at)
    }

    /// The voter of a server, and all servers.
    pub(super) fn voter_of_mut(&mut self, server: NodeId) -> Option<(&mut Voter, &mut Servers)> {
        let Self { voters, servers, .. } = self;
        Some((voters.get_mut(servers.voter_of(server).place())?, servers))
    }

    /// Compares the voters again, if the servers of one have changed: of two that are the same servers, the later one loses its
    /// vote.
    fn checked(&mut self, from: NodeId, news: RouteNews) -> (VoterId, RouteNews) {
        if let RouteNews::Changed { .. } = news {
            for place in 1..self.voters.len() {
                if let Some((earlier, later)) = self.voters.split_at_mut_checked(place)
                    && let Some(voter) = later.first_mut()
                    && voter.compare(earlier)
                {
                    self.refused.push(voter.id);
                }
            }
        }
        (self.servers.voter_of(from), news)
    }

    /// The next voter whose vote counted until now, and does no more, with its first server and the reason.
    pub(crate) fn poll_refused(&mut self) -> Option<(VoterId, NodeId, NodeError)> {
        let id = self.refused.pop()?;
        let voter = self.voters.get(id.place())?;
        Some((id, voter.first, voter.refusal()?))
    }
}

impl Voter {
    fn ask_for_news(
        &mut self,
        servers: &mut Servers,
        owed: bool,
        believed: Option<Instant>,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<RouteNews> {
        match &mut self.deployment {
            Deployment::Server => None,
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
                for node in sentinels.all() {
                    if let Err(error) = ask(servers, node, &sentinels.question(), now) {
                        news = sentinels.failed(node, &error, entropy, now).or(news);
                    }
                }
                news
            }
        }
    }

    fn hear_news(
        &mut self,
        from: NodeId,
        reply: Result<Vec<u8>, NodeError>,
        servers: &mut Servers,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<RouteNews> {
        let intern = intern(servers, self.pattern.as_ref(), self.id, self.first);
        match &mut self.deployment {
            Deployment::Server => None,
            Deployment::Cluster(cluster) if !cluster.is_asked(from) => None,
            Deployment::Cluster(cluster) => {
                let accepted = reply.map(|frame| {
                    let shards = map::read(&frame)?;
                    cluster.accept(from, shards, intern, entropy, now)
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

/// Adds the servers of a voter that are announced. `first` is its first server.
pub(super) fn intern<'a>(
    servers: &'a mut Servers,
    pattern: Option<&'a Node>,
    voter: VoterId,
    first: NodeId,
) -> impl FnMut() -> NodeId + 'a {
    move || pattern.map_or(first, |pattern| servers.add(pattern.twin(), voter))
}
