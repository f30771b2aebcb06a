//! A client, its servers and the application, step by step: one thing happens, everything is drained, and the
//! promises are checked.

use std::{cell::Cell, rc::Rc, sync::LazyLock};

use arbitrary::{Result, Unstructured};
use redlatch::{
    Clock, ConnectionId, Duration, Endpoint, Engine, Entropy, EntropyUnavailable, Event, HandleId, Instant,
    Observed, Policy, Request,
};

use super::{
    app::App,
    call::Call,
    generate,
    ledger::Ledger,
    play::Setup,
    wire::{Command, Connection, PASSWORD, Wire},
    world::{Listening, Output, Seeded, next_io, next_output},
};

/// Prints what happens, if an input is replayed with TRACE set.
pub fn trace(text: impl FnOnce() -> String) {
    static WANTED: LazyLock<bool> = LazyLock::new(|| std::env::var_os("TRACE").is_some());
    if *WANTED {
        eprintln!("{}", text());
    }
}

/// Entropy that may be unavailable.
pub struct Source(Seeded, Rc<Cell<bool>>);

impl Entropy for Source {
    fn fill(&mut self, buffer: &mut [u8]) -> core::result::Result<(), EntropyUnavailable> {
        if self.1.get() { Err(EntropyUnavailable) } else { self.0.fill(buffer) }
    }
}

pub struct Session {
    pub engine: Engine<Source>,
    pub app: App,
    pub wire: Wire,
    pub ledger: Ledger,
    pub clock: Clock,
    pub mono: u64,
    pub wall: u64,
    pub now: Instant,
    pub listening: Listening,
    /// The steps of the wall clock since the last call.
    stepped: Duration,
    /// Servers accept connections and answer handshakes at once.
    pub polite: bool,
    /// Servers grant every script call at once.
    pub attentive: bool,
    pub wakes: bool,
    pub down: Vec<bool>,
    pub dry: Rc<Cell<bool>>,
    /// A lease was requested that does not end soon, or a clean-up that lasts as long.
    pub endless: bool,
    /// Script calls written in this step: the server, the number, the call.
    pub written: Vec<(u32, u64, Call)>,
}

impl Session {
    pub fn begin(u: &mut Unstructured<'_>, setup: &Setup) -> Result<Self> {
        let flags: u8 = u.arbitrary()?;
        let nodes = u32::from(u.int_in_range(setup.servers.0..=setup.servers.1)?);
        let drift =
            if flags & 1 == 0 { 10_000 } else { *u.choose(&[0, 1, 500_000, 999_999, 1_000_000, u32::MAX])? };
        let dry = Rc::new(Cell::new(false));
        let policy = Policy { drift, ..Policy::default() };
        let mut engine = Engine::new(policy, Source(Seeded(u.arbitrary::<u8>()?.into()), dry.clone()));
        let database = u32::from(flags & 2 != 0);
        let password = if flags & 4 != 0 { PASSWORD } else { "" };
        for _ in 0..nodes {
            engine.add_node(Endpoint { password: password.into(), database, ..Endpoint::default() });
        }
        if flags & 8 != 0 {
            engine.observe(Observed::Everything);
        }
        let (mono, wall) = (5_000_000, 1_700_000_000_000_000);
        let mut clock = Clock::default();
        Ok(Self {
            engine,
            app: App::new(password, setup.wild),
            wire: Wire::default(),
            ledger: Ledger::new(nodes, drift),
            now: clock.advance(mono, wall),
            listening: Listening::default(),
            stepped: Duration::ZERO,
            clock,
            mono,
            wall,
            polite: !setup.wild || flags & 16 == 0,
            attentive: false,
            wakes: flags & 32 != 0,
            down: vec![false; nodes as usize],
            dry,
            endless: drift > 1_000_000,
            written: Vec::new(),
        })
    }

    pub fn operate(&mut self, id: HandleId, code: u8, ttl: u64) {
        self.step(None, |session| session.call(id, code, ttl));
    }

