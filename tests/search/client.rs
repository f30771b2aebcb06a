//! A client: the engine, and an application that carries out its plan.

use redlatch::{Code, Duration, Endpoint, Engine, Event, HandleId, Instant, Loss, ReleaseOutcome, Request};

use crate::{
    setup::{Op, Setup, TICK, lease},
    world::{Seeded, ms},
};

/// When a world begins, in ticks: long after the epoch, like real clocks.
const EPOCH: u64 = 1_000_000;

/// The time after that many ticks.
pub fn instant(tick: u64) -> Instant {
    behind(tick, 0)
}

/// Where the servers of a cluster are.
pub const HOST: &str = "10.0.0.1";
pub const fn port(server: usize) -> u16 {
    7000 + server as u16
}

/// The same by a clock that is `lag` ticks behind.
fn behind(tick: u64, lag: u64) -> Instant {
    Instant::default().after(ms((EPOCH + tick - lag) * TICK))
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    Pending,
    Granted {
        fence: u64,
    },
    /// The application has released the lock and waits for the outcome.
    Releasing,
    Over,
}

/// An acquisition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    pub lock: HandleId,
    pub keys: Vec<&'static str>,
    /// The owner: the same number for acquisitions that share a token.
    pub owner: usize,
    pub status: Status,
}

#[derive(Clone, Hash)]
pub struct Client {
    pub engine: Engine<Seeded>,
    /// How many steps of the plan are done.
    pub step: usize,
    pub slots: Vec<Slot>,
    /// Ticks by which its clock is behind.
    pub lag: u64,
    /// Operations that are not settled.
    pub operations: usize,
}

impl Client {
    pub fn new(index: usize, setup: &Setup) -> Self {
        let mut engine = Engine::new(setup.policy.clone(), Seeded(index as u64 + 1));
        for _ in 0..setup.servers {
            engine.add_node(Endpoint::default());
        }
        if setup.is_cluster {
            let address = |server| format!("{HOST}:{}", port(server));
            let addresses: Vec<_> = (0..setup.servers).map(address).collect();
            assert!(engine.form_cluster(&addresses.join("\n")));
        }
        Self { engine, step: 0, slots: Vec::new(), lag: 0, operations: 0 }
    }

    pub fn now(&self, tick: u64) -> Instant {
        behind(tick, self.lag)
    }

    pub fn has_due_timer(&self, tick: u64) -> bool {
        self.engine.poll_timeout().is_some_and(|at| at <= self.now(tick))
    }

    /// The timer fires, and the look at the sockets before a patient deadline finds nothing: what may arrive during the
    /// look may also arrive before the timer fires, which is another branch.
    pub fn fire(&mut self, tick: u64) {
        let now = self.now(tick);
        self.engine.handle_timeout(now);
        self.engine.handle_absence(now);
    }

    /// Whether the application believes that it holds the slot's lock.
    pub fn believes(&self, slot: &Slot, tick: u64) -> bool {
        matches!(slot.status, Status::Granted { .. })
            && self.engine.remaining(slot.lock, self.now(tick)) > Duration::ZERO
    }

    /// Whether a step of the plan can be taken now.
    pub fn is_able(&self, op: &Op) -> bool {
        match *op {
            Op::Acquire { .. } | Op::AcquireEach { .. } | Op::Enter { .. } | Op::Cancel(_) => true,
            Op::ReleaseBoth => self.slots.iter().take(2).all(|slot| slot.status != Status::Pending),
            Op::Release(slot) | Op::Extend(slot) => {
                self.slots.get(slot).is_some_and(|slot| !matches!(slot.status, Status::Pending))
            }
        }
    }

    pub fn carry_out(&mut self, op: &Op, setup: &Setup, tick: u64) {
        self.step += 1;
        let now = self.now(tick);
        match *op {
            Op::Acquire { keys, wait } => self.acquire(keys.to_vec(), None, wait, setup, now),
            Op::AcquireEach { keys, wait } => {
                keys.iter().for_each(|&key| self.acquire(vec![key], None, wait, setup, now));
            }
            Op::Enter { key, token } => self.acquire(vec![key], Some(token), 3, setup, now),
            Op::Release(slot) => self.release(slot, now),
            Op::ReleaseBoth => [0, 1].into_iter().for_each(|slot| self.release(slot, now)),
            Op::Extend(slot) => {
                self.engine.extend(self.slots[slot].lock, lease(setup.ttl), now);
                self.operations += 1;
            }
            Op::Cancel(slot) => {
                self.slots[slot].status = Status::Over;
                self.engine.cancel(self.slots[slot].lock, now);
            }
        }
    }

    fn release(&mut self, slot: usize, now: Instant) {
        if matches!(self.slots[slot].status, Status::Granted { .. }) {
            self.slots[slot].status = Status::Releasing;
            self.engine.release(self.slots[slot].lock, now);
        }
    }

    fn acquire(
        &mut self,
        keys: Vec<&'static str>,
        token: Option<&str>,
        wait: u64,
        setup: &Setup,
        now: Instant,
    ) {
        let request = Request {
            keys: keys.iter().map(|key| key.as_bytes().to_vec()).collect(),
            token: token.map(|token| token.as_bytes().to_vec()),
            ttl: lease(setup.ttl),
            wait: ms(wait * TICK),
            renew: setup.renew,
            max_hold: Duration::MAX,
            fair: setup.fair,
            adopt: None,
        };
        let lock = self.engine.acquire(request, now).unwrap();
        let owner = if token.is_some() { 0 } else { self.slots.len() };
        self.slots.push(Slot { lock, keys, owner, status: Status::Pending });
    }

    /// Records an event: the slot that it concerns and the name of its outcome, if the event has one.
    pub fn on_event(&mut self, event: Event) -> Option<(Option<usize>, &'static str)> {
        let (lock, status, name) = match event {
            Event::Granted { lock, fence, .. } => (lock, Status::Granted { fence }, "granted"),
            Event::Failed { lock, failure } => (lock, Status::Over, name_of(&failure.code)),
            Event::Lost { lock, loss: Loss::Expired, .. } => (lock, Status::Over, "lost"),
            Event::Lost { lock, loss: Loss::Gone, .. } => (lock, Status::Over, "expired"),
            Event::Lost { lock, .. } => (lock, Status::Over, "not ours"),
            Event::Released { lock, outcome } => (
                lock,
                Status::Over,
                match outcome {
                    ReleaseOutcome::Released => "released",
                    ReleaseOutcome::Unknown => "unknown",
                    ReleaseOutcome::Expired => unreachable!("no client of the search is closed"),
                },
            ),
            Event::Extended { .. } | Event::OperationFailed { .. } => {
                self.operations -= 1;
                return None;
            }
            _ => return None,
        };
        let slot = self.slots.iter().position(|slot| slot.lock == lock && slot.status != Status::Over);
        if let Some(index) = slot {
            self.slots[index].status = status;
        }
        Some((slot, name))
    }
}

fn name_of(code: &Code) -> &'static str {
    match code {
        Code::Timeout => "timed out",
        Code::Quorum => "no quorum",
        Code::Connection => "no connection",
        Code::Lost => "lost in the act",
        _ => "another failure",
    }
}
