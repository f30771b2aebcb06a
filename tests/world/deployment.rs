//! Servers and one client in memory, in virtual time: bytes arrive at once, unless a server is stopped.

use std::collections::BTreeMap;

use redlatch::{
    ConnectionId, Duration, Engine, Event, HandleId, Instant, NodeId, Request,
    memory::{Server, SessionId},
};

use crate::{
    memory::holder,
    world::{Output, Seeded, at, next_output, request, split_words},
};

/// Where the ports of the servers begin.
pub const FIRST_PORT: u16 = 7000;

/// How a node behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Up,
    /// Refuses connections, and has ended those that there were.
    Down,
    /// Accepts bytes, and answers them when it goes on.
    Stopped,
    /// Answers no attempt to connect, and has ended the connections that there were.
    Gone,
}

pub struct Node {
    pub memory: Server,
    mode: Mode,
    /// The bytes that wait for it to go on.
    inbox: Vec<(ConnectionId, SessionId, Vec<u8>)>,
    /// The names and keys of the commands that arrived.
    pub heard: Vec<Vec<String>>,
    /// How many connections were made to it.
    pub dialled: usize,
}

impl Node {
    /// A server in memory.
    pub fn new(memory: Server) -> Self {
        Self { memory, mode: Mode::Up, inbox: Vec::new(), heard: Vec::new(), dialled: 0 }
    }
}

/// Servers, and one client.
pub struct Deployment {
    pub now: Instant,
    pub nodes: Vec<Node>,
    pub engine: Engine<Seeded>,
    links: BTreeMap<ConnectionId, (usize, SessionId)>,
    events: Vec<Event>,
    /// Addresses that were dialled and are no node's.
    pub strangers: Vec<String>,
    sessions: u64,
    /// How many servers the engine knows without an address.
    pub without_address: usize,
}

impl Deployment {
    /// Servers at consecutive ports, from [`FIRST_PORT`] on. Those that the engine knows without an address are the last ones.
    pub fn new(engine: Engine<Seeded>, servers: impl Iterator<Item = Server>) -> Self {
        Self {
            now: at(1000),
            nodes: servers.map(Node::new).collect(),
            engine,
            links: BTreeMap::new(),
            events: Vec::new(),
            strangers: Vec::new(),
            sessions: 0,
            without_address: 0,
        }
    }

    pub fn acquire(&mut self, request: Request) -> HandleId {
        let lock = self.engine.acquire(request, self.now).unwrap();
        self.drain();
        lock
    }

    /// Acquires a lock, which is granted at once.
    pub fn hold(&mut self, request: Request) -> HandleId {
        let lock = self.acquire(request);
        let events = self.events();
        assert!(matches!(events[..], [Event::Granted { .. }]), "{events:?}");
        lock
    }

    /// Acquires a lock and releases it, so that the client is connected to the server that has it.
    pub fn visit(&mut self, key: &str) {
        let lock = self.hold(request(key));
        self.release(lock);
        self.events();
    }

    pub fn release(&mut self, lock: HandleId) {
        self.engine.release(lock, self.now);
        self.drain();
    }

    pub fn cancel(&mut self, lock: HandleId) {
        self.engine.cancel(lock, self.now);
        self.drain();
    }

    pub fn verify(&mut self, lock: HandleId) {
        self.engine.verify(lock, self.now);
        self.drain();
    }

    /// The token that holds a key on a node.
    pub fn holder(&self, node: usize, key: &str) -> Option<String> {
        let keys = self.nodes[node].memory.database(0)?;
        holder(keys, key.as_bytes(), self.now.as_micros() / 1000)
            .map(|token| String::from_utf8_lossy(token).into())
    }

    /// How many connections there are to a server.
    pub fn connections_to(&self, node: usize) -> usize {
        self.links.values().filter(|link| link.0 == node).count()
    }

    /// The client's events since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The names of the commands that arrived at a node since the last call, without those of the handshake.
    pub fn heard(&mut self, node: usize) -> Vec<String> {
        let heard = std::mem::take(&mut self.nodes[node].heard);
        heard
            .into_iter()
            .map(|words| words[0].clone())
            .filter(|name| name != "HELLO" && name != "SUBSCRIBE")
            .collect()
    }

