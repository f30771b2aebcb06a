//! Clients and the nodes of a cluster in memory, in virtual time: bytes arrive at once, unless a node is stopped.

use std::collections::BTreeMap;

use redis_protocol::redis_keyslot;
use redlatch::{
    ConnectionId, Duration, Endpoint, Engine, Event, HandleId, Instant, Policy, Request,
    memory::{ClusterNode, ClusterView, NodeName, Server, SessionId},
};

use crate::{
    memory::holder,
    world::{Output, Seeded, at, next_output, request, split_words},
};

/// Where the ports of the nodes begin.
const FIRST_PORT: u16 = 7000;

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

/// A cluster, and one client.
pub struct Cluster {
    pub now: Instant,
    pub nodes: Vec<Node>,
    pub engine: Engine<Seeded>,
    links: BTreeMap<ConnectionId, (usize, SessionId)>,
    events: Vec<Event>,
    /// Addresses that were dialled and are no node's.
    pub strangers: Vec<String>,
    sessions: u64,
}

pub const fn name(node: usize) -> NodeName {
    NodeName(node as u64 + 1)
}

/// The slot of a lock's key.
pub fn slot_of(key: &str) -> u16 {
    redis_keyslot(key.as_bytes())
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
        let count = masters * (1 + replicas);
        let node = |me| {
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
            Node { memory, mode: Mode::Up, inbox: Vec::new(), heard: Vec::new(), dialled: 0 }
        };
        let mut engine = Engine::new(policy.clone(), Seeded(42));
        for _ in seeds.lines() {
            engine.add_node(Endpoint::default());
        }
        assert!(engine.form_cluster(seeds));
        Self {
            now: at(1000),
            nodes: (0..count).map(node).collect(),
            engine,
            links: BTreeMap::new(),
            events: Vec::new(),
            strangers: Vec::new(),
            sessions: 0,
        }
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
            let moving = self.nodes[from].memory.take_key(&key, self.now).unwrap();
            self.nodes[to].memory.put_key(moving, self.now);
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

    /// A message arrives at the client from this node.
    pub fn message(&mut self, node: usize, channel: &str, text: &str) {
        self.nodes[node].memory.deliver(channel.as_bytes(), text.as_bytes());
        self.flush(node);
    }

    /// What a node has to say without being asked arrives.
    pub fn flush(&mut self, node: usize) {
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
                Output::Connect(node, id) => {
                    let address = self.engine.address(node).unwrap();
                    self.dial(id, &address);
                }
                Output::Transmit(id, bytes) => {
                    let Some(&(node, session)) = self.links.get(&id) else { continue };
                    self.arrive(id, node, session, bytes);
                }
            }
        }
    }

    fn dial(&mut self, id: ConnectionId, address: &str) {
        let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
        let node = usize::from(port.wrapping_sub(FIRST_PORT));
        if node >= self.nodes.len() || !address.starts_with("10.0.0.1:") {
            self.strangers.push(address.to_owned());
        } else {
            self.nodes[node].dialled += 1;
            if self.nodes[node].mode == Mode::Gone {
                return;
            }
            if self.nodes[node].mode != Mode::Down {
                self.sessions += 1;
                let session = SessionId(self.sessions);
                self.nodes[node].memory.connect(session);
                self.links.insert(id, (node, session));
                return self.engine.handle_connected(id, self.now);
            }
        }
        self.engine.handle_closed(id, "connect ECONNREFUSED", self.now);
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
