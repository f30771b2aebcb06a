//! The topology of an engine: its servers, and which of them a lock asks.

mod address;
mod cluster;
mod cursor;
mod deployment;
mod learning;
mod listeners;
mod map;
mod news;
mod opinions;
mod placement;
mod redirect;
mod routing;
mod sentinel;
mod servers;
mod shard_channels;
mod slots;
mod voter;

use std::rc::Rc;

use crate::{
    entropy::{Entropy, EntropyUnavailable, hex},
    error::{Cause, NodeError},
    id::{ConnectionId, NodeId},
    node::{Asked, Command, Endpoint, News, Node, NodeSnapshot, Tag, unserved},
    script::fence_counter,
    time::{Duration, Instant},
};

use address::Address;
use cluster::Cluster;
pub(crate) use cluster::Redirected;
use deployment::Deployment;
use listeners::Listeners;
pub(crate) use news::RouteNews;
pub(crate) use placement::{DIAL_PATIENCE, Placed, Placement};
use servers::Servers;
pub(crate) use slots::{ALL_SLOTS, Slot, Slots};
use voter::Voter;
pub(crate) use voter::VoterId;

/// All servers of an engine. A lock asks the topology for its [`Placement`], and knows nothing else about it.
///
/// A cluster has one vote, and so has a master with its sentinels: to locks it is one node, which stands for whichever server
/// has them. If there is no other vote, a cluster is as many nodes as the keys of the lock have slots, each of which stands for
/// whichever server has that slot.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Topology {
    servers: Servers,
    /// In the order of their first servers.
    voters: Vec<Voter>,
    /// Those whose votes count no more, until that is reported.
    refused: Vec<VoterId>,
    /// The listening time for which news of where locks are is in the deadline queue.
    pub(crate) queued_at: Option<Instant>,
    /// The prefix of keys and channels.
    prefix: Rc<[u8]>,
    /// The fence counter of a server that is no cluster.
    counter: Rc<[u8]>,
    /// The client's id, to which wake-ups are addressed: 64 random bits in hexadecimal, drawn for the first lock.
    client: Vec<u8>,
    /// Whether a cluster publishes wake-ups on shard channels.
    sharded: bool,
    listeners: Listeners,
}

impl Topology {
    /// No servers yet. All keys and channels begin with `prefix`. `sharded` if wake-ups in a cluster are published on shard
    /// channels.
    pub(crate) fn new(prefix: &Rc<[u8]>, sharded: bool) -> Self {
        Self { prefix: Rc::clone(prefix), counter: fence_counter(prefix).into(), sharded, ..Self::default() }
    }

    /// The fence counter of a server that is no cluster.
    pub(crate) fn counter(&self) -> Rc<[u8]> {
        Rc::clone(&self.counter)
    }

    /// Adds a server with a vote of its own. `replicas` of it must confirm what it grants.
    pub(crate) fn add(&mut self, endpoint: Endpoint, connect_timeout: Duration, replicas: u32) -> NodeId {
        let voter = VoterId(u32::try_from(self.voters.len()).unwrap_or(u32::MAX));
        let server = self.servers.add(Node::new(endpoint, connect_timeout, replicas), voter);
        self.voters.push(Voter::new(voter, server));
        server
    }

    /// Draws the client's id, unless it was drawn before.
    pub(crate) fn identify(&mut self, entropy: &mut dyn Entropy) -> Result<(), EntropyUnavailable> {
        if self.client.is_empty() {
            let mut bits = [0; 8];
            entropy.fill(&mut bits)?;
            self.client = bits.into_iter().flat_map(hex).collect();
        }
        Ok(())
    }

