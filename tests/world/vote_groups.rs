//! Three votes in memory, and one client: a server, a master with a replica and a sentinel, and a cluster of two masters.

use std::ops::{Deref, DerefMut};

use redlatch::{Endpoint, Engine, Policy, memory::Server};

use crate::{
    cluster::{name, server, slot_of},
    deployment::{Deployment, FIRST_PORT, Node},
    world::Seeded,
};

const NAME: &str = "mymaster";
const HOST: &str = "10.0.0.1";

/// The masters of the cluster.
pub const CLUSTER: [usize; 2] = [0, 1];
pub const MASTER: usize = 2;
pub const REPLICA: usize = 3;
pub const SERVER: usize = 4;
pub const SENTINEL: usize = 5;

/// The servers of three votes, and one client.
pub struct VoteGroups(Deployment);

impl Deref for VoteGroups {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.0
    }
}

impl DerefMut for VoteGroups {
    fn deref_mut(&mut self) -> &mut Deployment {
        &mut self.0
    }
}

impl VoteGroups {
    pub fn new() -> Self {
        let mut engine = Engine::new(Policy::default(), Seeded(42));
        engine.add_node(Endpoint::default());
        engine.add_node(Endpoint::default());
        assert!(engine.follow_sentinels(NAME, 1, Endpoint::default()));
        engine.add_node(Endpoint::default());
        assert!(engine.form_cluster("10.0.0.1:7000"));
        let other = |me| {
            let mut memory = Server::new();
            match me {
                SENTINEL => memory.watch(NAME, HOST, FIRST_PORT + MASTER as u16),
                _ => memory.set_replica(me == REPLICA),
            }
            memory
        };
        let servers = CLUSTER.map(|me| server(me, CLUSTER.len(), CLUSTER.len()));
        let mut deployment =
            Deployment::new(engine, servers.into_iter().chain((MASTER..=SENTINEL).map(other)));
        // The sentinel, and the server before it.
        deployment.without_address = 2;
        Self(deployment)
    }

    /// A client that knows the two masters of the cluster as two clusters, and a server.
    pub fn same_clusters() -> Self {
        let mut groups = Self::new();
        let mut engine = Engine::new(Policy::default(), Seeded(42));
        engine.add_node(Endpoint::default());
        for seed in ["10.0.0.1:7000", "10.0.0.1:7001"] {
            engine.add_node(Endpoint::default());
            assert!(engine.form_cluster(seed));
        }
        groups.engine = engine;
        groups
    }

    /// A client that asks the sentinel for one master twice, and knows a server.
    pub fn same_masters() -> Self {
        let mut groups = Self::new();
        let mut engine = Engine::new(Policy::default(), Seeded(42));
        engine.add_node(Endpoint::default());
        for _ in 0..2 {
            engine.add_node(Endpoint::default());
            assert!(engine.follow_sentinels(NAME, 1, Endpoint::default()));
        }
        let sentinel = groups.nodes[SENTINEL].memory.clone();
        groups.nodes.push(Node::new(sentinel));
        groups.without_address = 3;
        groups.engine = engine;
        groups
    }

    /// The replica is the master from now on, without its keys, and the sentinel announces it.
    pub fn switch(&mut self) {
        self.nodes[REPLICA].memory.set_replica(false);
        self.nodes[SENTINEL].memory.switch(NAME, HOST, FIRST_PORT + REPLICA as u16);
        self.deliver(SENTINEL);
    }

    /// In the views of both masters of the cluster, one of them has a key's slot. The keys stay where they are.
    pub fn set_owner(&mut self, key: &str, owner: usize) {
        for view in CLUSTER {
            let view = self.nodes[view].memory.cluster_mut().unwrap();
            view.set_owner(slot_of(key)..=slot_of(key), Some(name(owner)));
        }
    }

    /// The servers that have a key.
    pub fn holders(&self, key: &str) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&node| self.holder(node, key).is_some()).collect()
    }
}
