//! What the TypeScript shell does with the engine.

use redlatch::{ConnectionId, HandleId, Instant, NodeId};

use crate::{
    client::{SimClient, Task},
    cluster::node_at,
    network::{Link, LinkId, Way},
    observer::Violation,
    plan::{MS, Micros},
    rng::Rng,
    simulation::{Happening, Simulation},
    trace::shown,
    world::{Output, ScriptCall, next_output, split_words},
};

/// How long calls wait for the end of the event loop's turn at most.
const LONGEST_TURN: Micros = 2 * MS;

impl Simulation<'_> {
    /// The client's event loop handles one thing, or all that its applications ask for at this time: it is fed to the
    /// engine, and everything is drained, for an application's calls maybe only at the end of the turn.
    pub fn at_client(&mut self, happening: Happening) -> Result<(), Violation> {
        let Some(client) = self.client_of(&happening) else { return Ok(()) };
        let is_stale = match &happening {
            Happening::Dialed(link, _) | Happening::ToClient(link, _) | Happening::ClientEnd(link) => {
                !self.links[link].client_open
            }
            Happening::Timer(_, number) => *number != self.clients[client].timer,
            Happening::EndOfTurn(_) => !self.clients[client].has_called,
            _ => false,
        };
        if is_stale {
            return Ok(());
        }
        let SimClient { clock, listening, deadline, engine, .. } = &mut self.clients[client];
        let (now, step) = clock.advance(self.now);
        listening.advance(now, step, *deadline);
        engine.handle_clock_step(step);
        if matches!(happening, Happening::Timer(..)) {
            *deadline = None;
        }
        let read = match &happening {
            Happening::ToClient(link, _) => Some(*link),
            _ => None,
        };
        let asks = self.asking(&happening).is_some();
        self.feed(client, happening, now);
        // What was asked for before a release, in the same turn, may still be written.
        if self.turns.is_none() {
            self.note_releases(client);
        }
        while asks && let Some(next) = self.asked_at_once(client) {
            self.feed(client, next, now);
            while let Some((connection, bytes)) = self.clients[client].engine.poll_early_transmit() {
                self.observer.count("sent early");
                self.transmit(client, connection, bytes, now)?;
            }
        }
        if asks && let Some(turns) = &mut self.turns {
            let left = turns.between(1, LONGEST_TURN);
            if !std::mem::replace(&mut self.clients[client].has_called, true) {
                self.observer.count("drained at the end of the turn");
                self.after(left, Happening::EndOfTurn(client));
            }
            return Ok(());
        }
        self.clients[client].has_called = false;
        self.drain(client, now)?;
        self.note_releases(client);
        if let Some(link) = read {
            self.expect_confirmations(client, link);
        }
        self.check_confirmed(client)
    }

    /// What an application of this client asks for at this time, if that happens next.
    fn asked_at_once(&mut self, client: usize) -> Option<Happening> {
        let is_next = self.next_now().is_some_and(|next| self.asking(next) == Some(client));
        is_next.then(|| self.take_next()).flatten()
    }

    fn feed(&mut self, client: usize, happening: Happening, now: Instant) {
        let engine = &mut self.clients[client].engine;
        match happening {
            Happening::Dialed(id, made) => {
                let link = self.links.get_mut(&id).expect("a link");
                if made {
                    engine.handle_connected(link.connection, now);
                } else {
                    link.client_open = false;
                    engine.handle_closed(link.connection, "connection refused", now);
                }
            }
            Happening::ToClient(id, bytes) => {
                self.trace
                    .note(self.now, 3, &bytes, || format!("client {client} <- {id:?}: {}", shown(&bytes)));
                self.validity.read((client, self.links[&id].server), id, &bytes, now);
                self.note_moves(client);
                let engine = &mut self.clients[client].engine;
                engine.handle_bytes(self.links[&id].connection, &bytes, now);
            }
            Happening::ClientEnd(id) => {
                self.trace.note(self.now, 4, &[], || format!("client {client}: {id:?} ended"));
                let link = self.links.get_mut(&id).expect("a link");
                link.client_open = false;
                engine.handle_closed(link.connection, "connection reset", now);
                self.send(id, Way::Up, Happening::ServerEnd(id));
            }
            Happening::Timer(..) => engine.handle_timeout(now),
            Happening::Acquire(op) => self.acquire(client, op, None, now),
            Happening::Adopt(_, op, owner) => self.acquire(client, op, Some(owner), now),
            Happening::Release(_, lock) => self.release(client, lock, now),
            Happening::Cancel(_, lock) => self.cancel(client, lock, now),
            Happening::Operation(_, lock, operation) => self.operate(client, lock, operation, now),
            _ => {}
        }
    }

    /// From here on, the client writes nothing more for the locks that it was asked to release, but the release.
    fn note_releases(&mut self, client: usize) {
        for owner in std::mem::take(&mut self.clients[client].releasing) {
            self.observer.released(client, &owner);
        }
    }

    /// Drains the engine.
    pub fn drain(&mut self, client: usize, now: Instant) -> Result<(), Violation> {
        while let Some(output) = next_output(&mut self.clients[client].engine, now) {
            match output {
                Output::Event(event) => {
                    self.trace.note(self.now, 9, &[], || format!("client {client} gets {event:?}"));
                    self.on_event(client, event, now)?;
                }
                Output::Close(connection) => {
                    if let Some(id) = self.clients[client].links.get(&connection).copied() {
                        if self.has_unread(client) {
                            let text = format!(
                                "client {client} gives up {id:?} before it has read what has arrived"
                            );
                            return Err(Violation::new("patience", text));
                        }
                        self.hang_up(id);
                    }
                }
                Output::Connect(node, connection) => self.dial(client, node, connection)?,
                Output::Transmit(connection, bytes) => self.transmit(client, connection, bytes, now)?,
            }
        }
        self.set_timer(client, now);
        self.check_owed(client)?;
        self.check_beliefs(client, now)
    }

    fn transmit(
        &mut self,
        client: usize,
        connection: ConnectionId,
        bytes: Vec<u8>,
        now: Instant,
    ) -> Result<(), Violation> {
        let id = self.clients[client].links[&connection];
        self.check_written(client, id, &bytes, now)?;
        self.trace.note(self.now, 11, &bytes, || format!("client {client} -> {id:?}: {}", shown(&bytes)));
        self.send_bytes(id, Way::Up, bytes);
        Ok(())
    }

    fn dial(&mut self, client: usize, node: NodeId, connection: ConnectionId) -> Result<(), Violation> {
        let mut server = node.0 as usize;
        if let Some(routes) = &self.validity.routes {
            server = match self.clients[client].engine.address(node) {
                Some(address) => {
                    routes.check_dialled(client, &address)?;
                    node_at(&address, self.servers.len()).expect("a node of the cluster")
                }
                None => server + routes.first_sentinel.expect("a sentinel"),
            };
        }
        let id = LinkId(self.links.len() as u64 + 1);
        let rng = Rng::of(self.plan.seed, (client as u64 + 2) << 32 | u64::from(connection.0));
        self.links.insert(id, Link::new(client, server, connection, self.now, rng));
        self.clients[client].links.insert(connection, id);
        self.trace.note(self.now, 10, &[], || format!("client {client} dials server {server} as {id:?}"));
        self.send(id, Way::Up, Happening::Dials(id));
        Ok(())
    }

    fn check_written(
        &mut self,
        client: usize,
        id: LinkId,
        bytes: &[u8],
        now: Instant,
    ) -> Result<(), Violation> {
        for (_, words) in split_words(bytes) {
            match words[0].as_slice() {
                b"WAIT" => self.validity.waits(id),
                b"CLUSTER" | b"SENTINEL" => self.validity.asks_for_map(client, id, now)?,
                b"ASKING" => self.validity.asking(id),
                b"SSUBSCRIBE" => self.validity.subscribes(id, &words[1..], true),
                b"SUNSUBSCRIBE" => self.validity.subscribes(id, &words[1..], false),
                _ => {}
            }
            let Some(call) = ScriptCall::read(&words) else { continue };
            let locks = call.split();
            for lock in &locks {
                self.observer.written(client, lock)?;
                self.confirmations.asks(id, lock.token());
            }
            self.validity.written((client, self.links[&id].server), id, locks, now)?;
        }
        Ok(())
    }

    /// The client closes a connection: bytes in flight may still arrive, or not.
    fn hang_up(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.client_open = false;
        if !link.rng.chance(self.plan.settings.lands_after_close) {
            self.under_way(id, Way::Up).for_each(Vec::clear);
        }
        self.send(id, Way::Up, Happening::ServerEnd(id));
    }

    fn set_timer(&mut self, client: usize, now: Instant) {
        let lateness = if self.quiet { 0 } else { self.plan.settings.lateness };
        let SimTask { engine, .. } = self.parts(client, HandleId(0));
        let deadline = engine.poll_timeout();
        let this = &mut self.clients[client];
        if deadline == this.deadline {
            return;
        }
        this.deadline = deadline;
        this.timer += 1;
        let Some(deadline) = deadline else { return };
        let late = Rng::of(self.plan.seed ^ this.timer, client as u64).below(lateness + 1);
        let span = this.clock.true_span(deadline.since(now).as_micros()) + late;
        let timer = Happening::Timer(client, this.timer);
        self.after(span, timer);
    }

    pub fn parts(&mut self, client: usize, lock: HandleId) -> SimTask<'_> {
        let this = &mut self.clients[client];
        SimTask { engine: &mut this.engine, task: this.tasks.get_mut(&lock) }
    }

    /// The event loop continues: with what arrived meanwhile first, or with the timers first.
    pub fn awake(&mut self, client: usize) -> Result<(), Violation> {
        if self.clients[client].stalled.is_none_or(|until| until > self.now) {
            return Ok(());
        }
        self.clients[client].stalled = None;
        self.clients[client].clock.resume(self.now);
        let inbox = std::mem::take(&mut self.clients[client].inbox);
        let timers_last = (self.now / MS).is_multiple_of(2);
        let is_timer = |happening: &Happening| matches!(happening, Happening::Timer(..));
        let (timers, others): (Vec<_>, Vec<_>) = inbox.into_iter().partition(is_timer);
        // What has arrived waits in the sockets' buffers while the timers run.
        let (first, last) = if timers_last { (Vec::new(), timers) } else { (timers, Vec::new()) };
        self.clients[client].inbox = others;
        for happening in first {
            self.happen(happening)?;
        }
        let others = std::mem::take(&mut self.clients[client].inbox);
        for happening in others.into_iter().chain(last) {
            self.happen(happening)?;
        }
        Ok(())
    }
}

pub struct SimTask<'a> {
    pub engine: &'a mut redlatch::Engine<Rng>,
    pub task: Option<&'a mut Task>,
}
