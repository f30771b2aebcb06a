//! The application's side: its requests, the events that it got, and the events that it may get next.

use redlatch::{
    Duration, Engine, Entropy, Event, HandleId, Instant, LockError, Loss, OperationId, ReleaseOutcome,
    Request,
};

use super::{
    call::Call,
    ledger::{Answer, Ledger, OwnedLock},
    world::Listening,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Command,
    Held,
    /// It requested the release.
    Releasing,
    /// Cancelled in this step: an event that was overdue before may still arrive.
    Cancelled,
    /// Failed, lost, released or cancelled: no further event may name it.
    Over,
}

#[derive(Debug)]
struct Lock {
    id: HandleId,
    keys: Vec<Vec<u8>>,
    /// The application's own token, or the one that came with the grant.
    token: Option<Vec<u8>>,
    own: bool,
    phase: Phase,
    wait: Duration,
    /// When the acquire or the release has to be settled: for how long the client has listened by then (rule 16).
    settles: Duration,
    /// For how long the client had listened without a stall when the engine was first called for its timers after that.
    overdue: Option<Duration>,
    may_end_by_itself: bool,
}

/// After two `nodeTimeout` and a second at most, an application hears of its release.
const LONGEST_RELEASE: Duration = Duration::from_millis(2 * 2000 + 1000);

/// For how long the engine listens again and looks at most, without a stall in between, before it believes a deadline that
/// has passed: 250 ms after a first stall, a quarter of that after each further one, and some looks.
const LONGEST_LOOK: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct Operation {
    op: OperationId,
    lock: HandleId,
    /// The number of commands that were written before.
    seq: u64,
    /// The requested lease in ms; `None` for a verification.
    ttl: Option<u64>,
}

#[derive(Debug, Default)]
pub struct App {
    locks: Vec<Lock>,
    operations: Vec<Operation>,
    /// What was held or requested before the last step.
    live: Vec<OwnedLock>,
    /// Must never be shown; empty for none.
    password: &'static str,
    /// Whether servers may say anything, even a token: then only the password must not be shown.
    wild: bool,
}

impl App {
    pub fn new(password: &'static str, wild: bool) -> Self {
        Self { password, wild, ..Self::default() }
    }

    pub fn requested(&mut self, id: HandleId, request: &Request, listened: Duration) {
        assert!(self.locks.iter().all(|lock| lock.id != id), "a number is given out twice");
        let mut keys = request.keys.clone();
        keys.sort();
        keys.dedup();
        self.locks.push(Lock {
            id,
            keys,
            token: request.token.clone(),
            own: request.token.is_some(),
            phase: Phase::Command,
            wait: request.wait,
            // A single attempt takes as long as connections and servers take; at the end it is settled.
            settles: if request.wait > Duration::ZERO { listened.plus(request.wait) } else { Duration::MAX },
            overdue: None,
            may_end_by_itself: request.max_hold < Duration::MAX,
        });
    }

    pub fn operation_requested(&mut self, op: OperationId, lock: HandleId, ttl: Option<u64>, seq: u64) {
        assert!(self.operations.iter().all(|operation| operation.op != op), "a number is given out twice");
        self.operations.push(Operation { op, lock, seq, ttl });
    }

    /// The application releases the lock, if it holds it.
    pub fn releases(&mut self, id: HandleId, listened: Duration) {
        let lock = self.lock(id);
        if lock.phase == Phase::Held {
            (lock.phase, lock.settles, lock.overdue) =
                (Phase::Releasing, listened.plus(LONGEST_RELEASE), None);
        }
    }

    pub fn cancelled(&mut self, id: HandleId) {
        let lock = self.lock(id);
        if lock.phase != Phase::Over {
            lock.phase = Phase::Cancelled;
        }
    }

    /// How many locks were requested.
    pub const fn requests(&self) -> usize {
        self.locks.len()
    }

    /// The handle of any lock so far.
    pub fn pick(&self, n: u8) -> Option<HandleId> {
        self.locks.get(usize::from(n).checked_rem(self.locks.len())?).map(|lock| lock.id)
    }

    /// Before the grant the application can only cancel, and after it requested the release it cannot.
    pub fn may(&self, id: HandleId, cancel: bool) -> bool {
        self.locks.iter().any(|lock| {
            let phase = lock.phase;
            lock.id == id && if cancel { phase != Phase::Releasing } else { phase != Phase::Command }
        })
    }

    /// The acquires with an endless wait.
    pub fn endless_waits(&self) -> Vec<HandleId> {
        self.which(|lock| lock.phase == Phase::Command && lock.wait == Duration::MAX)
    }

    pub fn held(&self) -> Vec<HandleId> {
        self.which(|lock| lock.phase == Phase::Held)
    }

    pub fn is_settled(&self) -> bool {
        self.operations.is_empty() && self.locks.iter().all(|lock| lock.phase == Phase::Over)
    }

