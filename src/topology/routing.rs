//! The servers of a cluster: which of them serves a lock, and how the client learns of them.

use super::{Address, Cluster, MapNews, Placed, Redirected, Servers, Slot, Slots, Topology, VOTER, map};
use crate::{
    entropy::Entropy,
    error::{Cause, NodeError},
    id::NodeId,
    node::{Node, Tag},
    script::LockKeys,
    time::Instant,
};

impl Topology {
    /// From now on the servers are the seeds of one cluster, which announces them with these addresses. False if an
    /// address is odd, or if there is not one for each server.
    pub(crate) fn form_cluster(&mut self, addresses: &str) -> bool {
        let lines = addresses.as_bytes().split(|&byte| byte == b'\n');
        let addresses: Option<Vec<Address>> = lines.map(Address::read).collect();
        match addresses {
            Some(addresses) if !addresses.is_empty() && addresses.len() == self.servers.len() => {
                self.cluster = Some(Box::new(Cluster::new(addresses)));
                self.servers.iter_mut().for_each(Node::join_cluster);
                true
            }
            _ => false,
        }
    }

    /// The address of a server of a cluster, as the cluster announces it.
    pub(crate) fn address(&self, node: NodeId) -> Option<String> {
        self.cluster.as_ref()?.addresses().get(usize::try_from(node.0).ok()?).map(Address::text)
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
        match &self.cluster {
            Some(cluster) => cluster.route(Slot::of(keys)).map(|route| route.node),
            None => Some(node),
        }
    }

    /// Whether the lock is on this server, which is a node of its placement or has a slot of it.
    pub(crate) fn is_on(&self, server: NodeId, spec: &impl Placed) -> bool {
        match &self.cluster {
            Some(cluster) => spec.placement().nodes().any(|node| {
                let route = cluster.route(Slot::of(spec.keys_of(node)));
                route.is_some_and(|route| route.node == server)
            }),
            None => spec.placement().nodes().any(|node| node == server),
        }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.cluster.is_some()
    }

    /// Whether the server that answers is still the one that was to be asked. The answer of a former one does not count: it
    /// may not know yet that it was replaced.
    pub(crate) fn is_current(&self, tag: Tag, keys: &LockKeys) -> bool {
        self.cluster
            .as_ref()
            .is_none_or(|cluster| cluster.route(Slot::of(keys)).is_some_and(|route| route.epoch == tag.epoch))
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
        let Self { cluster, servers, .. } = self;
        let intern = |_| learn(servers);
        cluster.as_mut()?.redirect(from, keys.map(Slot::of), error, tag.epoch, intern)
    }

    /// A new map of the cluster is wanted, if there is one.
    pub(crate) fn want_map(&mut self) {
        if let Some(cluster) = &mut self.cluster {
            cluster.want();
        }
    }

    /// Whether a server has locks, as far as is known: each that is no part of a cluster, and those with slots.
    pub(crate) fn serves(&self, node: NodeId) -> bool {
        self.cluster.as_ref().is_none_or(|cluster| cluster.has_slots(node))
    }

    /// The server cannot be reached. A new map may name another one for its slots.
    pub(crate) fn lost(&mut self, node: NodeId) {
        if let Some(cluster) = self.cluster.as_mut().filter(|cluster| cluster.has_slots(node)) {
            cluster.lose(node);
        }
    }

    /// Asks a server for the map of the cluster, if one is wanted and it is time. `owed` says whether the application waits for
    /// anything.
    pub(crate) fn ask_for_map(
        &mut self,
        owed: bool,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<MapNews> {
        let Self { cluster, servers, .. } = self;
        let cluster = cluster.as_mut()?;
        if cluster.is_overdue(now) {
            let late = NodeError::connection(Cause::Unknown, "no answer to CLUSTER SLOTS in time");
            if let Some((locks, error)) = cluster.failed(&late, entropy, now) {
                return Some(MapNews::Unavailable(locks, error));
            }
        }
        let is_ready = |servers: &Servers, node| servers.peek(node).is_some_and(Node::is_ready);
        while let Some(node) = cluster.next(|node| is_ready(servers, node), owed, now) {
            let (server, dials) = servers.get_with_dials(node)?;
            let Err(error) = server.ask_for_map(|| dials.dial(node), now) else { return None };
            if let Some((locks, error)) = cluster.failed(&error, entropy, now) {
                return Some(MapNews::Unavailable(locks, error));
            }
        }
        None
    }

    /// The server is ready: it is asked for the map, if it was connected to for that.
    pub(crate) fn is_connected(&mut self, node: NodeId, now: Instant) {
        let Some(cluster) = &mut self.cluster else { return };
        cluster.found(node);
        if cluster.is_asked(node)
            && let Some(server) = self.get(node)
        {
            // It is ready, so nothing is dialled, and nothing refused.
            let _ = server.ask_for_map(|| crate::id::ConnectionId(0), now);
        }
    }

    /// A server answered with a map, or with something else.
    pub(crate) fn hear_map(
        &mut self,
        from: NodeId,
        reply: Result<Vec<u8>, NodeError>,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<MapNews> {
        let Self { cluster, servers, .. } = self;
        let cluster = cluster.as_mut().filter(|cluster| cluster.is_asked(from))?;
        let accepted = reply.map(|frame| {
            let shards = map::read(&frame)?;
            cluster.accept(from, shards, |_| learn(servers), entropy, now)
        });
        let refused = match accepted {
            Ok(Some((slots, locks))) => return Some(MapNews::Changed(slots, locks)),
            Ok(None) => NodeError::Protocol(NO_MAP.into()),
            Err(error) => error,
        };
        cluster.failed(&refused, entropy, now).map(|(locks, error)| MapNews::Unavailable(locks, error))
    }

    /// The connection to a server ended. If that server was asked for the map, the next one is asked.
    pub(crate) fn map_failed(
        &mut self,
        node: NodeId,
        error: &NodeError,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<MapNews> {
        let cluster = self.cluster.as_mut().filter(|cluster| cluster.is_asked(node))?;
        cluster.failed(error, entropy, now).map(|(locks, error)| MapNews::Unavailable(locks, error))
    }

    /// The cluster, with its deadline.
    pub(crate) fn cluster(&mut self) -> Option<&mut Cluster> {
        self.cluster.as_deref_mut()
    }
}

const NO_MAP: &str = "no map of this cluster: it is empty, odd, or that of another cluster";

/// Adds a server that the cluster has named. It is used as the seeds are.
fn learn(servers: &mut Servers) -> NodeId {
    match servers.peek(VOTER).map(Node::twin) {
        Some(twin) => servers.add(twin),
        None => VOTER,
    }
}
