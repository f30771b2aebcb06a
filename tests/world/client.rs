//! An engine with one server, which the test plays.

use redlatch::{ConnectionId, Duration, Endpoint, Engine, Event, HandleId, Instant, Policy, Request};

use super::{Command, Output, Seeded, at, next_io, one_attempt, read_commands};

/// Replies of the handshake: to HELLO, and to SUBSCRIBE with and without the right to channels.
pub const HELLO_REPLY: &str =
    "%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n$7\r\nmodules\r\n*0\r\n";
pub const SUBSCRIBED: &str = ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n";
pub const NO_CHANNELS: &str = "-NOPERM No permissions to access a channel\r\n";

/// An engine with one server. Events are polled when the test asks for them, at the time it is then.
pub struct Client {
    pub engine: Engine<Seeded>,
    pub now: Instant,
    /// The newest connection that is not closed.
    pub connection: Option<ConnectionId>,
    pub closed: Vec<ConnectionId>,
    /// What the engine has written and the test has not read.
    written: Vec<u8>,
}

impl Client {
    pub fn new() -> Self {
        Self::with(Policy::default(), Endpoint::default())
    }

    pub fn with(policy: Policy, endpoint: Endpoint) -> Self {
        let mut engine = Engine::new(policy, Seeded(42));
        engine.add_node(endpoint);
        Self { engine, now: at(1000), connection: None, closed: Vec::new(), written: Vec::new() }
    }

    /// A client whose connection is made and greeted, and which is idle. Wake-ups are denied.
    pub fn ready() -> Self {
        let mut client = Self::new();
        client.warm_up(Self::greet);
        client
    }

    /// The same with wake-ups, and the channel on which they arrive.
    pub fn woken() -> (Self, String) {
        let mut client = Self::new();
        let channel = client.warm_up(Self::greet_with_wakes);
        (client, channel)
    }

    fn warm_up<T>(&mut self, greet: impl FnOnce(&mut Self) -> T) -> T {
        self.acquire(one_attempt("warm-up"));
        let greeted = greet(self);
        let acquire = self.command();
        self.reply(acquire.denied(1));
        assert!(matches!(self.event(), Event::Failed { .. }));
        assert_eq!(self.engine.busy(), 0);
        greeted
    }

    /// Acquires a lock that another client holds for a minute.
    pub fn wait_for(&mut self, request: Request) -> (HandleId, Command) {
        let lock = self.acquire(request);
        let acquire = self.command();
        self.reply(acquire.denied(60_000));
        (lock, acquire)
    }

    pub fn acquire(&mut self, request: Request) -> HandleId {
        self.engine.acquire(request, self.now).unwrap()
    }

    /// Acquires a lock, which the server grants with fence 1.
    pub fn hold(&mut self, request: Request) -> HandleId {
        let lock = self.acquire(request);
        let command = self.command();
        self.reply(command.granted(1));
        let event = self.event();
        assert!(matches!(event, Event::Granted { lock: granted, .. } if granted == lock), "{event:?}");
        lock
    }

    /// Makes the connection that the engine dials and answers the handshake; wake-ups are denied.
    pub fn greet(&mut self) {
        self.greet_with(NO_CHANNELS);
    }

    /// The same with wake-ups. Returns the channel on which they arrive.
    pub fn greet_with_wakes(&mut self) -> String {
        self.greet_with(SUBSCRIBED)
    }

    fn greet_with(&mut self, subscribed: &str) -> String {
        self.connect();
        assert_eq!(self.command().name(), "HELLO");
        self.reply(HELLO_REPLY);
        let subscribe = self.command();
        assert_eq!(subscribe.name(), "SUBSCRIBE");
        self.reply(subscribed);
        subscribe.words[1].clone()
    }

    /// Makes the connection that the engine dials.
    pub fn connect(&mut self) {
        self.drain_io();
        let id = self.connection.expect("the engine dials");
        self.engine.handle_connected(id, self.now);
    }

    /// The connection ends.
    pub fn disconnect(&mut self, reason: &str) {
        self.drain_io();
        let id = self.connection.take().expect("a connection");
        self.engine.handle_closed(id, reason, self.now);
    }

    /// Lets time pass until the engine dials again.
    pub fn wait_for_dial(&mut self) {
        self.drain_io();
        while self.connection.is_none() {
            self.advance_to_timeout();
            self.drain_io();
        }
    }

    /// Does what the engine wants done with connections.
    pub fn drain_io(&mut self) {
        while let Some(output) = next_io(&mut self.engine) {
            match output {
                Output::Close(id) => {
                    self.closed.push(id);
                    self.connection.take_if(|open| *open == id);
                }
                Output::Connect(_, id) => self.connection = Some(id),
                Output::Transmit(id, bytes) => {
                    assert_eq!(Some(id), self.connection);
                    self.written.extend(bytes);
                }
                Output::Event(_) => {}
            }
        }
    }

    /// The bytes that were written since the last call.
    pub fn written(&mut self) -> Vec<u8> {
        self.drain_io();
        std::mem::take(&mut self.written)
    }

    /// The commands that were written since the last call.
    pub fn commands(&mut self) -> Vec<Command> {
        read_commands(&self.written())
    }

    /// The one command that was written since the last call.
    pub fn command(&mut self) -> Command {
        let mut commands = self.commands();
        assert_eq!(commands.len(), 1, "{commands:?}");
        commands.remove(0)
    }

    /// Bytes from the server.
    pub fn reply(&mut self, bytes: impl AsRef<[u8]>) {
        let id = self.connection.expect("a connection");
        self.engine.handle_bytes(id, bytes.as_ref(), self.now);
    }

    /// A message on a channel.
    pub fn message(&mut self, channel: &str, text: &str) {
        let (name, length) = (channel.len(), text.len());
        self.reply(format!(">3\r\n$7\r\nmessage\r\n${name}\r\n{channel}\r\n${length}\r\n{text}\r\n"));
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

    /// Lets time pass until the next timer is due, and runs it.
    pub fn advance_to_timeout(&mut self) {
        let next = self.engine.poll_timeout().expect("a timer");
        self.now = self.now.max(next);
        self.engine.handle_timeout(self.now);
    }

    /// Lets time pass until something is sent or an event is reported: a timer may have nothing to do.
    pub fn advance_to_action(&mut self) -> (Vec<Command>, Vec<Event>) {
        loop {
            self.advance_to_timeout();
            let happened = (self.commands(), self.events());
            if happened != (Vec::new(), Vec::new()) {
                return happened;
            }
        }
    }

    /// Lets time pass, and runs every timer that becomes due.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now.after(span);
        while self.engine.poll_timeout().is_some_and(|next| next <= end) {
            self.advance_to_timeout();
        }
        self.now = end;
    }
}
