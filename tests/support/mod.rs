//! Both ends of a conversation: an engine under virtual time, and a server that says what the test says.
#![allow(dead_code, reason = "every test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::panic,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "tests may fail"
)]

mod seeded;
pub mod servers;
pub mod world;

use redis_protocol::resp2::{decode::decode, types::OwnedFrame};
use redlatch::{
    ConnectionId, Duration, EXCLUSIVE_ACQUIRE, EXCLUSIVE_EXTEND, EXCLUSIVE_RELEASE, Endpoint, Engine,
    Entropy, EntropyUnavailable, Event, FAIR_ACQUIRE, FAIR_RELEASE, HandleId, Instant, LockError, Policy,
    Request,
};

pub use seeded::Seeded;

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn at(millis: u64) -> Instant {
    Instant::default().after(ms(millis))
}

/// How an acquire failed, by an event that says so.
pub fn failure(event: Event) -> LockError {
    match event {
        Event::Failed { failure, .. } => failure,
        other => panic!("{other:?}"),
    }
}

/// A request for one key with a lease of 10 s and a wait of 5 s.
pub fn request(key: &str) -> Request {
    Request {
        keys: vec![key.as_bytes().to_vec()],
        token: None,
        ttl: ms(10_000),
        wait: ms(5000),
        renew: false,
        max_hold: Duration::MAX,
        fair: false,
        adopt: false,
    }
}

/// A request for a fair lock with a wait of a minute.
pub fn fair(key: &str) -> Request {
    Request { fair: true, wait: ms(60_000), ..request(key) }
}

/// A request for one attempt.
pub fn one_try(key: &str) -> Request {
    Request { wait: Duration::ZERO, ..request(key) }
}

/// A command as the server reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command(pub Vec<String>);

impl Command {
    /// The script's name, or the command's.
    pub fn name(&self) -> &str {
        let script = |source: &str| {
            let scripts =
                [&EXCLUSIVE_ACQUIRE, &EXCLUSIVE_EXTEND, &EXCLUSIVE_RELEASE, &FAIR_ACQUIRE, &FAIR_RELEASE];
            let found = scripts
                .into_iter()
                .find(|script| script.source == source || script.sha1 == source.as_bytes());
            found.map_or("unknown script", |script| script.name)
        };
        match self.0[0].as_str() {
            "EVALSHA" | "EVAL" => script(&self.0[1]),
            other => other,
        }
    }

    pub fn by_source(&self) -> bool {
        self.0[0] == "EVAL"
    }

    pub fn keys(&self) -> &[String] {
        &self.0[3..3 + self.0[2].parse::<usize>().unwrap()]
    }

    /// ARGV: the nonce, the token, ...
    pub fn arguments(&self) -> &[String] {
        &self.0[3 + self.keys().len()..]
    }

    pub fn granted(&self, fence: u64) -> String {
        let fence = fence.to_string();
        format!("*3\r\n${}\r\n{}\r\n:1\r\n${}\r\n{fence}\r\n", self.nonce().len(), self.nonce(), fence.len())
    }

    pub fn taken(&self, pttl: i64) -> String {
        format!("*3\r\n${}\r\n{}\r\n:0\r\n:{pttl}\r\n", self.nonce().len(), self.nonce())
    }

    pub fn number(&self, number: u64) -> String {
        format!("*2\r\n${}\r\n{}\r\n:{number}\r\n", self.nonce().len(), self.nonce())
    }

    pub fn nonce(&self) -> &str {
        &self.arguments()[0]
    }
}

/// The number of the waiter in whose name that asks.
pub fn number(command: &Command) -> &str {
    command.arguments()[3].split(':').nth(1).unwrap()
}

