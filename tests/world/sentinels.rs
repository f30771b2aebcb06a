//! Sentinels, the servers that they watch, and one client, in memory.

use std::ops::{Deref, DerefMut};

use redlatch::{Endpoint, Engine, Policy, memory::Server};

use crate::{
    deployment::{Deployment, FIRST_PORT},
    world::Seeded,
};

/// The name of the master.
const NAME: &str = "mymaster";
const HOST: &str = "10.0.0.1";

/// The first server is the master, the others are its replicas. The sentinels come behind them.
pub struct Sentinels {
    deployment: Deployment,
    servers: usize,
}

impl Deref for Sentinels {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.deployment
    }
}

impl DerefMut for Sentinels {
    fn deref_mut(&mut self) -> &mut Deployment {
        &mut self.deployment
    }
}

impl Sentinels {
    /// A client that knows all sentinels.
    pub fn new(servers: usize, sentinels: usize) -> Self {
        Self::with(servers, sentinels, &Policy::default())
    }

    /// The same with other settings.
    pub fn with(servers: usize, sentinels: usize, policy: &Policy) -> Self {
        let mut engine = Engine::new(policy.clone(), Seeded(42));
        for _ in 0..sentinels {
            engine.add_node(Endpoint::default());
        }
        assert!(engine.follow_sentinels(NAME, sentinels as u32, Endpoint::default()));
        let server = |me| {
            let mut memory = Server::new();
            if me >= servers {
                memory.watch(NAME, HOST, FIRST_PORT);
            } else {
                memory.set_replica(me > 0);
            }
            memory
        };
        let mut deployment = Deployment::new(engine, (0..servers + sentinels).map(server));
        deployment.without_address = sentinels;
        Self { deployment, servers }
    }

    /// The number of a sentinel among the servers.
    pub const fn sentinel(&self, number: usize) -> usize {
        self.servers + number
    }

    /// A server becomes a master, with the keys that `from` has now. That one may take itself for a master still.
    pub fn promote(&mut self, server: usize, from: usize) {
        let copied = self.nodes[from].memory.clone();
        self.nodes[server].memory.copy_keys(&copied);
        self.nodes[server].memory.set_replica(false);
    }

    /// A sentinel names this server from now on, and announces it.
    pub fn announce(&mut self, sentinel: usize, server: usize) {
        let node = self.sentinel(sentinel);
        self.nodes[node].memory.switch(NAME, HOST, FIRST_PORT + server as u16);
        self.deliver(node);
    }

    /// A sentinel names this server from now on, and does not announce it.
    pub fn name(&mut self, sentinel: usize, server: usize) {
        let node = self.sentinel(sentinel);
        self.nodes[node].memory.watch(NAME, HOST, FIRST_PORT + server as u16);
    }
}
