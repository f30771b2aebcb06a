//! An engine with one server, for targets that need no more than one conversation.

use redlatch::{
    ConnectionId, Duration, Endpoint, Engine, Entropy, EntropyUnavailable, Event, Instant, Policy, Request,
};

use super::reference::{self, Value};

#[path = "../../support/seeded.rs"]
mod seeded;
pub use seeded::Seeded;

pub const HELLO_MAP: &[u8] = b"%1\r\n$5\r\nproto\r\n:3\r\n";

/// The commands in what was written, as their arguments.
pub fn commands(mut bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut commands = Vec::new();
    while !bytes.is_empty() {
        let read = reference::read(bytes).expect("whole commands are written");
        bytes = &bytes[read.bytes..];
        let Value::Array(arguments) = read.value else { panic!("no command: {:?}", read.value) };
        let argument = |value| match value {
            Value::Bulk(argument) => argument,
            other => panic!("no argument: {other:?}"),
        };
        commands.push(arguments.into_iter().map(argument).collect());
    }
    commands
}

/// One attempt at these keys with a lease of 10 s.
pub fn one_try(keys: Vec<Vec<u8>>) -> Request {
    Request {
        keys,
        token: None,
        ttl: Duration::from_millis(10_000),
        wait: Duration::ZERO,
        renew: false,
        max_hold: Duration::MAX,
        fair: false,
        adopt: false,
    }
}

/// An engine and its one connection.
pub struct Probe {
    pub engine: Engine<Seeded>,
    pub now: Instant,
    connection: Option<ConnectionId>,
}

impl Probe {
    pub fn new(endpoint: Endpoint) -> Self {
        let mut engine = Engine::new(Policy::default(), Seeded(7));
        engine.add_node(endpoint);
        Self { engine, now: Instant::from_micros(1_000_000), connection: None }
    }

    /// Makes the connection that was asked for.
    pub fn connect(&mut self) {
        let (_, id) = self.engine.poll_connect().expect("a connection is asked for");
        self.engine.handle_connected(id, self.now);
        self.connection = Some(id);
    }

    /// Makes the connection and goes through the handshake; wake-ups are denied.
    pub fn greet(&mut self) {
        self.connect();
        self.reply(HELLO_MAP);
        self.reply(b"-NOPERM no channels\r\n");
    }

    pub fn reply(&mut self, bytes: &[u8]) {
        self.engine.handle_bytes(self.connection.expect("a connection"), bytes, self.now);
    }

    /// What was written since the last call, but for the handshake.
    pub fn scripts(&mut self) -> Vec<Vec<Vec<u8>>> {
        let written: Vec<u8> =
            std::iter::from_fn(|| self.engine.poll_transmit()).flat_map(|(_, bytes)| bytes).collect();
        let mut commands = commands(&written);
        commands.retain(|command| command[0].starts_with(b"EVAL"));
        commands
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.engine.poll_event(self.now)).collect()
    }
}
