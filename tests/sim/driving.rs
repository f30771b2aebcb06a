//! What a shell does with the engine, and what applications do with their locks.

use std::collections::BTreeSet;

use redlatch::{Duration, Event, Instant, LockId, Loss, Policy};

use crate::{
    client::{Stage, Task, request, token_text},
    network::{Link, LinkId, Way},
    observer::{Hold, Violation},
    plan::{Ask, MS, Op},
    rng::Rng,
    server::script_call,
    world::{Happening, World, shown},
};

impl World<'_> {
    /// Something that the client's event loop takes up: one thing is fed, then everything is drained.
    pub fn at_client(&mut self, happening: Happening) -> Result<(), Violation> {
        let client = match &happening {
            Happening::Dialed(link, _) | Happening::ToClient(link, _) | Happening::ClientEnd(link) => {
                let link = &self.links[link];
                if !link.client_open {
                    return Ok(());
                }
                link.client
            }
            Happening::Timer(client, number) if *number != self.clients[*client].timer => return Ok(()),
            Happening::Timer(client, _)
            | Happening::Release(client, _)
            | Happening::Cancel(client, _)
            | Happening::Question(client, ..) => *client,
            Happening::Acquire(op) => self.plan.ops[*op].client,
            _ => return Ok(()),
        };
        let now = self.clients[client].clock.advance(self.now);
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
            Happening::Acquire(op) => self.acquire(client, op, now),
            Happening::Release(_, lock) => self.release(client, lock, now),
            Happening::Cancel(_, lock) => self.cancel(client, lock, now),
            Happening::Question(_, lock, ask) => self.question(client, lock, ask, now),
            _ => {}
        }
        self.drain(client, now)
    }

    fn acquire(&mut self, client: usize, index: usize, now: Instant) {
        let op = &self.plan.ops[index];
        let lock = self.clients[client].engine.acquire(request(op), now).expect("a proper request");
        self.trace.note(self.now, 5, &lock.0.to_le_bytes(), || {
            format!("client {client}: {lock:?} is op {index}, {op:?}")
        });
        let owner = op.token.map(token_text).unwrap_or_default();
        let task = Task {
            op: index,
            asked: self.now,
            settles: now.after(longest_wait(op, &self.plan.settings.policy)),
            stage: Stage::Waiting,
            owner,
            minted: op.token.is_none(),
            questions: Default::default(),
        };
        self.clients[client].tasks.insert(lock, task);
        if let Some(span) = op.cancel_after {
            self.after(span, Happening::Cancel(client, lock));
        }
    }

    fn release(&mut self, client: usize, lock: LockId, now: Instant) {
        let Some(task) = self.clients[client].tasks.get_mut(&lock) else { return };
        if task.stage != Stage::Held {
            return;
        }
        task.stage = Stage::Releasing;
        if task.minted {
            self.observer.released(&task.owner);
        }
        self.observer.over(client, lock);
        self.trace.note(self.now, 6, &lock.0.to_le_bytes(), || format!("client {client}: release {lock:?}"));
        self.clients[client].engine.release(lock, now);
    }

    fn cancel(&mut self, client: usize, lock: LockId, now: Instant) {
        let Some(task) = self.clients[client].tasks.get_mut(&lock) else { return };
        if task.stage != Stage::Waiting {
            return;
        }
        task.stage = Stage::Over;
        self.observer.count("cancelled");
        self.trace.note(self.now, 7, &lock.0.to_le_bytes(), || format!("client {client}: cancel {lock:?}"));
        self.clients[client].engine.cancel(lock, now);
    }

    fn question(&mut self, client: usize, lock: LockId, ask: Ask, now: Instant) {
        let SimTask { engine, task } = self.parts(client, lock);
        let Some(task) = task.filter(|task| task.stage == Stage::Held) else { return };
        let op = match ask {
            Ask::Extend(ttl) => engine.extend(lock, Duration::from_millis(ttl), now),
            Ask::Verify => engine.verify(lock, now),
        };
        task.questions.insert(op);
        self.trace.note(self.now, 8, &op.0.to_le_bytes(), || format!("client {client}: {lock:?} {ask:?}"));
    }

    /// Everything that the engine has to say.
    pub fn drain(&mut self, client: usize, now: Instant) -> Result<(), Violation> {
        loop {
            let mut idle = true;
            while let Some(event) = self.clients[client].engine.poll_event(now) {
                idle = false;
                self.trace.note(self.now, 9, &[], || format!("client {client} hears {event:?}"));
                self.hear(client, event, now)?;
            }
            while let Some(connection) = self.clients[client].engine.poll_close() {
                idle = false;
                if let Some(id) = self.clients[client].links.get(&connection).copied() {
                    self.hang_up(id);
                }
            }
            while let Some((node, connection)) = self.clients[client].engine.poll_connect() {
                idle = false;
                let id = LinkId(self.links.len() as u64 + 1);
                let rng = Rng::of(self.plan.seed, (client as u64 + 2) << 32 | u64::from(connection.0));
                self.links.insert(id, Link::new(client, node.0 as usize, connection, self.now, rng));
                self.clients[client].links.insert(connection, id);
                self.trace
                    .note(self.now, 10, &[], || format!("client {client} dials server {} as {id:?}", node.0));
                self.send(id, Way::Up, Happening::Dials(id));
            }
            while let Some((connection, bytes)) = self.clients[client].engine.poll_transmit() {
                idle = false;
                let id = self.clients[client].links[&connection];
                self.check_written(&bytes)?;
                self.trace
                    .note(self.now, 11, &bytes, || format!("client {client} -> {id:?}: {}", shown(&bytes)));
                self.send_bytes(id, Way::Up, bytes);
            }
            if idle {
                break;
            }
        }
        self.set_timer(client, now);
        self.check_beliefs(client, now)
    }

    fn check_written(&self, bytes: &[u8]) -> Result<(), Violation> {
        // Commands are written whole; several may be together.
        let mut rest = bytes;
        while !rest.is_empty() {
            let (_, used) = redis_protocol::resp2::decode::decode_range(rest)
                .ok()
                .flatten()
                .ok_or_else(|| Violation::new("half a command", shown(rest)))?;
            if let Some(call) = script_call(&rest[..used]) {
                self.observer.written(call.script, call.token())?;
            }
            rest = &rest[used..];
        }
        Ok(())
    }

    /// The client closes a connection: bytes under way may still arrive, or not.
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
        let SimTask { engine, .. } = self.parts(client, LockId(0));
        let deadline = engine.poll_timeout();
        let this = &mut self.clients[client];
        if deadline == this.deadline && deadline.is_some_and(|at| at > now) {
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

    fn hear(&mut self, client: usize, event: Event, now: Instant) -> Result<(), Violation> {
        let twice = |what: &str, lock: LockId, stage: Stage| {
            Violation::new(
                "settled once",
                format!("client {client} hears {what} of {lock:?}, which is {stage:?}"),
            )
        };
        match event {
            Event::Granted { lock, fence, token } => {
                let task = self.task(client, lock)?;
                if task.stage != Stage::Waiting {
                    return Err(twice("a grant", lock, task.stage));
                }
                task.stage = Stage::Held;
                if let Some(token) = token {
                    task.owner = token.to_hex();
                }
                let minted = task.minted;
                let (owner, asked, op) =
                    (task.owner.clone(), task.asked, &self.plan.ops[self.clients[client].tasks[&lock].op]);
                if self.clients[client].engine.remaining(lock, now) == Duration::ZERO {
                    return Err(Violation::new(
                        "granted with nothing left",
                        format!("{lock:?} of client {client}"),
                    ));
                }
                let keys: BTreeSet<_> = op.keys.iter().copied().collect();
                let hold = Hold { client, lock, owner, minted, keys, asked };
                let (clients, time) = (&self.clients, self.now);
                self.observer.told(hold, fence, |hold| clients[hold.client].believes(hold.lock, time))?;
                self.after(op.hold, Happening::Release(client, lock));
                for &(after, ask) in &op.asks {
                    self.after(after, Happening::Question(client, lock, ask));
                }
            }
            Event::Failed { lock, failure } => {
                let task = self.task(client, lock)?;
                if task.stage != Stage::Waiting {
                    return Err(twice("a failure", lock, task.stage));
                }
                task.stage = Stage::Over;
                let op = &self.plan.ops[self.clients[client].tasks[&lock].op];
                // A token of the application's own cannot be changed for another when some of several servers granted it.
                let gave_up = op.token.is_some() && self.servers.len() > 1;
                let timed_out = failure.code == redlatch::Code::Timeout && (op.wait != u64::MAX || gave_up);
                if self.observer.is_calm() && !timed_out {
                    return Err(Violation::new("calm", format!("{lock:?} of client {client}: {failure:?}")));
                }
                self.observer.count("failed");
            }
            Event::Lost { lock, loss } => {
                let task = self.task(client, lock)?;
                if !matches!(task.stage, Stage::Held | Stage::Releasing) {
                    return Err(twice("a loss", lock, task.stage));
                }
                task.stage = Stage::Over;
                let owner = task.owner.clone();
                if loss == Loss::NotOurs {
                    self.observer.check_denied(&owner)?;
                }
                self.observer.over(client, lock);
                let op = &self.plan.ops[self.clients[client].tasks[&lock].op];
                if self.observer.is_calm() && loss != Loss::MaxHold && op.renew {
                    return Err(Violation::new(
                        "calm",
                        format!("{lock:?} of client {client} lost: {loss:?}"),
                    ));
                }
                self.observer.count(match loss {
                    Loss::Expired => "lost by time",
                    Loss::NotOurs => "lost by reply",
                    Loss::MaxHold => "lost by maxHold",
                });
            }
            Event::Released { lock, outcome } => {
                let task = self.task(client, lock)?;
                if task.stage != Stage::Releasing {
                    return Err(twice("a release", lock, task.stage));
                }
                task.stage = Stage::Over;
                if outcome == redlatch::Outcome::Released && self.clients[client].tasks[&lock].minted {
                    let task = &self.clients[client].tasks[&lock];
                    let keys: BTreeSet<_> = self.plan.ops[task.op].keys.iter().collect();
                    self.observer.check_released(&task.owner, keys.len())?;
                }
                if self.observer.is_calm() && outcome != redlatch::Outcome::Released {
                    return Err(Violation::new("calm", format!("{lock:?} of client {client}: {outcome:?}")));
                }
                self.observer.count("released");
            }
            // Told under the number of whoever holds the lock longest; the question's own is what counts.
            Event::Extended { op, .. } | Event::Verified { op, .. } | Event::OpFailed { op, .. }
                if !self.clients[client].tasks.values_mut().any(|task| task.questions.remove(&op)) =>
            {
                return Err(Violation::new("settled once", format!("client {client} hears of {op:?} again")));
            }
            _ => {}
        }
        Ok(())
    }

    /// Nobody waits longer than it said. Losses are told before belief ends, and the engine wants to be called in time for it.
    fn check_beliefs(&self, client: usize, now: Instant) -> Result<(), Violation> {
        let this = &self.clients[client];
        let mut waiting = this.tasks.iter().filter(|(_, task)| task.stage == Stage::Waiting);
        if let Some((lock, _)) = waiting.find(|(_, task)| now > task.settles) {
            return Err(Violation::new(
                "settles in time",
                format!("{lock:?} of client {client} still waits"),
            ));
        }
        for (&lock, _) in this.tasks.iter().filter(|(_, task)| task.stage == Stage::Held) {
            let remaining = this.engine.remaining(lock, now);
            if remaining == Duration::ZERO {
                return Err(Violation::new(
                    "loss told in time",
                    format!("{lock:?} of client {client} is over"),
                ));
            }
            if this.engine.poll_timeout().is_none_or(|at| at > now.after(remaining)) {
                return Err(Violation::new(
                    "loss told in time",
                    format!("no timer for {lock:?} of client {client}"),
                ));
            }
        }
        Ok(())
    }

    fn task(&mut self, client: usize, lock: LockId) -> Result<&mut Task, Violation> {
        let unknown = || {
            Violation::new("settled once", format!("client {client} hears of {lock:?}, which is nobody's"))
        };
        self.clients[client].tasks.get_mut(&lock).ok_or_else(unknown)
    }

    fn parts(&mut self, client: usize, lock: LockId) -> SimTask<'_> {
        let this = &mut self.clients[client];
        SimTask { engine: &mut this.engine, task: this.tasks.get_mut(&lock) }
    }

    /// The event loop goes on: what came meanwhile first, or the timers.
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
        let ordered = if timers_last { [others, timers] } else { [timers, others] };
        for happening in ordered.into_iter().flatten() {
            self.happen(happening)?;
        }
        Ok(())
    }
}

/// How long an acquire may take. A single try may need a connection, and two answers where the script is not cached.
fn longest_wait(op: &Op, policy: &Policy) -> Duration {
    let millis = Duration::from_millis;
    match op.wait {
        0 => policy
            .connect_timeout
            .plus(policy.node_timeout.unwrap_or(millis(1000)).times(4))
            .plus(millis(1000)),
        u64::MAX => Duration::MAX,
        // Re-entry goes by the lock that is held: by its time for two answers, not by its own wait.
        wait if op.token.is_some() => millis(wait).plus(millis(2500)),
        wait => millis(wait),
    }
}

struct SimTask<'a> {
    engine: &'a mut redlatch::Engine<Rng>,
    task: Option<&'a mut Task>,
}
