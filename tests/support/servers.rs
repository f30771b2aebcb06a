//! An engine with several servers, whose answers a test gives one by one. At one time: the test's own.

use redlatch::{ConnectionId, Endpoint, Engine, NodeId, Policy};

use super::{Command, HELLO_MAP, Seeded, at, read_commands};

/// Several servers, which the test plays.
pub struct Servers {
    pub engine: Engine<Seeded>,
    /// Those that were made.
    pub connections: Vec<(NodeId, ConnectionId)>,
}

impl Servers {
    pub fn new(count: u32) -> Self {
        let mut engine = Engine::new(Policy::default(), Seeded(1));
        for _ in 0..count {
            engine.add_node(Endpoint::default());
        }
        Self { engine, connections: Vec::new() }
    }

    /// Makes the first `count` of the connections that are asked for, and answers the handshake there.
    pub fn greet(&mut self, count: usize) {
        while let Some((node, id)) = self.engine.poll_connect() {
            if self.connections.len() < count {
                self.connections.push((node, id));
                self.engine.handle_connected(id, at(0));
            }
        }
        for answer in [HELLO_MAP, "-NOPERM No permissions to access a channel\r\n"] {
            self.commands();
            for (node, _) in self.connections.clone() {
                self.reply(node, answer);
            }
        }
    }

    pub fn commands(&mut self) -> Vec<(ConnectionId, Command)> {
        let mut commands = Vec::new();
        while let Some((id, bytes)) = self.engine.poll_transmit() {
            commands.extend(read_commands(&bytes).into_iter().map(|command| (id, command)));
        }
        commands
    }

    pub fn reply(&mut self, node: NodeId, bytes: impl AsRef<[u8]>) {
        let &(_, id) = self.connections.iter().find(|&&(other, _)| other == node).unwrap();
        self.engine.handle_bytes(id, bytes.as_ref(), at(0));
    }
}