    /// Lets time pass.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now.after(span);
        while let Some(due) = self.engine.poll_timeout().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    pub fn stop(&mut self, node: usize) {
        self.nodes[node].mode = Mode::Stopped;
    }

    pub fn kill(&mut self, node: usize) {
        self.end(node, Mode::Down);
    }

    /// As after [`kill`](Self::kill), but attempts to connect get no answer.
    pub fn vanish(&mut self, node: usize) {
        self.end(node, Mode::Gone);
    }

    fn end(&mut self, node: usize, mode: Mode) {
        self.nodes[node].mode = mode;
        self.nodes[node].inbox.clear();
        self.nodes[node].memory.restart(false);
        let gone: Vec<_> = self.links.iter().filter(|(_, link)| link.0 == node).map(|(&id, _)| id).collect();
        for id in gone {
            self.links.remove(&id);
            self.engine.handle_closed(id, "connection reset", self.now);
            self.drain();
        }
    }

    /// The node goes on, or is started again.
    pub fn resume(&mut self, node: usize) {
        self.nodes[node].mode = Mode::Up;
        for (id, session, bytes) in std::mem::take(&mut self.nodes[node].inbox) {
            self.arrive(id, node, session, bytes);
            self.drain();
        }
    }

    /// A message arrives at the client from this node.
    pub fn message(&mut self, node: usize, channel: &str, text: &str) {
        self.nodes[node].memory.deliver(channel.as_bytes(), text.as_bytes());
        self.deliver(node);
    }

    /// What a server has written without being asked arrives at the client.
    pub fn deliver(&mut self, node: usize) {
        let links: Vec<_> =
            self.links.iter().filter(|(_, link)| link.0 == node).map(|(&id, link)| (id, link.1)).collect();
        for (id, session) in links {
            let bytes = self.nodes[node].memory.take_output(session);
            self.engine.handle_bytes(id, &bytes, self.now);
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = next_output(&mut self.engine, self.now) {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Close(id) => {
                    if let Some((node, session)) = self.links.remove(&id) {
                        self.nodes[node].memory.disconnect(session);
                    }
                }
                Output::Connect(node, id) => self.dial(id, node),
                Output::Transmit(id, bytes) => {
                    let Some(&(node, session)) = self.links.get(&id) else { continue };
                    self.arrive(id, node, session, bytes);
                }
            }
        }
    }

    /// The server at an address. Those that the engine was given without one are the last ones, in the same order.
    fn server_at(&self, node: NodeId, address: Option<&str>) -> Option<usize> {
        let Some(address) = address else {
            return Some(self.nodes.len() - self.without_address + node.0 as usize);
        };
        let port: u16 = address.strip_prefix("10.0.0.1:")?.parse().unwrap();
        Some(usize::from(port.wrapping_sub(FIRST_PORT))).filter(|&node| node < self.nodes.len())
    }

    fn dial(&mut self, id: ConnectionId, node: NodeId) {
        let address = self.engine.address(node);
        let Some(node) = self.server_at(node, address.as_deref()) else {
            self.strangers.extend(address);
            return self.engine.handle_closed(id, "connect ECONNREFUSED", self.now);
        };
        self.nodes[node].dialled += 1;
        match self.nodes[node].mode {
            Mode::Gone => {}
            Mode::Down => self.engine.handle_closed(id, "connect ECONNREFUSED", self.now),
            Mode::Up | Mode::Stopped => {
                self.sessions += 1;
                let session = SessionId(self.sessions);
                self.nodes[node].memory.connect(session);
                self.links.insert(id, (node, session));
                self.engine.handle_connected(id, self.now);
            }
        }
    }

    /// Bytes arrive at a node, which answers if it goes on.
    fn arrive(&mut self, id: ConnectionId, node: usize, session: SessionId, bytes: Vec<u8>) {
        let server = &mut self.nodes[node];
        if server.mode == Mode::Stopped {
            return server.inbox.push((id, session, bytes));
        }
        for (_, words) in split_words(&bytes) {
            server.heard.push(words.iter().map(|word| String::from_utf8_lossy(word).into()).collect());
        }
        server.memory.receive(session, &bytes, self.now);
        let reply = server.memory.take_output(session);
        if !reply.is_empty() {
            self.engine.handle_bytes(id, &reply, self.now);
        }
    }
}
