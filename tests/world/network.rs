//! Clients and memory servers under one virtual time, with links that delay and fail.

use std::collections::BTreeMap;

use redlatch::{
    ConnectionId, Duration, Endpoint, Engine, Event, HandleId, Instant, NodeId, Policy, Request,
    memory::{Server as MemoryServer, SessionId, Trouble, User},
};

use crate::{
    memory::{administer, holder, load_scripts},
    world::{Command, Output, Seeded, at, ms, next_output, read_commands},
};

/// How a server behaves, and the links to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Up,
    /// Refuses connections.
    Down,
    /// Answers no attempt to connect.
    Unreachable,
    /// Accepts connections and bytes, and does nothing.
    Hung,
    /// Replies after that many ms.
    Slow(u64),
    /// Replies to every script with an error that is transient.
    Refusing,
}

pub struct Server {
    memory: MemoryServer,
    pub mode: Mode,
    /// Whether the next reply is lost, though the command was carried out.
    pub loses_reply: bool,
    /// Commands that arrived.
    pub commands: usize,
}

impl Server {
    /// A server that knows all scripts and denies channels.
    fn new(now: Instant) -> Self {
        let mut memory = MemoryServer::new();
        load_scripts(&mut memory, now);
        memory.set_user(b"default", User::new().without_channels());
        Self { memory, mode: Mode::Up, loses_reply: false, commands: 0 }
    }

    /// The token that holds a key.
    pub fn holder(&self, key: &str, now: Instant) -> Option<&str> {
        let token = holder(self.memory.database(0)?, key.as_bytes(), now.as_micros() / 1000)?;
        Some(std::str::from_utf8(token).unwrap())
    }

    /// Another client takes a key.
    pub fn take(&mut self, key: &str, token: &str, lease: Duration, now: Instant) {
        administer(&mut self.memory, &["SET", key, token, "PX", &lease.as_millis().to_string()], now);
    }

    /// Loses all keys.
    pub fn clear(&mut self) {
        self.memory.flush();
    }

    pub fn flush_scripts(&mut self) {
        self.memory.flush_scripts();
    }

    fn carry_out(&mut self, session: SessionId, bytes: &[u8], now: Instant) -> Vec<u8> {
        self.memory.set_trouble((self.mode == Mode::Refusing).then_some(Trouble::Loading));
        self.memory.receive(session, bytes, now);
        self.memory.take_output(session)
    }
}

/// Bytes on their way, or news of a connection.
#[derive(Debug)]
enum Parcel {
    Connected,
    Refused,
    ToServer(Vec<u8>),
    ToClient(Vec<u8>),
}

pub struct Client {
    pub engine: Engine<Seeded>,
    /// Open connections, each with the server's number for it.
    links: BTreeMap<ConnectionId, (NodeId, SessionId)>,
    events: Vec<Event>,
}

pub struct Network {
    pub now: Instant,
    pub servers: Vec<Server>,
    pub clients: Vec<Client>,
    /// Every command in the order in which clients wrote them.
    pub written: Vec<Command>,
    /// By time of arrival, then in the order sent.
    parcels: BTreeMap<(Instant, u64), (usize, ConnectionId, Parcel)>,
    sent: u64,
    sessions: u64,
}

impl Network {
    pub fn new(servers: usize, clients: usize, policy: &Policy) -> Self {
        let now = at(1_000_000);
        let client = |seed| {
            let mut engine = Engine::new(policy.clone(), Seeded(seed));
            for _ in 0..servers {
                engine.add_node(Endpoint::default());
            }
            Client { engine, links: BTreeMap::new(), events: Vec::new() }
        };
        Self {
            now,
            servers: std::iter::repeat_with(|| Server::new(now)).take(servers).collect(),
            clients: (0..clients).map(|n| client(n as u64 + 1)).collect(),
            written: Vec::new(),
            parcels: BTreeMap::new(),
            sent: 0,
            sessions: 0,
        }
    }

    pub fn acquire(&mut self, client: usize, request: Request) -> HandleId {
        let lock = self.clients[client].engine.acquire(request, self.now).unwrap();
        self.drain(client);
        lock
    }

    pub fn extend(&mut self, client: usize, lock: HandleId, ttl: Duration) {
        self.clients[client].engine.extend(lock, ttl, self.now);
        self.drain(client);
    }

    pub fn release(&mut self, client: usize, lock: HandleId) {
        self.clients[client].engine.release(lock, self.now);
        self.drain(client);
    }

    /// Closes a client, under whose locks nothing runs.
    pub fn close(&mut self, client: usize) {
        self.clients[client].engine.close(&[], self.now);
        self.drain(client);
    }