    pub(crate) fn connected(
        &mut self,
        id: ConnectionId,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<(NodeId, News)> {
        let of = self.of(id)?;
        let channel = self.channel();
        let news = self.get(of)?.connected(id, channel, entropy, now)?;
        Some((of, news))
    }

    pub(crate) fn inspect(&self) -> Vec<NodeSnapshot> {
        self.servers.iter().map(Node::inspect).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.servers.len()
    }

    /// Whether several votes are counted.
    pub(crate) fn has_several_votes(&self) -> bool {
        self.voters.len() > 1
    }

    /// The placement of a lock: all voters, or the only one, or as many nodes as its keys have slots of a cluster. `None` if there
    /// are no servers.
    pub(crate) fn placement(&self, slots: usize) -> Option<Placement> {
        match u32::try_from(self.voters.len()) {
            Ok(0) => None,
            Ok(1) => {
                let several = u32::try_from(slots).ok().filter(|&slots| slots > 1);
                Some(several.map_or(Placement::Single(NodeId(0)), Placement::Slots))
            }
            several => Some(Placement::Majority(several.unwrap_or(u32::MAX))),
        }
    }

    pub(crate) fn get(&mut self, node: NodeId) -> Option<&mut Node> {
        self.servers.get(node)
    }

    /// The next server with which something was done since the last call that returned it.
    pub(crate) fn next_touched(&mut self) -> Option<(NodeId, &mut Node)> {
        self.servers.next_touched()
    }

    pub(crate) fn closed(
        &mut self,
        id: ConnectionId,
        cause: Cause,
        reason: &str,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<(NodeId, News)> {
        let node = self.of(id)?;
        let (server, dials) = self.servers.get_with_dials(node)?;
        let news = server.closed(id, cause, reason, || dials.dial(node), entropy, now)?;
        Some((node, news))
    }

    /// Sends a command to the server for which a node of the placement stands, or to the one `instead` to which it was
    /// redirected. Returns the server.
    pub(crate) fn ask(
        &mut self,
        node: NodeId,
        instead: Option<NodeId>,
        mut tag: Tag,
        command: &Command<'_>,
        now: Instant,
    ) -> (NodeId, Asked) {
        let place = place(node, &self.voters);
        let Some(voter) = self.voters.get_mut(place) else { return (node, Asked::Waiting) };
        let mut to = voter.first;
        if voter.deployment.is_routed() {
            if let Some(refusal) = voter.refusal() {
                return (to, Asked::Refused(refusal));
            }
            if voter.deployment.wait(tag.lock) {
                return (to, Asked::Waiting);
            }
            match voter.deployment.route(Slot::of(command.call.keys)) {
                Some(route) => {
                    tag.epoch = route.epoch;
                    to = instead.unwrap_or(route.node);
                }
                None => {
                    voter.deployment.want();
                    return (to, Asked::Refused(NodeError::Server(Rc::new(unserved()))));
                }
            }
        }
        let Some((server, dials)) = self.servers.get_with_dials(to) else {
            return (to, Asked::Waiting);
        };
        let asked = server.ask(tag, command, instead.is_some(), || dials.dial(to), now);
        self.servers.asked(to);
        if let Asked::Refused(_) = asked {
            voter.deployment.want();
        }
        (to, asked)
    }

    /// Connects to a node again without a command, if that is wanted and the backoff allows it.
    pub(crate) fn redial(&mut self, node: NodeId, now: Instant) {
        if let Some((server, dials)) = self.servers.get_with_dials(node) {
            server.redial(|| dials.dial(node), now);
        }
    }

    /// The node whose present connection this is. `None` if the connection was given up.
    pub(crate) fn of(&self, id: ConnectionId) -> Option<NodeId> {
        self.servers.of(id)
    }

    /// Asks the driver to close a connection. If the driver has not polled the request to make it, that request is
    /// removed instead.
    pub(crate) fn close(&mut self, id: ConnectionId) {
        self.servers.close(id);
    }

    pub(crate) fn poll_connect(&mut self) -> Option<(NodeId, ConnectionId)> {
        self.servers.poll_connect()
    }

    pub(crate) fn poll_close(&mut self) -> Option<ConnectionId> {
        self.servers.poll_close()
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        self.servers.poll_transmit()
    }

    /// Whether a server has much to do.
    pub(crate) const fn has_backlog(&self) -> bool {
        self.servers.has_backlog()
    }

    /// Whether [`poll_early_transmit`](Self::poll_early_transmit) returns something.
    pub(crate) const fn is_half_full(&self) -> bool {
        self.servers.is_half_full()
    }

    /// The same, for a server that has nothing to do, and for which enough commands wait.
    pub(crate) fn poll_early_transmit(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        self.servers.poll_early_transmit()
    }

    pub(crate) fn step(
        &mut self,
        id: ConnectionId,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<(NodeId, News)> {
        let node = self.of(id)?;
        let news = self.get(node)?.step(id, entropy, now)?;
        Some((node, news))
    }
}

/// The place of the voter for which a node of a placement stands. The nodes of several slots stand for the only one.
fn place(node: NodeId, voters: &[Voter]) -> usize {
    if voters.len() == 1 { 0 } else { usize::try_from(node.0).unwrap_or(usize::MAX) }
}
