//! The nodes of a cluster in memory, and how it changes.

use std::ops::{Deref, DerefMut};

use redis_protocol::redis_keyslot;
use redlatch::{
    Endpoint, Engine, Policy,
    memory::{ClusterNode, ClusterView, NodeName, Server},
};

use crate::{
    deployment::{Deployment, FIRST_PORT, Node},
    world::Seeded,
};

pub const fn name(node: usize) -> NodeName {
    NodeName(node as u64 + 1)
}

/// The slot of a lock's key.
pub fn slot_of(key: &str) -> u16 {
    redis_keyslot(key.as_bytes())
}

/// A node of a cluster of `count`, the first of which are masters with equal shares of the slots.
pub fn server(me: usize, masters: usize, count: usize) -> Server {
    let mut view = ClusterView::new(name(me));
    for other in 0..count {
        let master = (other >= masters).then(|| name(other % masters));
        let port = FIRST_PORT + other as u16;
        view.set_node(name(other), ClusterNode { master, ..ClusterNode::new("10.0.0.1", port) });
    }
    for master in 0..masters {
        let first = |master: usize| (16_384 * master / masters) as u16;
        view.set_owner(first(master)..=first(master + 1) - 1, Some(name(master)));
    }
    let mut memory = Server::new();
    memory.set_cluster(Some(view));
    memory
}

/// A cluster, and one client.
pub struct Cluster(Deployment);

impl Deref for Cluster {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.0
    }
}

impl DerefMut for Cluster {
    fn deref_mut(&mut self) -> &mut Deployment {
        &mut self.0
    }
}

impl Cluster {
    /// Masters with equal shares of the slots, and `replicas` of each behind them. The client knows the first node.
    pub fn new(masters: usize, replicas: usize) -> Self {
        Self::with(masters, replicas, &Policy::default())
    }

    /// The same with other settings.
    pub fn with(masters: usize, replicas: usize, policy: &Policy) -> Self {
        Self::knowing("10.0.0.1:7000", masters, replicas, policy)
    }

    /// The same for a client that knows these servers, one per line.
    pub fn knowing(seeds: &str, masters: usize, replicas: usize, policy: &Policy) -> Self {
        let mut engine = Engine::new(policy.clone(), Seeded(42));
        for _ in seeds.lines() {
            engine.add_node(Endpoint::default());
        }
        assert!(engine.form_cluster(seeds));
        let count = masters * (1 + replicas);
        Self(Deployment::new(engine, (0..count).map(|me| server(me, masters, count))))
    }

    /// The node that has a key's slot, in its own view.
    pub fn owner(&self, key: &str) -> usize {
        let owns = |node: &Node| {
            let view = node.memory.cluster().unwrap();
            view.owner(slot_of(key)) == Some(view.me())
        };
        self.nodes.iter().position(owns).unwrap()
    }

    /// A name whose slot is on that node.
    pub fn key_on(&self, node: usize) -> String {
        (0..).map(|number| format!("key:{number}")).find(|key| self.owner(key) == node).unwrap()
    }

    /// In the views of these nodes, a key's slot has another owner.
    pub fn set_owner(&mut self, key: &str, owner: usize, views: &[usize]) {
        for &view in views {
            let view = self.nodes[view].memory.cluster_mut().unwrap();
            view.set_owner(slot_of(key)..=slot_of(key), Some(name(owner)));
        }
    }

    /// Moves a key's slot to another node, with its keys, at once.
    pub fn move_slot(&mut self, key: &str, to: usize) {
        let from = self.owner(key);
        self.begin_move(key, to);
        self.move_keys(key, from, to);
        self.set_owner(key, to, &(0..self.nodes.len()).collect::<Vec<_>>());
    }

    /// A key's slot begins to move to another node: no key has moved yet.
    pub fn begin_move(&mut self, key: &str, to: usize) {
        let from = self.owner(key);
        self.nodes[to].memory.cluster_mut().unwrap().set_importing(slot_of(key), name(from));
        self.nodes[from].memory.cluster_mut().unwrap().set_migrating(slot_of(key), name(to));
    }

    /// All keys of a key's slot move.
    pub fn move_keys(&mut self, key: &str, from: usize, to: usize) {
        for key in self.nodes[from].memory.keys_in_slot(slot_of(key)) {
            let now = self.now;
            let moving = self.nodes[from].memory.take_key(&key, now).unwrap();
            self.nodes[to].memory.put_key(moving, now);
        }
    }

    /// A replica takes over with the keys that its master has now, in the views of these nodes.
    pub fn promote(&mut self, replica: usize, master: usize, views: &[usize]) {
        let copied = self.nodes[master].memory.clone();
        self.nodes[replica].memory.copy_keys(&copied);
        for &view in views {
            self.nodes[view].memory.cluster_mut().unwrap().promote(name(replica));
        }
    }
}