    /// The connections to servers that are down or unreachable end.
    pub fn cut(&mut self) {
        for client in 0..self.clients.len() {
            let links = self.clients[client].links.iter();
            let is_gone =
                |node: NodeId| matches!(self.servers[node.0 as usize].mode, Mode::Down | Mode::Unreachable);
            let gone: Vec<_> = links.filter(|(_, (node, _))| is_gone(*node)).map(|(&id, _)| id).collect();
            for id in gone {
                self.deliver(client, id, Parcel::Refused);
            }
        }
    }

    /// The client's events since the last call.
    pub fn events(&mut self, client: usize) -> Vec<Event> {
        std::mem::take(&mut self.clients[client].events)
    }

    /// Runs until the client has an event; that one, and how long it took.
    pub fn next_event(&mut self, client: usize, within: Duration) -> Option<(Event, Duration)> {
        let (begun, end) = (self.now, self.now.after(within));
        loop {
            if !self.clients[client].events.is_empty() {
                return Some((self.clients[client].events.remove(0), self.now.since(begun)));
            }
            if !self.step(end) {
                return None;
            }
        }
    }

    pub fn run_for(&mut self, span: Duration) {
        let end = self.now.after(span);
        while self.step(end) {}
    }

    /// The tokens that hold this key, server by server.
    pub fn holders(&self, key: &str) -> Vec<Option<&str>> {
        self.servers.iter().map(|server| server.holder(key, self.now)).collect()
    }

    /// The next thing that happens up to `end`; false if there is none.
    pub fn step(&mut self, end: Instant) -> bool {
        let parcel = self.parcels.keys().next().map(|&(when, _)| when);
        let timers =
            self.clients.iter().enumerate().filter_map(|(n, c)| c.engine.poll_timeout().map(|t| (t, n)));
        let timer = timers.min();
        match (parcel, timer) {
            (Some(when), timer) if when <= end && timer.is_none_or(|(at, _)| when <= at) => {
                self.now = self.now.max(when);
                let (_, (client, id, parcel)) = self.parcels.pop_first().unwrap();
                self.deliver(client, id, parcel);
                true
            }
            (_, Some((at, client))) if at <= end => {
                self.now = self.now.max(at);
                self.clients[client].engine.handle_timeout(self.now);
                self.drain(client);
                true
            }
            _ => {
                self.now = end;
                false
            }
        }
    }

    fn post(&mut self, delay: Duration, client: usize, id: ConnectionId, parcel: Parcel) {
        self.sent += 1;
        self.parcels.insert((self.now.after(delay), self.sent), (client, id, parcel));
    }

    fn deliver(&mut self, client: usize, id: ConnectionId, parcel: Parcel) {
        let Some(&(node, session)) = self.clients[client].links.get(&id) else { return };
        let server = &mut self.servers[node.0 as usize];
        let engine = &mut self.clients[client].engine;
        match parcel {
            Parcel::Connected => {
                server.memory.connect(session);
                engine.handle_connected(id, self.now);
            }
            Parcel::Refused => {
                server.memory.disconnect(session);
                engine.handle_closed(id, "connect ECONNREFUSED", self.now);
                self.clients[client].links.remove(&id);
            }
            Parcel::ToClient(bytes) => engine.handle_bytes(id, &bytes, self.now),
            Parcel::ToServer(bytes) => return self.arrive(client, id, node, session, &bytes),
        }
        self.drain(client);
    }

    /// Bytes arrive at a server, which replies.
    fn arrive(&mut self, client: usize, id: ConnectionId, node: NodeId, session: SessionId, bytes: &[u8]) {
        let server = &mut self.servers[node.0 as usize];
        server.commands += read_commands(bytes).len();
        let delay = match server.mode {
            Mode::Hung | Mode::Unreachable => return,
            Mode::Down => return self.post(ms(0), client, id, Parcel::Refused),
            Mode::Slow(millis) => ms(millis),
            Mode::Up | Mode::Refusing => ms(1),
        };
        let reply = server.carry_out(session, bytes, self.now);
        if !std::mem::take(&mut server.loses_reply) {
            self.post(delay, client, id, Parcel::ToClient(reply));
        }
    }

    fn drain(&mut self, client: usize) {
        while let Some(output) = next_output(&mut self.clients[client].engine, self.now) {
            match output {
                Output::Event(event) => self.clients[client].events.push(event),
                Output::Close(id) => {
                    if let Some((node, session)) = self.clients[client].links.remove(&id) {
                        self.servers[node.0 as usize].memory.disconnect(session);
                    }
                }
                Output::Connect(node, id) => {
                    self.sessions += 1;
                    self.clients[client].links.insert(id, (node, SessionId(self.sessions)));
                    match self.servers[node.0 as usize].mode {
                        Mode::Unreachable => {}
                        Mode::Down => self.post(ms(1), client, id, Parcel::Refused),
                        _ => self.post(ms(1), client, id, Parcel::Connected),
                    }
                }
                Output::Transmit(id, bytes) => {
                    self.written.extend(read_commands(&bytes));
                    self.post(ms(1), client, id, Parcel::ToServer(bytes));
                }
            }
        }
    }
}
