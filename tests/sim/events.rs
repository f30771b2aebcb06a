//! The events that applications get from the engine, and whether they are allowed to get them.

use std::collections::BTreeSet;

use redlatch::{Code, Duration, Event, HandleId, Instant, LockError, Loss, OperationId, ReleaseOutcome};

use crate::{
    client::{Stage, Task},
    observer::{Hold, Violation},
    plan::key_name,
    simulation::{Happening, Simulation},
    validity::Told,
};

impl Simulation<'_> {
    pub fn on_event(&mut self, client: usize, event: Event, now: Instant) -> Result<(), Violation> {
        let twice = |what: &str, lock: HandleId, stage: Stage| twice(client, what, lock, stage);
        match event {
            Event::Granted { lock, fence, token, .. } => {
                let task = self.task(client, lock)?;
                if task.stage != Stage::Waiting {
                    return Err(twice("a grant", lock, task.stage));
                }
                task.stage = Stage::Held;
                if let Some(token) = token {
                    task.owner = token.to_hex().to_vec();
                }
                let (minted, adopted) = (task.minted, task.adopted);
                let (owner, asked, op) =
                    (task.owner.clone(), task.asked, &self.plan.ops[self.clients[client].tasks[&lock].op]);
                if self.clients[client].engine.remaining(lock, now) == Duration::ZERO {
                    return Err(Violation::new(
                        "granted with nothing left",
                        format!("{lock:?} of client {client}"),
                    ));
                }
                let keys: BTreeSet<_> = op.keys.iter().copied().collect();
                if minted || adopted {
                    let told = if adopted { Told::Extended } else { Told::Granted };
                    self.validity.check_told(client, &owner, &op.keys, told, 0)?;
                    if told == Told::Granted {
                        self.validity.check_votes(client, &owner)?;
                    }
                }
                if self.plan.settings.turns(&op.keys) > 1 {
                    self.observer.count(if adopted {
                        "adopted in several slots"
                    } else {
                        "granted in several slots"
                    });
                }
                let turns = self.plan.settings.turns(&op.keys);
                let hold = Hold { client, lock, owner, minted, adopted, keys, turns, asked };
                let (clients, time) = (&self.clients, self.now);
                self.observer
                    .lock_reported(hold, fence, |hold| clients[hold.client].believes(hold.lock, time))?;
                for &(after, operation) in &op.operations {
                    self.after(after, Happening::Operation(client, lock, operation));
                }
                self.after(op.hold, Happening::Release(client, lock));
                if let Some(handover) = op.handover.filter(|_| !adopted) {
                    self.after(handover.after, Happening::HandOver(client, lock));
                }
            }
            Event::Failed { lock, failure } => {
                let task = self.task(client, lock)?;
                if task.stage != Stage::Waiting {
                    return Err(twice("a failure", lock, task.stage));
                }
                task.stage = Stage::Over;
                let op = &self.plan.ops[self.clients[client].tasks[&lock].op];
                // A token of the application cannot be replaced by another one after some of several servers, or of
                // several slots, granted it.
                let gave_up = op.token.is_some() && self.plan.settings.grants_in_part(&op.keys);
                // A limited wait may be over before the slot has moved.
                let is_moving = self.plan.settings.cluster.is_some() && failure.code == Code::Server;
                let timed_out =
                    (failure.code == Code::Timeout || is_moving) && (op.wait != u64::MAX || gave_up);
                // There may be no lock to adopt any more, unless the process that handed it over still holds
                // it.
                let gone = failure.code == Code::Lost && self.is_gone(client, lock);
                if self.observer.is_calm() && !timed_out && !gone {
                    return Err(Violation::new("calm", format!("{lock:?} of client {client}: {failure:?}")));
                }
                self.check_refused(client, lock, &failure)?;
                self.check_patience(client, lock, &failure)?;
                self.observer.count("failed");
            }
            Event::Lost { lock, loss: Loss::Gone, .. } => {
                self.on_released(client, lock, ReleaseOutcome::Expired)?
            }
            Event::Released { lock, outcome } => self.on_released(client, lock, outcome)?,
            Event::Lost { lock, loss, .. } => {
                let task = self.task(client, lock)?;
                if !matches!(task.stage, Stage::Held | Stage::Releasing) {
                    return Err(twice("a loss", lock, task.stage));
                }
                task.stage = Stage::Over;
                let (owner, op) = (task.owner.clone(), task.op);
                let keys = self.plan.ops[op].keys.clone();
                if loss == Loss::NotOurs {
                    self.validity.check_told(client, &owner, &keys, Told::NotOurs, 0)?;
                    self.observer.evidence.check_denied(&owner)?;
                }
                self.observer.over(client, lock);
                // An adopter has changed the value of the keys.
                let taken_over = self.observer.taken_over(&owner, client);
                if loss != Loss::MaxHold && !taken_over {
                    self.observer.impatient(|| format!("{lock:?} of client {client} lost: {loss:?}"))?;
                }
                let task = &self.clients[client].tasks[&lock];
                let renewed =
                    self.plan.ops[task.op].renew && !taken_over && !self.observer.let_go(&task.owner, client);
                if self.observer.is_calm() && loss != Loss::MaxHold && renewed {
                    return Err(Violation::new(
                        "calm",
                        format!("{lock:?} of client {client} lost: {loss:?}"),
                    ));
                }
                self.observer.count(match loss {
                    Loss::Expired => "lost by time",
                    Loss::NotOurs => "lost by reply",
                    Loss::MaxHold => "lost by maxHold",
                    // No client of the simulation is closed, and what the release found is handled above.
                    Loss::Closed | Loss::Gone => return Err(twice("a close", lock, Stage::Over)),
                });
            }
            Event::Extended { op, .. } => {
                let (index, owner, since) = self.end_operation(client, op)?;
                self.validity.check_told(
                    client,
                    &owner,
                    &self.plan.ops[index].keys,
                    Told::Extended,
                    since,
                )?;
            }
            Event::Verified { op, .. } => drop(self.end_operation(client, op)?),
            Event::OperationFailed { op, lock, failure } => {
                self.end_operation(client, op)?;
                self.check_refused(client, lock, &failure)?;
                let is_over = failure.code == Code::Lost && self.task(client, lock)?.stage != Stage::Held;
                if !is_over {
                    self.observer.impatient(|| format!("{op:?} of client {client}: {failure:?}"))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// An operation is answered: the plan and the token of its lock, and how many calls had been written before it was
    /// requested. The event names the handle that is held longest; what counts is the operation's own id.
    fn end_operation(&mut self, client: usize, op: OperationId) -> Result<(usize, Vec<u8>, u64), Violation> {
        let again = || Violation::new("settled once", format!("client {client} hears of {op:?} again"));
        let mut tasks = self.clients[client].tasks.values_mut();
        tasks
            .find_map(|task| Some((task.op, task.owner.clone(), task.operations.remove(&op)?)))
            .ok_or_else(again)
    }

    /// A release has ended.
    fn on_released(
        &mut self,
        client: usize,
        lock: HandleId,
        outcome: ReleaseOutcome,
    ) -> Result<(), Violation> {
        let task = self.task(client, lock)?;
        if task.stage != Stage::Releasing {
            return Err(twice(client, "a release", lock, task.stage));
        }
        task.stage = Stage::Over;
        let task = &self.clients[client].tasks[&lock];
        let shared =
            self.observer.let_go(&task.owner, client) || self.observer.taken_over(&task.owner, client);
        if outcome == ReleaseOutcome::Released && task.minted {
            let keys = &self.plan.ops[task.op].keys;
            let (turns, keys) = (self.plan.settings.turns(keys), keys.iter().copied().collect());
            self.observer.evidence.check_released(&task.owner, &keys, turns)?;
        }
        // A release that a slot's move holds up may come after the end of the lease.
        let is_in_time = self.plan.settings.cluster.is_none();
        if self.observer.is_calm() && outcome != ReleaseOutcome::Released && !shared && is_in_time {
            return Err(Violation::new("calm", format!("{lock:?} of client {client}: {outcome:?}")));
        }
        // Where the answer was lost, nobody can tell whether this release deleted the key.
        let is_known = outcome != ReleaseOutcome::Unknown || !task.cut;
        if outcome != ReleaseOutcome::Released && is_known {
            self.observer.impatient(|| format!("{lock:?} of client {client}: {outcome:?}"))?;
        }
        self.observer.count("released");
        Ok(())
    }

    /// A server that denies the user a key refuses whole runs; each lock fails because of its own keys alone.
    fn check_refused(&self, client: usize, lock: HandleId, failure: &LockError) -> Result<(), Violation> {
        let is_refused = failure.message.contains("access a key");
        let task = self.clients[client].tasks.get(&lock).filter(|_| is_refused);
        if task.is_none_or(|task| self.plan.may_be_denied(&self.plan.ops[task.op].keys)) {
            return Ok(());
        }
        let text = format!("{lock:?} of client {client}: {failure:?}");
        Err(Violation::new("refused for its own sake", text))
    }

    /// Whether an acquire may fail now. An answer that has arrived must be read before, and where nothing fails but what
    /// a patient client waits out, a free lock is granted.
    fn check_patience(&self, client: usize, lock: HandleId, failure: &LockError) -> Result<(), Violation> {
        let this = &self.clients[client];
        let text = |what: &str| {
            Violation::new("patience", format!("{lock:?} of client {client} {what}: {failure:?}"))
        };
        let nothing_came = matches!(failure.code, Code::Timeout | Code::Connection | Code::Quorum);
        if nothing_came && self.has_unread(client) {
            return Err(text("fails before an answer is read"));
        }
        let task = &this.tasks[&lock];
        let op = &self.plan.ops[task.op];
        let listened = this.listening.most.minus(task.listened);
        // Under a token of the application, the first attempt on several servers, or in several slots, may be the last.
        let may_retry = op.token.is_none() || !self.plan.settings.grants_in_part(&op.keys);
        let is_early = op.wait > 0 && may_retry && listened < Duration::from_millis(op.wait);
        if failure.code == Code::Timeout && is_early {
            return Err(text("fails before the end of its wait"));
        }
        if self.plan.is_alone(task.op) || op.wait == u64::MAX {
            self.observer.impatient(|| format!("{lock:?} of client {client} was free: {failure:?}"))?;
        }
        Ok(())
    }

    /// Whether bytes have arrived that the client has not read, because its timers run first.
    pub fn has_unread(&self, client: usize) -> bool {
        let is_unread = |happening: &Happening| match happening {
            Happening::ToClient(link, _) => self.links[link].client_open,
            _ => false,
        };
        self.clients[client].inbox.iter().any(is_unread)
    }

    /// No acquire waits longer than its `wait`. A loss is reported before validity ends, and the engine has a
    /// timer for it.
    pub fn check_beliefs(&self, client: usize, now: Instant) -> Result<(), Violation> {
        let this = &self.clients[client];
        let mut waiting = this.tasks.iter().filter(|(_, task)| task.stage == Stage::Waiting);
        if let Some((lock, _)) = waiting.find(|(_, task)| this.listening.least > task.settles) {
            return Err(Violation::new(
                "settles in time",
                format!("{lock:?} of client {client} still waits"),
            ));
        }
        for (&lock, task) in this.tasks.iter().filter(|(_, task)| task.stage == Stage::Held) {
            let remaining = this.engine.remaining(lock, now);
            let keys: BTreeSet<_> = self.plan.ops[task.op].keys.iter().map(|&key| key_name(key)).collect();
            let until = self.validity.until(client, &task.owner, &Vec::from_iter(keys));
            if now.after(remaining) > until {
                let text = format!(
                    "{lock:?} of client {client} lasts until {until:?}, and {remaining:?} at {now:?}"
                );
                return Err(Violation::new("validity", text));
            }
            if remaining == Duration::ZERO {
                return Err(Violation::new(
                    "loss reported in time",
                    format!("{lock:?} of client {client} is over"),
                ));
            }
            if this.engine.poll_timeout().is_none_or(|at| at > now.after(remaining)) {
                return Err(Violation::new(
                    "loss reported in time",
                    format!("no timer for {lock:?} of client {client}"),
                ));
            }
        }
        Ok(())
    }

    /// Whether the lock that a client was to adopt, or to re-enter after a handover, is held by no one any
    /// more. The adopter may have held it before and released it: then the processes that handed it over
    /// still believe that they hold it.
    fn is_gone(&self, client: usize, lock: HandleId) -> bool {
        let task = &self.clients[client].tasks[&lock];
        let mut tasks = self.clients.iter().flat_map(|client| client.tasks.values());
        let held = tasks.any(|other| other.owner == task.owner && other.stage == Stage::Held);
        let let_go =
            self.observer.let_go(&task.owner, client) || self.observer.taken_over(&task.owner, client);
        let_go || task.adopted && (!held || self.observer.let_go_by(&task.owner, client))
    }

    fn task(&mut self, client: usize, lock: HandleId) -> Result<&mut Task, Violation> {
        let unknown = || {
            Violation::new("settled once", format!("client {client} hears of {lock:?}, which is nobody's"))
        };
        self.clients[client].tasks.get_mut(&lock).ok_or_else(unknown)
    }
}

/// A handle's fate is reported again.
fn twice(client: usize, what: &str, lock: HandleId, stage: Stage) -> Violation {
    Violation::new("settled once", format!("client {client} hears {what} of {lock:?}, which is {stage:?}"))
}
