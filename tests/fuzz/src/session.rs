//! A client, its servers and the application, step by step: one thing happens, everything is drained, and what was promised
//! is looked at.

use std::{cell::Cell, rc::Rc, sync::LazyLock};

use arbitrary::{Result, Unstructured};
use redlatch::{
    Clock, ConnectionId, Duration, Endpoint, Engine, Entropy, EntropyUnavailable, Event, HandleId, Instant,
    Policy,
};

use super::{
    app::App,
    generate,
    ledger::Ledger,
    play::Setup,
    wire::{Asked, Call, Line, PASSWORD, Wire},
    world::{Output, Seeded, next_io, next_output},
};

/// Tells what happens, to whoever replays an input with TRACE set.
pub fn trace(text: impl FnOnce() -> String) {
    static WANTED: LazyLock<bool> = LazyLock::new(|| std::env::var_os("TRACE").is_some());
    if *WANTED {
        eprintln!("{}", text());
    }
}

/// Randomness that may run dry.
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
    /// Servers are connected to and greeted at once.
    pub polite: bool,
    /// Servers answer scripts at once, with yes.
    pub attentive: bool,
    pub wakes: bool,
    pub down: Vec<bool>,
    pub dry: Rc<Cell<bool>>,
    /// A lease was asked for that does not end soon, or a clean-up that goes on for as long.
    pub endless: bool,
    /// Scripts written in this step: to which server, when, which.
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
            engine.observe();
        }
        let (mono, wall) = (5_000_000, 1_700_000_000_000_000);
        let mut clock = Clock::default();
        Ok(Self {
            engine,
            app: App::new(password, setup.wild),
            wire: Wire::default(),
            ledger: Ledger::new(nodes, drift),
            now: clock.advance(mono, wall),
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

    pub fn ask(&mut self, id: HandleId, code: u8, ttl: u64) {
        self.step(None, |session| {
            let (now, seq) = (session.now, session.wire.seq);
            match code {
                2 => {
                    session.app.leaves(id, now);
                    session.engine.release(id, now);
                }
                3 => {
                    session.app.cancelled(id);
                    session.engine.cancel(id, now);
                }
                4 => {
                    let op = session.engine.extend(id, Duration::from_millis(ttl), now);
                    session.app.questioned(op, id, Some(ttl), seq);
                }
                _ => {
                    let op = session.engine.verify(id, now);
                    session.app.questioned(op, id, None, seq);
                }
            }
        });
    }

    pub fn pass(&mut self, micros: u64) {
        (self.mono, self.wall) = (self.mono.saturating_add(micros), self.wall.saturating_add(micros));
        self.now = self.clock.advance(self.mono, self.wall);
    }

    /// A connection that is being made is made, or refused.
    pub fn connect(&mut self, node: u32, made: bool) {
        let waiting = |line: &Line| line.node == node && !line.made && !line.over;
        let Some(id) = self.wire.lines.iter().find_map(|(&id, line)| waiting(line).then_some(id)) else {
            return;
        };
        if !made {
            return self.close(id);
        }
        self.step(None, |session| {
            session.wire.lines.get_mut(&id).expect("a line").made = true;
            session.engine.handle_connected(id, session.now);
        });
    }

    pub fn close(&mut self, id: ConnectionId) {
        self.step(None, |session| {
            session.wire.lines.get_mut(&id).expect("a line").over = true;
            session.engine.handle_closed(id, "closed", session.now);
        });
    }

    /// The server writes; all but the last `kept` bytes arrive.
    pub fn deliver(&mut self, id: ConnectionId, reply: Vec<u8>, kept: usize) {
        let line = self.wire.lines.get_mut(&id).expect("a line");
        line.late.extend(reply);
        let arrived = line.late.len().saturating_sub(kept);
        let bytes: Vec<u8> = line.late.drain(..arrived).collect();
        let arriving = bytes.clone();
        self.step(Some((id, &bytes)), move |session| {
            session.engine.handle_bytes(id, &arriving, session.now);
        });
    }

    /// Does one thing, drains everything, and sees whether all is right; then polite servers do what they do.
    pub fn step(&mut self, received: Option<(ConnectionId, &[u8])>, act: impl FnOnce(&mut Self)) {
        self.app.begin_step();
        self.wire.lines.retain(|_, line| !line.over);
        self.written.clear();
        if let Some((id, bytes)) = received {
            trace(|| format!("{} {id:?} receives {}", self.now.as_micros(), bytes.escape_ascii()));
        }
        act(self);
        self.drain_io();
        if let Some((id, bytes)) = received {
            self.wire.received(id, bytes, &mut self.ledger);
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
        self.wire.lines.values().for_each(Line::check);
        self.attend();
    }

    fn on_event(&mut self, event: &Event) {
        let remaining = match *event {
            Event::Granted { lock, .. } => self.engine.remaining(lock, self.now),
            _ => Duration::ZERO,
        };
        trace(|| format!("{} event {event:?}", self.now.as_micros()));
        self.app.hears(event, &self.ledger, remaining, self.now);
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
                let node = self.wire.lines[&id].node;
                trace(|| format!("{} {id:?} sends {}", self.now.as_micros(), bytes.escape_ascii()));
                self.written.extend(calls.into_iter().map(|(seq, call)| (node, seq, call)));
            }
            Output::Close(id) => {
                let line = self.wire.lines.get_mut(&id).expect("a line that is there");
                assert!(!core::mem::replace(&mut line.dropped, true), "dropped twice");
                line.over = true;
            }
            Output::Connect(node, id) => {
                let busy = self.wire.lines.values().any(|line| line.node == node.0 && !line.over);
                assert!(!busy && Some(id) > self.wire.newest, "a second connection, or a reused id");
                self.wire.newest = Some(id);
                self.wire.lines.insert(id, Line::to(node.0));
            }
            Output::Event(event) => panic!("{event:?}"),
        }
    }

    /// What servers do by themselves.
    fn attend(&mut self) {
        let waits = |line: &Line| match line.queue.front() {
            Some(sent) => !matches!(sent.asked, Asked::Script(_)) || self.attentive,
            None => !line.made,
        };
        let next = self.wire.lines.iter().find(|(_, line)| self.polite && !line.over && waits(line));
        let Some((&id, line)) = next else { return };
        let node = line.node;
        match line.queue.front() {
            Some(sent) => {
                let reply = generate::yes(&sent.asked, self.wakes);
                self.deliver(id, reply, 0);
            }
            None => self.connect(node, !self.down[node as usize]),
        }
    }

    /// The application stops, and servers answer everything or nothing: everything must come to an end.
    pub fn end(&mut self, well: bool) {
        self.dry.set(false);
        (self.polite, self.attentive) = (true, well);
        self.down.fill(!well);
        for id in self.wire.lines.keys().copied().collect::<Vec<_>>() {
            if self.wire.lines.get(&id).is_some_and(|line| !line.over) {
                self.close(id);
            }
        }
        for id in self.app.patient() {
            self.ask(id, 3, 0);
        }
        for id in self.app.held().into_iter().step_by(2) {
            self.ask(id, 2, 0);
        }
        for _ in 0..12 {
            self.pass(130_000_000);
            self.step(None, |session| session.engine.handle_timeout(session.now));
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