    /// The application releases (2), cancels (3), extends (4) or verifies (5), within a step.
    pub fn call(&mut self, id: HandleId, code: u8, ttl: u64) {
        let (now, seq) = (self.now, self.wire.seq);
        match code {
            2 => {
                self.app.releases(id, self.listening.least);
                self.engine.release(id, now);
            }
            3 => {
                self.app.cancelled(id);
                self.engine.cancel(id, now);
            }
            4 => {
                let op = self.engine.extend(id, Duration::from_millis(ttl), now);
                self.app.operation_requested(op, id, Some(ttl), seq);
            }
            _ => {
                let op = self.engine.verify(id, now);
                self.app.operation_requested(op, id, None, seq);
            }
        }
    }

    /// The application requests a lock, within a step.
    pub fn acquire(&mut self, request: &Request) {
        let id = self.engine.acquire(request.clone(), self.now).expect("a request in order");
        self.app.requested(id, request, self.listening.least);
    }

    pub fn advance(&mut self, micros: u64) {
        (self.mono, self.wall) = (self.mono.saturating_add(micros), self.wall.saturating_add(micros));
        self.read_clocks();
    }

    /// Takes the time of both clocks.
    pub fn read_clocks(&mut self) {
        self.now = self.clock.advance(self.mono, self.wall);
        let step = self.clock.take_step();
        self.engine.handle_clock_step(step);
        self.stepped = self.stepped.plus(step);
    }

    /// A connection that is being dialed is made, or refused.
    pub fn connect(&mut self, node: u32, made: bool) {
        let waiting =
            |connection: &Connection| connection.node == node && !connection.made && !connection.over;
        let Some(id) =
            self.wire.connections.iter().find_map(|(&id, connection)| waiting(connection).then_some(id))
        else {
            return;
        };
        if !made {
            return self.close(id);
        }
        self.step(None, |session| {
            session.wire.connections.get_mut(&id).expect("a connection").made = true;
            session.engine.handle_connected(id, session.now);
        });
    }

    pub fn close(&mut self, id: ConnectionId) {
        self.step(None, |session| {
            session.wire.connections.get_mut(&id).expect("a connection").over = true;
            session.engine.handle_closed(id, "closed", session.now);
        });
    }

    /// The server writes; all but the last `kept` bytes arrive.
    pub fn deliver(&mut self, id: ConnectionId, reply: Vec<u8>, kept: usize) {
        let connection = self.wire.connections.get_mut(&id).expect("a connection");
        connection.late.extend(reply);
        let arrived = connection.late.len().saturating_sub(kept);
        let bytes: Vec<u8> = connection.late.drain(..arrived).collect();
        let arriving = bytes.clone();
        self.step(Some((id, &bytes)), move |session| {
            session.engine.handle_bytes(id, &arriving, session.now);
        });
    }

    fn has_due_timer(&self) -> bool {
        self.engine.poll_timeout().is_some_and(|next| next <= self.now)
    }

    /// Calls the engine for its timers.
    pub fn call_timers(&mut self) {
        self.step(None, |session| {
            session.engine.handle_timeout(session.now);
            if session.has_due_timer() {
                // A deadline that is believed may lead to an attempt that is due at once.
                session.engine.handle_timeout(session.now);
            }
            assert!(!session.has_due_timer(), "time is up and nothing is done");
            session.app.looked(&session.listening);
        });
    }

    /// Does one thing, drains everything, and checks the promises; then polite servers act.
    pub fn step(&mut self, received: Option<(ConnectionId, &[u8])>, act: impl FnOnce(&mut Self)) {
        self.app.begin_step();
        self.wire.connections.retain(|_, connection| !connection.over);
        self.written.clear();
        if let Some((id, bytes)) = received {
            trace(|| format!("{} {id:?} receives {}", self.now.as_micros(), bytes.escape_ascii()));
        }
        let step = core::mem::take(&mut self.stepped);
        self.listening.advance(self.now, step, self.engine.poll_timeout());
        let before = self.wire.seq;
        act(self);
        self.drain_io();
        if let Some((id, bytes)) = received {
            self.wire.received(id, bytes, before, &mut self.ledger);
        }
        while let Some(output) = next_output(&mut self.engine, self.now) {
            match output {
                Output::Event(event) => {
                    self.on_event(&event);
                    self.drain_io();
                }
                output => self.on_io(output),
            }
        }
        self.app.end_step(&self.written);
        self.app.check(&self.engine, &self.ledger, self.now);
        self.app.check_waits(self.engine.poll_timeout(), &self.listening, self.now);
        self.wire.connections.values().for_each(Connection::check);
        self.serve();
    }

