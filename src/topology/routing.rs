//! Which server has a lock, where that may change.

use super::{
    Address, Cluster, Deployment, Placed, Redirected, Slot, Slots, Topology, VOTER, learning::learn,
    sentinel::Sentinels, slots::Route,
};
use crate::{
    error::NodeError,
    id::NodeId,
    node::{Endpoint, Node, Tag},
    script::LockKeys,
    time::Duration,
};

impl Topology {
    /// From now on the servers are the seeds of one cluster, which announces them with these addresses. False if an
    /// address is odd, or if there is not one for each server.
    pub(crate) fn form_cluster(&mut self, addresses: &str) -> bool {
        let lines = addresses.as_bytes().split(|&byte| byte == b'\n');
        let addresses: Option<Vec<Address>> = lines.map(Address::read).collect();
        match addresses {
            Some(addresses) if !addresses.is_empty() && addresses.len() == self.servers.len() => {
                self.deployment = Deployment::Cluster(Box::new(Cluster::new(addresses)));
                self.servers.iter_mut().for_each(Node::join_cluster);
                self.pattern = self.servers.peek(VOTER).map(Node::twin);
                true
            }
            _ => false,
        }
    }

    /// From now on the servers are the sentinels of the master with this name, and whichever server they name has the locks.
    /// The client logs in to it as `master` says.
    pub(crate) fn follow_sentinels(
        &mut self,
        name: &str,
        master: Endpoint,
        connect_timeout: Duration,
        replicas: u32,
    ) {
        self.servers.iter_mut().for_each(Node::become_sentinel);
        self.deployment = Deployment::Sentinel(Box::new(Sentinels::new(name, self.servers.len())));
        self.pattern = Some(Node::new(master, connect_timeout, replicas));
    }

    /// The address of a server of a cluster, or of a master, as it was announced.
    pub(crate) fn address(&self, node: NodeId) -> Option<String> {
        self.deployment.address(node)
    }

    /// The server that a node of the placement stands for, for a lock with these keys. `None` if it is not known.
    pub(crate) fn serving(&self, node: NodeId, keys: &LockKeys) -> Option<&Node> {
        self.servers.peek(self.server_of(node, keys)?)
    }

    /// Lets that server be dialled at once, whatever the backoff.
    pub(crate) fn allow_dial(&mut self, node: NodeId, keys: &LockKeys) {
        if let Some(server) = self.server_of(node, keys).and_then(|server| self.get(server)) {
            server.allow_dial();
        }
    }

    fn server_of(&self, node: NodeId, keys: &LockKeys) -> Option<NodeId> {
        if self.is_routed() { self.route_of(keys).map(|route| route.node) } else { Some(node) }
    }

    fn route_of(&self, keys: &LockKeys) -> Option<Route> {
        self.deployment.route(Slot::of(keys))
    }

    /// Whether the lock is on this server, which is a node of its placement, or stands for one.
    pub(crate) fn is_on(&self, server: NodeId, spec: &impl Placed) -> bool {
        let is_routed = self.is_routed();
        spec.placement().nodes().any(|node| match is_routed {
            true => self.route_of(spec.keys_of(node)).is_some_and(|route| route.node == server),
            false => node == server,
        })
    }

    pub(crate) const fn is_cluster(&self) -> bool {
        matches!(self.deployment, Deployment::Cluster(_))
    }

    /// Whether the server of a lock may become another one.
    pub(crate) const fn is_routed(&self) -> bool {
        self.deployment.is_routed()
    }

    /// Whether the server that answers is still the one that was to be asked. The answer of a former one does not count: it
    /// may not know yet that it was replaced.
    pub(crate) fn is_current(&self, tag: Tag, keys: &LockKeys) -> bool {
        !self.is_routed() || self.route_of(keys).is_some_and(|route| route.epoch == tag.epoch)
    }

    /// Whether a lock has keys in one of the slots.
    pub(crate) fn is_in(&self, spec: &impl Placed, slots: &[Slots]) -> bool {
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
        let Self { deployment: Deployment::Cluster(cluster), servers, pattern, .. } = self else {
            return None;
        };
        let intern = |_| learn(servers, pattern.as_ref());
        cluster.redirect(from, keys.map(Slot::of), error, tag.epoch, intern)
    }

    /// What is known of where locks are may be wrong.
    pub(crate) fn want_news(&mut self) {
        self.deployment.want();
    }

    /// Whether a server is of use, as far as is known.
    pub(crate) fn serves(&self, node: NodeId) -> bool {
        self.deployment.serves(node)
    }

    /// The server cannot be reached. Another one may have its locks now. `needed` says whether anything waits for it.
    pub(crate) fn lost(&mut self, node: NodeId, error: &NodeError, needed: bool) {
        self.deployment.lose(node, error, needed);
    }

    /// Whether the server is a sentinel.
    pub(crate) fn is_sentinel(&self, node: NodeId) -> bool {
        matches!(&self.deployment, Deployment::Sentinel(sentinels) if sentinels.is_sentinel(node))
    }

    /// The master that sentinels name, if it may be connected to.
    pub(crate) fn master(&self) -> Option<NodeId> {
        let Deployment::Sentinel(sentinels) = &self.deployment else { return None };
        sentinels.route().filter(|_| !sentinels.is_in_doubt()).map(|route| route.node)
    }

    /// Whether the server may be connected to without a command: a master only once the sentinels were asked.
    pub(crate) fn may_redial(&self, node: NodeId) -> bool {
        !matches!(self.deployment, Deployment::Sentinel(_)) || self.master() == Some(node)
    }

    /// Whether an idle connection to the server is to be kept: that of a sentinel as long as the master's, for its announcements.
    pub(crate) fn keeps(&self, node: NodeId) -> bool {
        let is_ready = |master| self.servers.peek(master).is_some_and(Node::is_ready);
        self.is_sentinel(node) && self.master().is_some_and(is_ready)
    }
}
