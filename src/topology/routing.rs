//! Which server has a lock, where that may change.

use super::{
    Address, Cluster, Deployment, Placed, Redirected, Slot, Slots, Topology, VoterId, learning::intern,
    place, sentinel::Sentinels, slots::Route, voter::Voter,
};
use crate::{
    error::NodeError,
    id::NodeId,
    node::{Endpoint, Node, Tag},
    script::LockKeys,
    time::Duration,
};

impl Topology {
    /// From now on the last servers that were added are the seeds of one cluster, which announces them with these addresses.
    /// False if an address is odd, or if there are more addresses than such servers that belong to no other group.
    pub(crate) fn form_cluster(&mut self, addresses: &str) -> bool {
        let lines = addresses.as_bytes().split(|&byte| byte == b'\n');
        let addresses: Option<Vec<Address>> = lines.map(Address::read).collect();
        let Some(addresses) = addresses else { return false };
        let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let Some(voter) = self.group(count, Node::join_cluster) else { return false };
        let seeds = (voter.first.0..).map(NodeId).zip(addresses).collect();
        let pattern = self.servers.peek(voter.first).map(Node::twin);
        self.voters.push(voter.of(Deployment::Cluster(Box::new(Cluster::new(seeds))), pattern));
        true
    }

    /// From now on the last `count` servers that were added are sentinels of the master with this name, and whichever server
    /// they name has the locks. The client logs in to it as `master` says. False if there are not as many servers that
    /// belong to no other group.
    pub(crate) fn follow_sentinels(
        &mut self,
        name: &str,
        count: u32,
        master: Endpoint,
        connect_timeout: Duration,
        replicas: u32,
    ) -> bool {
        let Some(voter) = self.group(count, Node::become_sentinel) else { return false };
        let sentinels = Sentinels::new(name, voter.first, count);
        let master = Node::new(master, connect_timeout, replicas);
        self.voters.push(voter.of(Deployment::Sentinel(Box::new(sentinels)), Some(master)));
        true
    }

    /// Takes the last `count` voters away, if each of them is a single server. Returns the first of them, to which all these
    /// servers belong from now on.
    fn group(&mut self, count: u32, prepare: fn(&mut Node)) -> Option<Voter> {
        let place = self.voters.len().checked_sub(usize::try_from(count).ok()?)?;
        let last = self.voters.get(place..)?;
        if last.is_empty() || last.iter().any(|voter| voter.deployment.is_routed()) {
            return None;
        }
        self.voters.truncate(place.saturating_add(1));
        let voter = self.voters.pop()?;
        self.servers.group(voter.first, voter.id, prepare);
        Some(voter)
    }

    /// The address of a server of a cluster, or of a master, as it was announced.
    pub(crate) fn address(&self, node: NodeId) -> Option<String> {
        self.voter_of(node)?.deployment.address(node).map(Address::text)
    }

    /// The voter of a server.
    fn voter_of(&self, server: NodeId) -> Option<&Voter> {
        self.voters.get(self.servers.voter_of(server).place())
    }

    /// The voter to which a server belongs.
    pub(crate) fn voter_id(&self, server: NodeId) -> VoterId {
        self.servers.voter_of(server)
    }

    /// The first server of a voter, for which locks wait as long as it is not known which one has them.
    pub(crate) fn first_of(&self, voter: VoterId) -> NodeId {
        self.voter(voter.node()).map_or(NodeId(0), |voter| voter.first)
    }

    /// The voter for which a node of a placement stands.
    fn voter(&self, node: NodeId) -> Option<&Voter> {
        self.voters.get(place(node, &self.voters))
    }

    /// The server that a node of the placement stands for, for a lock with these keys. `None` if it is not known.
    pub(crate) fn serving(&self, node: NodeId, keys: &LockKeys) -> Option<&Node> {
        self.servers.peek(self.server_of(node, || Slot::of(keys))?)
    }

    /// Lets that server be dialled at once, whatever the backoff.
    pub(crate) fn allow_dial(&mut self, node: NodeId, keys: &LockKeys) {
        if let Some(server) = self.server_of(node, || Slot::of(keys)).and_then(|server| self.get(server)) {
            server.allow_dial();
        }
    }

    /// The server that a node of a placement stands for, for keys in this slot. `None` if it is not known.
    pub(super) fn server_of(&self, node: NodeId, slot: impl FnOnce() -> Slot) -> Option<NodeId> {
        let Voter { first, deployment, .. } = self.voter(node)?;
        if deployment.is_routed() { deployment.route(slot()).map(|route| route.node) } else { Some(*first) }
    }

    /// Whether the server has the lock, as one for which a node of its placement stands.
    pub(crate) fn is_on(&self, server: NodeId, spec: &impl Placed) -> bool {
        let is_there = |node| self.server_of(node, || Slot::of(spec.keys_of(node))) == Some(server);
        spec.placement().nodes().any(is_there)
    }