    fn on_event(&mut self, event: &Event) {
        let remaining = match *event {
            Event::Granted { lock, .. } => self.engine.remaining(lock, self.now),
            _ => Duration::ZERO,
        };
        trace(|| format!("{} event {event:?}", self.now.as_micros()));
        self.app.on_event(event, &self.ledger, remaining, self.now);
    }

    fn drain_io(&mut self) {
        while let Some(output) = next_io(&mut self.engine) {
            self.on_io(output);
        }
    }

    fn on_io(&mut self, output: Output) {
        match output {
            Output::Transmit(id, bytes) => {
                let calls = self.wire.written(id, &bytes, self.now.as_micros(), &mut self.ledger);
                let node = self.wire.connections[&id].node;
                trace(|| format!("{} {id:?} sends {}", self.now.as_micros(), bytes.escape_ascii()));
                self.written.extend(calls.into_iter().map(|(seq, call)| (node, seq, call)));
            }
            Output::Close(id) => {
                let connection = self.wire.connections.get_mut(&id).expect("a connection that is there");
                assert!(!core::mem::replace(&mut connection.dropped, true), "dropped twice");
                connection.over = true;
            }
            Output::Connect(node, id) => {
                let busy = self
                    .wire
                    .connections
                    .values()
                    .any(|connection| connection.node == node.0 && !connection.over);
                assert!(!busy && Some(id) > self.wire.newest, "a second connection, or a reused id");
                self.wire.newest = Some(id);
                self.wire.connections.insert(id, Connection::to(node.0));
            }
            Output::Event(event) => panic!("{event:?}"),
        }
    }

    /// What servers do on their own.
    fn serve(&mut self) {
        let waits = |connection: &Connection| match connection.queue.front() {
            Some(sent) => !matches!(sent.command, Command::Script(_)) || self.attentive,
            None => !connection.made,
        };
        let next = self
            .wire
            .connections
            .iter()
            .find(|(_, connection)| self.polite && !connection.over && waits(connection));
        let Some((&id, connection)) = next else { return };
        let node = connection.node;
        match connection.queue.front() {
            Some(sent) => {
                let reply = generate::grant(&sent.command, self.wakes);
                self.deliver(id, reply, 0);
            }
            None => self.connect(node, !self.down[node as usize]),
        }
    }

    /// The application stops, and servers answer everything or nothing: everything must be settled.
    pub fn end(&mut self, well: bool) {
        self.dry.set(false);
        (self.polite, self.attentive) = (true, well);
        self.down.fill(!well);
        for id in self.wire.connections.keys().copied().collect::<Vec<_>>() {
            if self.wire.connections.get(&id).is_some_and(|connection| !connection.over) {
                self.close(id);
            }
        }
        for id in self.app.endless_waits() {
            self.operate(id, 3, 0);
        }
        for id in self.app.held().into_iter().step_by(2) {
            self.operate(id, 2, 0);
        }
        // Leases end while the event loop stalls; waits go on afterwards, and what they leave has leases again.
        for _ in 0..2 {
            for _ in 0..12 {
                self.advance(130_000_000);
                self.call_timers();
            }
            for _ in 0..500 {
                let Some(next) = self.engine.poll_timeout() else { break };
                self.advance(next.since(self.now).as_micros());
                self.call_timers();
            }
        }
        assert!(self.endless || self.app.is_settled(), "not settled: {:?}", self.app);
        assert!(self.endless || self.engine.busy() == 0, "{:?}", self.engine.inspect());
        if !self.endless {
            let snapshot = self.engine.inspect();
            assert!(snapshot.nodes.iter().all(|node| node.pending == 0), "{snapshot:?}");
            assert_eq!(self.engine.poll_timeout(), None, "timers are left");
        }
    }
}
