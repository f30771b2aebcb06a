//! The servers, and the connections that the driver has to make and to close.
//!
//! Whatever is done with a server notes it, so that what follows costs the same beside many servers.

use crate::{
    id::{ConnectionId, NodeId},
    node::Node,
    topology::VoterId,
};

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Servers {
    list: Vec<Node>,
    /// The voter to which each belongs, by the same index.
    voters: Vec<VoterId>,
    /// Those whose deadlines may have changed, sorted.
    touched: Vec<NodeId>,
    /// Those that may have bytes to write, sorted.
    unsent: Vec<NodeId>,
    dials: Dials,
    closes: Vec<ConnectionId>,
    /// Whether bytes may wait that should be sent early.
    is_half_full: bool,
    /// Those with much to do, sorted.
    busy: Vec<NodeId>,
}

/// The connections that were requested.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Dials {
    /// The last connection of each server, sorted. Some may have ended.
    all: Vec<(ConnectionId, NodeId)>,
    last: u32,
    /// Those that the driver does not know of yet.
    connects: Vec<(NodeId, ConnectionId)>,
}

impl Dials {
    /// Requests a connection to this server, and returns its number.
    pub(super) fn dial(&mut self, node: NodeId) -> ConnectionId {
        self.last = self.last.wrapping_add(1);
        let id = ConnectionId(self.last);
        self.connects.push((node, id));
        self.all.retain(|&(_, each)| each != node);
        if let Err(place) = self.place(id) {
            self.all.insert(place, (id, node));
        }
        id
    }

    fn of(&self, id: ConnectionId) -> Option<NodeId> {
        self.place(id).ok().and_then(|place| self.all.get(place)).map(|&(_, node)| node)
    }

    fn place(&self, id: ConnectionId) -> Result<usize, usize> {
        self.all.binary_search_by_key(&id, |&(each, _)| each)
    }
}

impl Servers {
    pub(super) fn add(&mut self, server: Node, voter: VoterId) -> NodeId {
        self.list.push(server);
        self.voters.push(voter);
        NodeId(u32::try_from(self.list.len().saturating_sub(1)).unwrap_or(u32::MAX))
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Node> {
        self.list.iter()
    }

    /// The voter to which a server belongs.
    pub(super) fn voter_of(&self, server: NodeId) -> VoterId {
        self.voters.get(index(server)).copied().unwrap_or_default()
    }

    /// Prepares the servers from the `first` on, which belong to this voter from now on.
    pub(super) fn group(&mut self, first: NodeId, voter: VoterId, prepare: fn(&mut Node)) {
        self.list.iter_mut().skip(index(first)).for_each(prepare);
        self.voters.iter_mut().skip(index(first)).for_each(|of| *of = voter);
    }

    /// A server, to look at.
    pub(super) fn peek(&self, node: NodeId) -> Option<&Node> {
        self.list.get(index(node))
    }

    /// A server, to do something with it.
    pub(super) fn get(&mut self, node: NodeId) -> Option<&mut Node> {
        self.touch(node);
        self.list.get_mut(index(node))
    }

    /// A server, to do something with it that may need a new connection.
    pub(super) fn get_with_dials(&mut self, node: NodeId) -> Option<(&mut Node, &mut Dials)> {
        self.touch(node);
        Some((self.list.get_mut(index(node))?, &mut self.dials))
    }

    /// A command was added for this server, so it may be time to send it early.
    pub(super) fn asked(&mut self, node: NodeId) {
        self.is_half_full |= self.peek(node).is_some_and(Node::is_half_full);
    }

    fn touch(&mut self, node: NodeId) {
        // Mostly it was the last one, too.
        if self.touched.last() == Some(&node) && self.unsent.last() == Some(&node) {
            return;
        }
        for nodes in [&mut self.touched, &mut self.unsent] {
            if let Err(place) = nodes.binary_search(&node) {
                nodes.insert(place, node);
            }
        }
    }

    /// The server whose present connection this is. `None` if the connection was given up.
    pub(super) fn of(&self, id: ConnectionId) -> Option<NodeId> {
        let node = self.dials.of(id)?;
        (self.peek(node)?.id() == Some(id)).then_some(node)
    }

    /// The next server with which something was done since the last call that returned it.
    pub(super) fn next_touched(&mut self) -> Option<(NodeId, &mut Node)> {
        let node = self.touched.pop()?;
        Some((node, self.list.get_mut(index(node))?))
    }

    /// Asks the driver to close a connection. If the driver has not polled the request to make it, that request is
    /// removed instead.
    pub(super) fn close(&mut self, id: ConnectionId) {
        match self.dials.connects.iter().position(|&(_, wanted)| wanted == id) {
            Some(index) => drop(self.dials.connects.remove(index)),
            None => self.closes.push(id),
        }
    }

    pub(super) fn poll_connect(&mut self) -> Option<(NodeId, ConnectionId)> {
        (!self.dials.connects.is_empty()).then(|| self.dials.connects.remove(0))
    }

    pub(super) fn poll_close(&mut self) -> Option<ConnectionId> {
        (!self.closes.is_empty()).then(|| self.closes.remove(0))
    }

    pub(super) fn poll_transmit(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        self.is_half_full = false;
        while let Some(&node) = self.unsent.first() {
            if let Some(transmit) = self.list.get_mut(index(node)).and_then(Node::poll_transmit) {
                return Some(transmit);
            }
            self.unsent.remove(0);
            self.note_backlog(node);
        }
        None
    }

    fn note_backlog(&mut self, node: NodeId) {
        match (self.peek(node).is_some_and(Node::has_backlog), self.busy.binary_search(&node)) {
            (true, Err(place)) => self.busy.insert(place, node),
            (false, Ok(place)) => drop(self.busy.remove(place)),
            _ => {}
        }
    }

    /// Whether a server had much to do when [`poll_transmit`](Self::poll_transmit) returned `None`.
    pub(super) const fn has_backlog(&self) -> bool {
        !self.busy.is_empty()
    }

    /// Whether [`poll_early_transmit`](Self::poll_early_transmit) returns something.
    pub(super) const fn is_half_full(&self) -> bool {
        self.is_half_full
    }

    /// The same, for a server that has nothing to do, and for which enough commands wait.
    pub(super) fn poll_early_transmit(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        if !self.is_half_full {
            return None;
        }
        let Self { list, unsent, .. } = self;
        let is_half_full =
            |list: &[Node], node: NodeId| list.get(index(node)).is_some_and(Node::is_half_full);
        let first = unsent.iter().copied().find(|&node| is_half_full(list, node));
        let early = first.and_then(|node| list.get_mut(index(node))).and_then(Node::poll_transmit);
        self.is_half_full = unsent.iter().any(|&node| is_half_full(list, node));
        early
    }
}

fn index(node: NodeId) -> usize {
    usize::try_from(node.0).unwrap_or(usize::MAX)
}