    fn which(&self, fits: impl Fn(&Lock) -> bool) -> Vec<HandleId> {
        self.locks.iter().filter(|lock| fits(lock)).map(|lock| lock.id).collect()
    }

    fn lock(&mut self, id: HandleId) -> &mut Lock {
        self.locks.iter_mut().find(|lock| lock.id == id).expect("a lock that was requested")
    }

    pub fn on_event(&mut self, event: &Event, ledger: &Ledger, remaining: Duration, now: Instant) {
        let (password, wild) = (self.password, self.wild);
        match event {
            Event::Granted { lock: id, fence, token, .. } => {
                let lock = self.lock(*id);
                assert_eq!(lock.phase, Phase::Command, "granted, {lock:?}");
                assert_eq!(token.is_none(), lock.own);
                lock.token = lock.token.take().or(token.as_ref().map(|token| token.to_hex().to_vec()));
                lock.phase = Phase::Held;
                let owned = lock.owned().unwrap();
                let validity = ledger.validity(&owned);
                assert!(validity > now.as_micros(), "granted without a majority's answer: {lock:?}");
                assert!(remaining > Duration::ZERO, "granted with nothing left");
                let own = lock.own;
                let minted = ledger.ever(&owned, |entry| entry.answer == Answer::Granted(*fence));
                // Several servers have no fence, and an adopted lock may have none.
                let fits =
                    if *fence == 0 { ledger.nodes > 1 || own } else { ledger.nodes == 1 && minted > 0 };
                assert!(fits, "fence {fence}");
            }
            Event::Failed { lock: id, failure } => {
                let lock = self.lock(*id);
                assert!(matches!(lock.phase, Phase::Command | Phase::Cancelled), "failed, {lock:?}");
                lock.phase = Phase::Over;
                no_secret(failure, password.as_bytes());
                let token = lock.token.as_deref().filter(|_| !wild);
                no_secret(failure, token.unwrap_or_default());
                assert!(failure.votes.is_empty() || failure.votes.len() == ledger.nodes as usize);
            }
            Event::Lost { lock: id, loss, .. } => {
                let lock = self.lock(*id);
                assert!(
                    matches!(lock.phase, Phase::Held | Phase::Releasing | Phase::Cancelled),
                    "lost, {lock:?}"
                );
                lock.phase = Phase::Over;
                let owned = lock.owned().unwrap();
                let denials = ledger.ever(&owned, |entry| entry.answer == Answer::NotOurs);
                let keys = owned.keys.len() as u64;
                let is_gone = |answer: &Answer| matches!(answer, Answer::Released(count) if *count < keys);
                match loss {
                    Loss::Gone => {
                        let gone = ledger.ever(&owned, |entry| is_gone(&entry.answer));
                        assert!(gone > ledger.nodes as usize - ledger.quorum(), "gone by nobody's answer");
                    }
                    Loss::NotOurs => assert!(denials > ledger.nodes as usize - ledger.quorum()),
                    Loss::MaxHold => assert!(lock.own || lock.may_end_by_itself),
                    _ => {}
                }
            }
            Event::Released { lock: id, outcome } => {
                let lock = self.lock(*id);
                assert!(matches!(lock.phase, Phase::Releasing | Phase::Cancelled), "released, {lock:?}");
                lock.phase = Phase::Over;
                let owned = lock.owned().unwrap();
                let all = Answer::Released(owned.keys.len() as u64);
                // The release of one of several handles of a lock is reported at once.
                let confirmed =
                    lock.own || ledger.ever(&owned, |entry| entry.answer == all) >= ledger.quorum();
                assert!(*outcome != ReleaseOutcome::Released || confirmed, "released by nobody's answer");
            }
            Event::Extended { op, .. } => self.check_confirmed(*op, ledger),
            Event::Verified { op, ours: true, .. } => self.check_confirmed(*op, ledger),
            Event::Verified { op, ours: false, .. } => {
                let (operation, owned) = self.settle(*op);
                assert_eq!(operation.ttl, None);
                let denials = ledger.ever(&owned.unwrap(), |entry| entry.answer == Answer::NotOurs);
                assert!(denials > ledger.nodes as usize - ledger.quorum(), "not ours by nobody's answer");
            }
            Event::OperationFailed { op, failure, .. } => {
                let (_, owned) = self.settle(*op);
                no_secret(failure, password.as_bytes());
                let token = owned.map(|owned| owned.token).filter(|_| !wild);
                no_secret(failure, &token.unwrap_or_default());
            }
            Event::Contended { lock }
            | Event::Renewed { lock, .. }
            | Event::RenewFailed { lock, .. }
            | Event::Degraded { lock, .. } => {
                self.lock(*lock);
            }
            _ => {}
        }
    }

