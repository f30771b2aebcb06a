//! The servers of an engine, and the connections that the driver has to make and to close.

mod placement;

use std::rc::Rc;

use crate::{
    entropy::{Entropy, EntropyUnavailable, hex},
    error::Cause,
    id::{ConnectionId, NodeId},
    node::{Asked, Command, Endpoint, News, Node, NodeSnapshot, Tag},
    script::{MARK, fence_counter},
    time::{Duration, Instant},
};

pub(crate) use placement::{DIAL_PATIENCE, Placement};

/// All servers of an engine. A lock asks the topology for its [`Placement`], and knows nothing else about it.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Topology {
    list: Vec<Node>,
    last_connection: u32,
    connects: Vec<(NodeId, ConnectionId)>,
    closes: Vec<ConnectionId>,
    /// Whether bytes may wait that should be sent early.
    is_half_full: bool,
    /// The prefix of keys and channels.
    prefix: Rc<[u8]>,
    /// The fence counter of a server that is no cluster.
    counter: Rc<[u8]>,
    /// The client's id, to which wake-ups are addressed: 64 random bits in hexadecimal, drawn for the first lock.
    client: Vec<u8>,
}

impl Topology {
    /// No servers yet. All keys and channels begin with `prefix`.
    pub(crate) fn new(prefix: &Rc<[u8]>) -> Self {
        Self { prefix: Rc::clone(prefix), counter: fence_counter(prefix).into(), ..Self::default() }
    }

    /// The fence counter of a server that is no cluster.
    pub(crate) fn counter(&self) -> Rc<[u8]> {
        Rc::clone(&self.counter)
    }

    /// `replicas` of it must confirm what it grants.
    pub(crate) fn add(&mut self, endpoint: Endpoint, connect_timeout: Duration, replicas: u32) -> NodeId {
        self.list.push(Node::new(endpoint, connect_timeout, replicas));
        NodeId(u32::try_from(self.list.len().saturating_sub(1)).unwrap_or(u32::MAX))
    }

    pub(crate) fn client(&self) -> &[u8] {
        &self.client
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
        let channel = [&*self.prefix, MARK, b"wake:", &self.client].concat();
        let news = self.list.get_mut(Self::index(of))?.connected(id, channel, entropy, now)?;
        Some((of, news))
    }

    pub(crate) fn inspect(&self) -> Vec<NodeSnapshot> {
        self.list.iter().map(Node::inspect).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.list.len()
    }

    /// The placement of a lock: all nodes, whatever its keys. `None` if there are no nodes.
    pub(crate) fn placement(&self) -> Option<Placement> {
        match u32::try_from(self.list.len()) {
            Ok(0) => None,
            Ok(1) => Some(Placement::Single(NodeId(0))),
            several => Some(Placement::Majority(several.unwrap_or(u32::MAX))),
        }
    }

    fn index(node: NodeId) -> usize {
        usize::try_from(node.0).unwrap_or(usize::MAX)
    }

    pub(crate) fn get(&mut self, node: NodeId) -> Option<&mut Node> {
        self.list.get_mut(Self::index(node))
    }

    pub(crate) fn iter(&mut self) -> impl Iterator<Item = (NodeId, &mut Node)> {
        (0..).map(NodeId).zip(&mut self.list)
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
        let Self { list, last_connection, connects, .. } = self;
        let dial = || dial(node, last_connection, connects);
        let news = list.get_mut(Self::index(node))?.closed(id, cause, reason, dial, entropy, now)?;
        Some((node, news))
    }

    pub(crate) fn ask(&mut self, node: NodeId, tag: Tag, command: &Command<'_>, now: Instant) -> Asked {
        let Self { list, last_connection, connects, .. } = self;
        let Some(server) = list.get_mut(Self::index(node)) else {
            return Asked::Waiting;
        };
        let dial = || dial(node, last_connection, connects);
        let asked = server.ask(tag, command, dial, now);
        self.is_half_full |= server.is_half_full();
        asked
    }

    /// Connects to a node again without a command, if that is wanted and the backoff allows it.
    pub(crate) fn redial(&mut self, node: NodeId, now: Instant) {
        let Self { list, last_connection, connects, .. } = self;
        if let Some(server) = list.get_mut(Self::index(node)) {
            server.redial(|| dial(node, last_connection, connects), now);
        }
    }

    /// The node whose present connection this is. `None` if the connection was given up.
    pub(crate) fn of(&self, id: ConnectionId) -> Option<NodeId> {
        let index = self.list.iter().position(|node| node.id() == Some(id))?;
        u32::try_from(index).ok().map(NodeId)
    }

    /// Asks the driver to close a connection. If the driver has not polled the request to make it, that request is
    /// removed instead.
    pub(crate) fn close(&mut self, id: ConnectionId) {
        match self.connects.iter().position(|&(_, wanted)| wanted == id) {
            Some(index) => drop(self.connects.remove(index)),
            None => self.closes.push(id),
        }
    }

    pub(crate) fn poll_connect(&mut self) -> Option<(NodeId, ConnectionId)> {
        (!self.connects.is_empty()).then(|| self.connects.remove(0))
    }

    pub(crate) fn poll_close(&mut self) -> Option<ConnectionId> {
        (!self.closes.is_empty()).then(|| self.closes.remove(0))
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        self.is_half_full = false;
        self.list.iter_mut().find_map(Node::poll_transmit)
    }

    /// Whether [`poll_early_transmit`](Self::poll_early_transmit) returns something.
    pub(crate) const fn is_half_full(&self) -> bool {
        self.is_half_full
    }

    /// The same, for a server that has nothing to do, and for which enough commands wait.
    pub(crate) fn poll_early_transmit(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        if !self.is_half_full {
            return None;
        }
        let early = self.list.iter_mut().filter(|node| node.is_half_full()).find_map(Node::poll_transmit);
        self.is_half_full = self.list.iter().any(Node::is_half_full);
        early
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

/// Requests a connection, and returns its number.
fn dial(node: NodeId, last: &mut u32, connects: &mut Vec<(NodeId, ConnectionId)>) -> ConnectionId {
    *last = last.wrapping_add(1);
    connects.push((node, ConnectionId(*last)));
    ConnectionId(*last)
}