    /// Whether a voter is a cluster.
    pub(crate) fn has_cluster(&self) -> bool {
        self.voters.iter().any(|voter| matches!(voter.deployment, Deployment::Cluster(_)))
    }

    /// Whether a server is one of several votes by itself.
    pub(crate) fn votes_alone(&self, server: NodeId) -> bool {
        self.has_several_votes() && !self.is_routed(self.voter_id(server).node())
    }

    /// Whether the server for which a node of a placement stands may become another one.
    pub(crate) fn is_routed(&self, node: NodeId) -> bool {
        self.voter(node).is_some_and(|voter| voter.deployment.is_routed())
    }

    /// Whether the server that answers is still the one that was to be asked, and its vote counts. The answer of a former one
    /// does not: it may not know yet that it was replaced.
    pub(crate) fn is_current(&self, tag: Tag, keys: &LockKeys) -> bool {
        self.voter(tag.node).is_none_or(|voter| {
            let is_route = |route: Route| route.epoch == tag.epoch;
            !voter.deployment.is_routed()
                || voter.refusal().is_none() && voter.deployment.route(Slot::of(keys)).is_some_and(is_route)
        })
    }

    /// Whether a lock has keys in one of these slots. Among several votes, it has the same keys at each.
    pub(crate) fn is_in(spec: &impl Placed, slots: &[Slots]) -> bool {
        spec.placement().nodes().any(|node| {
            let slot = Slot::of(spec.keys_of(node));
            slots.iter().any(|&(first, last)| first <= slot && slot <= last)
        })
    }

    /// What an error of a server of a cluster says about where the lock's slot is. `None` if it is no redirect. What a former
    /// server says changes nothing. `keys` are those of the lock, unless it is over.
    pub(crate) fn redirect(
        &mut self,
        from: NodeId,
        tag: Tag,
        keys: Option<&LockKeys>,
        error: &NodeError,
    ) -> Option<Redirected> {
        let (voter, servers) = self.voter_of_mut(from)?;
        let &mut Voter { deployment: Deployment::Cluster(ref mut cluster), ref pattern, id, first, .. } =
            voter
        else {
            return None;
        };
        let intern = intern(servers, pattern.as_ref(), id, first);
        cluster.redirect(from, keys.map(Slot::of), error, tag.epoch, intern)
    }

    /// A server of a cluster says that its map has changed, or cannot be used. What is known of where locks are may be wrong.
    /// False if the server belongs to no cluster.
    pub(crate) fn want_map(&mut self, from: NodeId) -> bool {
        match self.voter_of_mut(from) {
            Some((Voter { deployment: Deployment::Cluster(cluster), .. }, _)) => {
                cluster.want();
                true
            }
            _ => false,
        }
    }

    /// Whether a server is of use, as far as is known.
    pub(crate) fn serves(&self, node: NodeId) -> bool {
        self.voter_of(node).is_some_and(|voter| voter.deployment.serves(node))
    }

    /// The server cannot be reached. Another one may have its locks now. `needed` says whether anything waits for it.
    pub(crate) fn lost(&mut self, node: NodeId, error: &NodeError, needed: bool) {
        if let Some((voter, _)) = self.voter_of_mut(node) {
            voter.deployment.lose(node, error, needed);
        }
    }

    /// Whether the server is a sentinel.
    pub(crate) fn is_sentinel(&self, node: NodeId) -> bool {
        self.sentinels_of(node).is_some_and(|sentinels| sentinels.is_sentinel(node))
    }

    fn sentinels_of(&self, server: NodeId) -> Option<&Sentinels> {
        match &self.voter_of(server)?.deployment {
            Deployment::Sentinel(sentinels) => Some(sentinels),
            _ => None,
        }
    }

    /// The master that the sentinels of this voter name, if it may be connected to.
    pub(crate) fn master(&self, voter: VoterId) -> Option<NodeId> {
        match &self.voter(voter.node())?.deployment {
            Deployment::Sentinel(sentinels) => sentinels.master(),
            _ => None,
        }
    }

    /// Whether the server may be connected to without a command: a master only once the sentinels were asked.
    pub(crate) fn may_redial(&self, node: NodeId) -> bool {
        self.sentinels_of(node).is_none_or(|sentinels| sentinels.master() == Some(node))
    }

    /// Whether an idle connection to the server is to be kept: that of a sentinel as long as the master's, for its announcements.
    pub(crate) fn keeps(&self, node: NodeId) -> bool {
        let Some(sentinels) = self.sentinels_of(node) else { return false };
        let is_ready = |master| self.servers.peek(master).is_some_and(Node::is_ready);
        sentinels.is_sentinel(node) && sentinels.master().is_some_and(is_ready)
    }
}