    /// A majority has confirmed it in reply to a command that was sent after this operation was requested.
    fn check_confirmed(&mut self, op: OperationId, ledger: &Ledger) {
        let (operation, owned) = self.settle(op);
        let lease_ms = operation.ttl.unwrap_or(0);
        let said = ledger.ever(&owned.unwrap(), |entry| {
            entry.answer == Answer::Ours && entry.seq > operation.seq && entry.lease_ms >= lease_ms
        });
        assert!(said >= ledger.quorum(), "{operation:?} is answered by nobody's answer");
    }

    fn settle(&mut self, op: OperationId) -> (Operation, Option<OwnedLock>) {
        let place = self
            .operations
            .iter()
            .position(|operation| operation.op == op)
            .expect("answered twice, or not requested");
        let operation = self.operations.swap_remove(place);
        let owned = self.lock(operation.lock).owned();
        (operation, owned)
    }

    /// Before a step: records what may be extended in it.
    pub fn begin_step(&mut self) {
        self.live = self.alive();
    }

    fn alive(&self) -> Vec<OwnedLock> {
        let alive = |lock: &&Lock| lock.phase == Phase::Held || lock.own && lock.phase == Phase::Command;
        self.locks.iter().filter(alive).filter_map(Lock::owned).collect()
    }

    /// After a step: checks that everything written in it was allowed.
    pub fn end_step(&mut self, written: &[(u32, u64, Call)]) {
        for lock in self.locks.iter_mut().filter(|lock| lock.phase == Phase::Cancelled) {
            lock.phase = Phase::Over;
        }
        let alive = self.alive();
        for (index, (node, _, call)) in written.iter().enumerate() {
            if !call.script.extends() {
                continue;
            }
            for owned in &call.locks {
                let known = alive.contains(owned) || self.live.contains(owned);
                assert!(known, "extends a lock that is no longer held");
                let own = self.locks.iter().any(|lock| lock.own && lock.token.as_ref() == Some(&owned.token));
                let released = written[..index].iter().any(|(at, _, other)| {
                    at == node && other.script.releases() && other.locks.contains(owned)
                });
                assert!(own || !released, "extends after the release");
            }
        }
    }

    /// What holds whenever the engine is drained.
    pub fn check<E: Entropy + 'static>(&self, engine: &Engine<E>, ledger: &Ledger, now: Instant) {
        let next = engine.poll_timeout();
        let in_time = |until: u64| next.is_some_and(|next| next.as_micros() <= until);
        for lock in &self.locks {
            let remaining = engine.remaining(lock.id, now);
            match lock.phase {
                Phase::Held => {
                    assert!(remaining > Duration::ZERO, "the loss was not reported: {lock:?}");
                    let validity = ledger.validity(&lock.owned().unwrap());
                    assert!(
                        now.after(remaining).as_micros() <= validity,
                        "believed in for too long: {lock:?}"
                    );
                    assert!(in_time(validity), "no timer will report the loss: {lock:?}");
                }
                Phase::Command => {
                    // A re-entry of a held lock may have been confirmed before.
                    assert!(lock.own || remaining == Duration::ZERO, "held without a grant: {lock:?}");
                }
                Phase::Releasing => assert_eq!(remaining, Duration::ZERO, "held though released"),
                Phase::Cancelled | Phase::Over => {
                    assert_eq!(remaining, Duration::ZERO, "held again: {lock:?}")
                }
            }
        }
    }

    /// Whether everything is settled in time, and the engine asks to be called for it. A deadline is believed only after a
    /// look whether anything has come.
    pub fn check_waits(
        &self,
        next: Option<Instant>,
        &Listening { least: listened, calm, .. }: &Listening,
        now: Instant,
    ) {
        for lock in self.locks.iter().filter(|lock| lock.is_open()) {
            // After a stall, the engine listens again for up to 250 ms.
            let left = lock.settles.minus(listened).plus(Duration::from_millis(252));
            assert!(next.is_some_and(|next| next <= now.after(left)), "nobody will settle: {lock:?}");
            let looked = lock.overdue.map_or(Duration::ZERO, |since| calm.minus(since));
            assert!(looked <= LONGEST_LOOK, "not settled in time: {lock:?}");
        }
    }

    /// The engine was called for its timers.
    pub fn looked(&mut self, listening: &Listening) {
        for lock in self.locks.iter_mut().filter(|lock| lock.is_open() && lock.settles <= listening.least) {
            lock.overdue.get_or_insert(listening.calm);
        }
    }
}

impl Lock {
    /// Whether the engine still owes an answer.
    fn is_open(&self) -> bool {
        self.phase == Phase::Releasing || self.phase == Phase::Command && self.wait < Duration::MAX
    }

    fn owned(&self) -> Option<OwnedLock> {
        Some(OwnedLock { token: self.token.clone()?, keys: self.keys.clone() })
    }
}

fn no_secret(failure: &LockError, secret: &[u8]) {
    let text = format!("{failure:?}");
    assert!(secret.is_empty() || !text.contains(&*String::from_utf8_lossy(secret)), "{text}");
}
