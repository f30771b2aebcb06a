//! Several clients and several servers under one virtual time. The servers carry out the exclusive scripts.

use std::collections::BTreeMap;

use redlatch::{ConnectionId, Duration, Endpoint, Engine, Event, HandleId, Instant, NodeId, Policy, Request};

use super::{Command, HELLO_MAP, Seeded, at, ms, read_commands};

/// How a server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Up,
    /// Refuses connections.
    Down,
    /// Takes connections and bytes, and does nothing.
    Hung,
    /// Answers after that many ms.
    Slow(u64),
    /// Answers every script with an error.
    Refusing,
}

/// A server: keys with their tokens and the ends of their leases.
#[derive(Debug)]
pub struct Server {
    pub mode: Mode,
    pub keys: BTreeMap<String, (String, Instant)>,
    /// Whether the next reply is lost, though what was asked is done.
    pub loses_reply: bool,
    pub commands: usize,
}

impl Server {
    fn owner(&self, key: &str, now: Instant) -> Option<&(String, Instant)> {
        self.keys.get(key).filter(|(_, until)| *until > now)
    }

    pub fn holds(&self, key: &str, now: Instant) -> Option<&str> {
        self.owner(key, now).map(|(token, _)| token.as_str())
    }

    fn carry_out(&mut self, command: &Command, now: Instant) -> String {
        self.commands += 1;
        if command.name() == "HELLO" {
            return HELLO_MAP.to_owned();
        }
        if command.name() == "SUBSCRIBE" {
            return "-NOPERM no channels here\r\n".to_owned();
        }
        if self.mode == Mode::Refusing {
            return "-LOADING Redis is loading the dataset in memory\r\n".to_owned();
        }
        let token = &command.arguments()[1];
        let locks = match command.name() {
            "exclusive_acquire" => command.keys().len() / 3,
            _ => command.keys().len() / 2,
        };
        let keys = &command.keys()[..locks];
        let lease = || now.after(ms(command.arguments()[2].parse().unwrap()));
        let ours = |server: &Self, key: &String| server.holds(key, now) == Some(token);
        match command.name() {
            "exclusive_acquire" => {
                let foreign =
                    keys.iter().filter(|key| !ours(self, key)).filter_map(|key| self.owner(key, now));
                if let Some(until) = foreign.map(|(_, until)| *until).max() {
                    return command.taken(i64::try_from(until.since(now).as_millis()).unwrap().max(1));
                }
                for key in keys {
                    let until = lease().max(self.owner(key, now).map_or(now, |(_, until)| *until));
                    self.keys.insert(key.clone(), (token.clone(), until));
                }
                command.granted(now.as_micros())
            }
            "exclusive_extend" => {
                if !keys.iter().all(|key| ours(self, key)) {
                    return command.number(0);
                }
                for key in keys {
                    let until = lease().max(self.keys[key].1);
                    self.keys.insert(key.clone(), (token.clone(), until));
                }
                command.number(1)
            }
            "exclusive_release" => {
                let mine: Vec<_> = keys.iter().filter(|key| ours(self, key)).cloned().collect();
                for key in &mine {
                    self.keys.remove(key);
                }
                command.number(mine.len() as u64)
            }
            other => panic!("{other}"),
        }
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
    connections: BTreeMap<ConnectionId, NodeId>,
    pub heard: Vec<Event>,
}

pub struct World {
    pub now: Instant,
    pub servers: Vec<Server>,
    pub clients: Vec<Client>,
    /// The names of all commands in the order in which clients wrote them.
    pub written: Vec<String>,
    /// By time of arrival, then in the order sent.
    parcels: BTreeMap<(Instant, u64), (usize, ConnectionId, Parcel)>,
    sent: u64,
}

impl World {
    pub fn new(servers: usize, clients: usize, policy: &Policy) -> Self {
        let server = || Server { mode: Mode::Up, keys: BTreeMap::new(), loses_reply: false, commands: 0 };
        let client = |seed| {
            let mut engine = Engine::new(policy.clone(), Seeded(seed));
            for _ in 0..servers {
                engine.add_node(Endpoint::default());
            }
            Client { engine, connections: BTreeMap::new(), heard: Vec::new() }
        };
        Self {
            now: at(1_000_000),
            servers: std::iter::repeat_with(server).take(servers).collect(),
            clients: (0..clients).map(|n| client(n as u64 + 1)).collect(),
            written: Vec::new(),
            parcels: BTreeMap::new(),
            sent: 0,
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

    /// What the client heard since the last call.
    pub fn heard(&mut self, client: usize) -> Vec<Event> {
        std::mem::take(&mut self.clients[client].heard)
    }

    /// Runs until the client hears something; what, and how long it took.
    pub fn next_event(&mut self, client: usize, within: Duration) -> Option<(Event, Duration)> {
        let (begun, end) = (self.now, self.now.after(within));
        loop {
            if !self.clients[client].heard.is_empty() {
                return Some((self.clients[client].heard.remove(0), self.now.since(begun)));
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

    /// What a server keeps for this key at this time.
    pub fn holders(&self, key: &str) -> Vec<Option<&str>> {
        self.servers.iter().map(|server| server.holds(key, self.now)).collect()
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
        let Some(&node) = self.clients[client].connections.get(&id) else { return };
        let engine = &mut self.clients[client].engine;
        match parcel {
            Parcel::Connected => engine.handle_connected(id, self.now),
            Parcel::Refused => {
                self.clients[client].connections.remove(&id);
                self.clients[client].engine.handle_closed(id, "connect ECONNREFUSED", self.now);
            }
            Parcel::ToClient(bytes) => engine.handle_bytes(id, &bytes, self.now),
            Parcel::ToServer(bytes) => {
                let server = &mut self.servers[node.0 as usize];
                let delay = match server.mode {
                    Mode::Hung => return,
                    Mode::Down => return self.post(ms(0), client, id, Parcel::Refused),
                    Mode::Slow(millis) => ms(millis),
                    Mode::Up | Mode::Refusing => ms(1),
                };
                let commands = read_commands(&bytes);
                let replies: Vec<_> =
                    commands.iter().map(|command| server.carry_out(command, self.now)).collect();
                if std::mem::take(&mut server.loses_reply) {
                    return;
                }
                for reply in replies {
                    self.post(delay, client, id, Parcel::ToClient(reply.into_bytes()));
                }
                return;
            }
        }
        self.drain(client);
    }

    fn drain(&mut self, client: usize) {
        while let Some(event) = self.clients[client].engine.poll_event(self.now) {
            self.clients[client].heard.push(event);
        }
        while let Some(id) = self.clients[client].engine.poll_close() {
            self.clients[client].connections.remove(&id);
        }
        while let Some((node, id)) = self.clients[client].engine.poll_connect() {
            self.clients[client].connections.insert(id, node);
            let refused = self.servers[node.0 as usize].mode == Mode::Down;
            self.post(ms(1), client, id, if refused { Parcel::Refused } else { Parcel::Connected });
        }
        while let Some((id, bytes)) = self.clients[client].engine.poll_transmit() {
            self.written.extend(read_commands(&bytes).iter().map(|command| command.name().to_owned()));
            self.post(ms(1), client, id, Parcel::ToServer(bytes));
        }
    }
}