/// The commands in what a client wrote, as a server reads them, each with its bytes.
pub fn split_commands(mut bytes: &[u8]) -> Vec<(&[u8], Command)> {
    let mut commands = Vec::new();
    while !bytes.is_empty() {
        let (frame, used) = decode(bytes).unwrap().expect("whole commands");
        let OwnedFrame::Array(parts) = frame else { panic!("{frame:?}") };
        let text = |part: OwnedFrame| match part {
            OwnedFrame::BulkString(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("{other:?}"),
        };
        commands.push((&bytes[..used], Command(parts.into_iter().map(text).collect())));
        bytes = &bytes[used..];
    }
    commands
}

/// The commands in what a client wrote.
pub fn read_commands(bytes: &[u8]) -> Vec<Command> {
    split_commands(bytes).into_iter().map(|(_, command)| command).collect()
}

pub const HELLO_MAP: &str =
    "%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n$7\r\nmodules\r\n*0\r\n";

/// An engine with one server, which the test plays.
pub struct Client {
    pub engine: Engine<Seeded>,
    pub now: Instant,
    /// The connection, once asked for.
    pub connection: Option<ConnectionId>,
    pub closed: Vec<ConnectionId>,
}

impl Client {
    pub fn new() -> Self {
        Self::with(Policy::default(), Endpoint::default())
    }

    pub fn with(policy: Policy, endpoint: Endpoint) -> Self {
        let mut engine = Engine::new(policy, Seeded(42));
        engine.add_node(endpoint);
        Self { engine, now: at(1000), connection: None, closed: Vec::new() }
    }

    /// A client whose connection has been made and greeted, with nothing else going on.
    pub fn ready() -> Self {
        let mut client = Self::new();
        client.acquire(Request { wait: Duration::ZERO, ..request("warm-up") });
        client.greet();
        let acquire = client.command();
        client.reply(acquire.taken(1));
        assert!(matches!(client.event(), Event::Failed { .. }));
        assert_eq!(client.engine.busy(), 0);
        client
    }

    /// The same with wake-ups, and the channel on which they come.
    pub fn woken() -> (Self, String) {
        let mut client = Self::new();
        client.acquire(Request { wait: ms(0), ..request("warm-up") });
        let channel = client.greet_with_wakes();
        let acquire = client.command();
        client.reply(acquire.taken(1));
        client.events();
        assert_eq!(client.engine.busy(), 0);
        (client, channel)
    }

    /// Asks for a lock that another holds for a minute.
    pub fn wait_for(&mut self, request: Request) -> (HandleId, Command) {
        let lock = self.acquire(request);
        let acquire = self.command();
        self.reply(acquire.taken(60_000));
        (lock, acquire)
    }

    pub fn acquire(&mut self, request: Request) -> HandleId {
        self.engine.acquire(request, self.now).unwrap()
    }

    /// Makes the connection that was asked for and answers the handshake; wake-ups are denied.
    pub fn greet(&mut self) {
        self.greet_with("-NOPERM No permissions to access a channel\r\n");
    }

    /// The same, with wake-ups. Returns the channel on which they come.
    pub fn greet_with_wakes(&mut self) -> String {
        self.greet_with(">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n")
    }

    fn greet_with(&mut self, subscribed: &str) -> String {
        self.connect();
        assert_eq!(self.command().name(), "HELLO");
        self.reply(HELLO_MAP);
        let subscribe = self.command();
        assert_eq!(subscribe.name(), "SUBSCRIBE");
        self.reply(subscribed);
        subscribe.0[1].clone()
    }

    /// A message on the channel.
    pub fn message(&mut self, channel: &str, text: &str) {
        let push = format!(
            ">3\r\n$7\r\nmessage\r\n${}\r\n{channel}\r\n${}\r\n{text}\r\n",
            channel.len(),
            text.len()
        );
        self.reply(push);
    }

    pub fn connect(&mut self) {
        self.drain_connections();
        let id = self.connection.expect("a connection was asked for");
        self.engine.handle_connected(id, self.now);
    }

    pub fn drain_connections(&mut self) {
        while let Some(id) = self.engine.poll_close() {
            self.closed.push(id);
            if self.connection == Some(id) {
                self.connection = None;
            }
        }
        while let Some((_, id)) = self.engine.poll_connect() {
            self.connection = Some(id);
        }
    }

    /// What was sent since the last call.
    pub fn commands(&mut self) -> Vec<Command> {
        self.drain_connections();
        let mut commands = Vec::new();
        while let Some((id, bytes)) = self.engine.poll_transmit() {
            assert_eq!(Some(id), self.connection);
            commands.extend(read_commands(&bytes));
        }
        commands
    }

    /// The one command that was sent since the last call.
    pub fn command(&mut self) -> Command {
        let mut commands = self.commands();
        assert_eq!(commands.len(), 1, "{commands:?}");
        commands.remove(0)
    }

    pub fn reply(&mut self, bytes: impl AsRef<[u8]>) {
        let id = self.connection.expect("a connection");
        self.engine.handle_bytes(id, bytes.as_ref(), self.now);
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.engine.poll_event(self.now)).collect()
    }

    pub fn event(&mut self) -> Event {
        let mut events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    pub fn advance(&mut self, by: Duration) {
        self.now = self.now.after(by);
    }

    /// Lets time pass until the engine wants to be called, and calls it.
    pub fn advance_to_timeout(&mut self) {
        let next = self.engine.poll_timeout().expect("a timer");
        self.now = self.now.max(next);
        self.engine.handle_timeout(self.now);
    }

    /// Lets time pass until something is sent or is to be heard: the engine may want to be called for nothing.
    pub fn advance_to_action(&mut self) -> (Vec<Command>, Vec<Event>) {
        loop {
            self.advance_to_timeout();
            let happened = (self.commands(), self.events());
            if happened != (Vec::new(), Vec::new()) {
                return happened;
            }
        }
    }

    /// Lets time pass, calling the engine whenever it wants to be called.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now.after(span);
        while self.engine.poll_timeout().is_some_and(|next| next <= end) {
            self.advance_to_timeout();
        }
        self.now = end;
    }

    /// Takes `key` with fence 1 and answers the conversation.
    pub fn hold(&mut self, request: Request) -> HandleId {
        let lock = self.acquire(request);
        self.drain_connections();
        let command = self.command();
        self.reply(command.granted(1));
        let event = self.event();
        assert!(matches!(event, Event::Granted { lock: granted, .. } if granted == lock), "{event:?}");
        lock
    }
}
