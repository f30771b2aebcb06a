use std::{collections::BTreeMap, ops::RangeInclusive};

use super::{
    node::{ClusterNode, NodeName},
    owners::Owners,
};

/// What one node knows of the cluster: the nodes, the owner of each slot, and which slots move from or to it.
///
/// ```
/// use redlatch::{Instant, memory::{ClusterNode, ClusterView, NodeName, Server}};
/// let (now, names, slot) = (Instant::from_micros(0), [NodeName(1), NodeName(2)], 7629);
/// let [mut source, mut target] = names.map(|me| {
///     let mut view = ClusterView::new(me);
///     for (name, port) in names.into_iter().zip([7001, 7002]) {
///         view.set_node(name, ClusterNode::new("10.0.0.1", port));
///     }
///     view.set_owner(0..=16_383, Some(names[0]));
///     let mut server = Server::new();
///     server.set_cluster(Some(view));
///     server
/// });
/// // A slot moves.
/// target.cluster_mut().unwrap().set_importing(slot, names[0]);
/// source.cluster_mut().unwrap().set_migrating(slot, names[1]);
/// for key in source.keys_in_slot(slot) {
///     if let Some(moving) = source.take_key(&key, now) {
///         target.put_key(moving, now);
///     }
/// }
/// for server in [&mut target, &mut source] {
///     server.cluster_mut().unwrap().set_owner(slot..=slot, Some(names[1]));
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClusterView {
    me: NodeName,
    nodes: BTreeMap<NodeName, ClusterNode>,
    owners: Owners,
    /// The slots that move away from this node, each with its target.
    migrating: BTreeMap<u16, NodeName>,
    /// The slots that move to this node, each with its source.
    importing: BTreeMap<u16, NodeName>,
    is_down: bool,
    /// The slots of this node that were given to a node since they were last asked for.
    lost: Vec<RangeInclusive<u16>>,
}

impl ClusterView {
    /// The view of the node `me`: it knows no node, not even its own address, and no slot is served.
    #[must_use]
    pub const fn new(me: NodeName) -> Self {
        Self {
            me,
            nodes: BTreeMap::new(),
            owners: Owners::new(),
            migrating: BTreeMap::new(),
            importing: BTreeMap::new(),
            is_down: false,
            lost: Vec::new(),
        }
    }

    /// Whose view this is.
    #[must_use]
    pub const fn me(&self) -> NodeName {
        self.me
    }

    /// Adds a node, or replaces what is known of it.
    pub fn set_node(&mut self, name: NodeName, node: ClusterNode) {
        self.nodes.insert(name, node);
    }

    /// What is known of a node.
    #[must_use]
    pub fn node(&self, name: NodeName) -> Option<&ClusterNode> {
        self.nodes.get(&name)
    }

    /// The node's master; `None` if it is a master. A node that becomes a replica closes the slots that move.
    pub fn set_master(&mut self, name: NodeName, master: Option<NodeName>) {
        if let Some(node) = self.nodes.get_mut(&name) {
            node.master = master;
        }
        if name == self.me && master.is_some() {
            self.migrating.clear();
            self.importing.clear();
        }
    }

    /// Whether this node is a replica.
    #[must_use]
    pub fn is_replica(&self) -> bool {
        self.nodes.get(&self.me).is_some_and(|node| node.master.is_some())
    }

    /// Makes a replica the master of its shard: it gets the slots of its master, which becomes a replica of it, and so do
    /// the other replicas.
    pub fn promote(&mut self, replica: NodeName) {
        let Some(master) = self.nodes.get(&replica).and_then(|node| node.master) else { return };
        if master == self.me {
            self.lost.extend(self.own_slots(0..=u16::MAX));
        }
        self.owners.replace(master, replica);
        let followers =
            self.nodes.iter().filter(|&(&name, node)| name == master || node.master == Some(master));
        for name in followers.map(|(&name, _)| name).collect::<Vec<_>>() {
            self.set_master(name, (name != replica).then_some(replica));
        }
    }

    /// Sets the owner of slots; with `None`, nobody serves them. As after CLUSTER SETSLOT NODE, a slot of this node has
    /// arrived, and another node's slot has left.
    pub fn set_owner(&mut self, slots: RangeInclusive<u16>, owner: Option<NodeName>) {
        let moved = if owner == Some(self.me) { &mut self.importing } else { &mut self.migrating };
        moved.retain(|slot, _| !slots.contains(slot));
        self.lost.extend(self.own_slots(slots.clone()));
        self.owners.set(slots, owner);
    }

    /// Those of the slots that this node owns.
    fn own_slots(&self, slots: RangeInclusive<u16>) -> Vec<RangeInclusive<u16>> {
        let own = self.owners.ranges().filter(|&(_, owner)| owner == self.me).map(|(own, _)| own);
        let both = own.map(|own| *own.start().max(slots.start())..=*own.end().min(slots.end()));
        both.filter(|both| !both.is_empty()).collect()
    }

    /// The slots that this node owned until they were last given to a node, maybe to itself. Subscriptions to their channels end.
    pub(crate) fn take_lost(&mut self) -> Vec<RangeInclusive<u16>> {
        core::mem::take(&mut self.lost)
    }

    /// The owner of a slot.
    #[must_use]
    pub fn owner(&self, slot: u16) -> Option<NodeName> {
        self.owners.of(slot)
    }

    /// The slot moves from this node to another from now on. Has no effect while another node owns the slot.
    pub fn set_migrating(&mut self, slot: u16, to: NodeName) {
        self.migrating.insert(slot, to);
    }

    /// The slot moves from another node to this one from now on.
    pub fn set_importing(&mut self, slot: u16, from: NodeName) {
        self.importing.insert(slot, from);
    }

    /// The target of a slot that moves away from this node.
    #[must_use]
    pub fn migrating(&self, slot: u16) -> Option<NodeName> {
        self.migrating.get(&slot).copied()
    }

    /// The source of a slot that moves to this node.
    #[must_use]
    pub fn importing(&self, slot: u16) -> Option<NodeName> {
        self.importing.get(&slot).copied()
    }

    /// The slot does not move any more.
    pub fn set_stable(&mut self, slot: u16) {
        self.migrating.remove(&slot);
        self.importing.remove(&slot);
    }

    /// Whether the cluster is down for this node: then it refuses commands with keys.
    pub const fn set_down(&mut self, is_down: bool) {
        self.is_down = is_down;
    }

    /// Whether the cluster is down for this node.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        self.is_down
    }

    /// The ranges of slots that are served, sorted, each with its owner.
    pub fn ranges(&self) -> impl Iterator<Item = (RangeInclusive<u16>, NodeName)> {
        self.owners.ranges()
    }

    /// What is known of the replicas of a node, by name.
    pub fn replicas(&self, of: NodeName) -> impl Iterator<Item = (NodeName, &ClusterNode)> {
        let replicas = self.nodes.iter().filter(move |(_, node)| node.master == Some(of));
        replicas.map(|(&name, node)| (name, node))
    }
}
