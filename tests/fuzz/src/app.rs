//! The application's side: what it asked for, what it was told, and what it may be told next.

use redlatch::{
    Duration, Engine, Entropy, Event, HandleId, Instant, LockError, Loss, OperationId, ReleaseOutcome,
    Request,
};

use super::{
    ledger::{Ledger, Title, Word},
    wire::Call,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Asked,
    Held,
    /// Its release was asked for at that time.
    Leaving(u64),
    /// Cancelled in this step: all that may still be heard is what was overdue before.
    Dropped,
    /// Failed, lost, released or cancelled: nothing more is heard of it.
    Over,
}

#[derive(Debug)]
struct Lock {
    id: HandleId,
    keys: Vec<Vec<u8>>,
    /// The application's own, or the one that came with the grant.
    token: Option<Vec<u8>>,
    own: bool,
    phase: Phase,
    begun: u64,
    wait: Duration,
    may_end_by_itself: bool,
}

#[derive(Debug)]
struct Question {
    op: OperationId,
    lock: HandleId,
    /// What had been written by then.
    seq: u64,
    /// The lease asked for, in ms; `None` for a verification.
    ttl: Option<u64>,
}

#[derive(Debug, Default)]
pub struct App {
    locks: Vec<Lock>,
    open: Vec<Question>,
    /// Titles that were believed in or asked for before the last step.
    live: Vec<Title>,
    /// Shown nowhere; empty for none.
    password: &'static str,
    /// Whether servers may say anything, a token too: of what they say, only the password is kept back.
    wild: bool,
}

impl App {
    pub fn new(password: &'static str, wild: bool) -> Self {
        Self { password, wild, ..Self::default() }
    }

    pub fn asked(&mut self, id: HandleId, request: &Request, now: Instant) {
        assert!(self.locks.iter().all(|lock| lock.id != id), "a number is given out twice");
        let mut keys = request.keys.clone();
        keys.sort();
        keys.dedup();
        self.locks.push(Lock {
            id,
            keys,
            token: request.token.clone(),
            own: request.token.is_some(),
            phase: Phase::Asked,
            begun: now.as_micros(),
            wait: request.wait,
            may_end_by_itself: request.max_hold < Duration::MAX,
        });
    }

    pub fn questioned(&mut self, op: OperationId, lock: HandleId, ttl: Option<u64>, seq: u64) {
        assert!(self.open.iter().all(|question| question.op != op), "a number is given out twice");
        self.open.push(Question { op, lock, seq, ttl });
    }

    /// The application lets go, if it holds.
    pub fn leaves(&mut self, id: HandleId, now: Instant) {
        let lock = self.lock(id);
        if lock.phase == Phase::Held {
            lock.phase = Phase::Leaving(now.as_micros());
        }
    }

    pub fn cancelled(&mut self, id: HandleId) {
        let lock = self.lock(id);
        if lock.phase != Phase::Over {
            lock.phase = Phase::Dropped;
        }
    }

    /// The number of any lock so far.
    pub fn pick(&self, n: u8) -> Option<HandleId> {
        self.locks.get(usize::from(n).checked_rem(self.locks.len())?).map(|lock| lock.id)
    }

    /// Before the grant, all that the application can do is to cancel, and after it asked for the release it cannot.
    pub fn may(&self, id: HandleId, cancel: bool) -> bool {
        self.locks.iter().any(|lock| {
            let phase = lock.phase;
            lock.id == id && if cancel { !matches!(phase, Phase::Leaving(_)) } else { phase != Phase::Asked }
        })
    }

    /// Those that wait for ever.
    pub fn patient(&self) -> Vec<HandleId> {
        self.which(|lock| lock.phase == Phase::Asked && lock.wait == Duration::MAX)
    }

    pub fn held(&self) -> Vec<HandleId> {
        self.which(|lock| lock.phase == Phase::Held)
    }

    pub fn is_settled(&self) -> bool {
        self.open.is_empty() && self.locks.iter().all(|lock| lock.phase == Phase::Over)
    }

    fn which(&self, fits: impl Fn(&Lock) -> bool) -> Vec<HandleId> {
        self.locks.iter().filter(|lock| fits(lock)).map(|lock| lock.id).collect()
    }

    fn lock(&mut self, id: HandleId) -> &mut Lock {
        self.locks.iter_mut().find(|lock| lock.id == id).expect("a lock that was asked for")
    }

    pub fn hears(&mut self, event: &Event, ledger: &Ledger, remaining: Duration, now: Instant) {
        let (password, wild) = (self.password, self.wild);
        match event {
            Event::Granted { lock: id, fence, token } => {
                let lock = self.lock(*id);
                assert_eq!(lock.phase, Phase::Asked, "granted, {lock:?}");
                assert_eq!(token.is_none(), lock.own);
                lock.token = lock.token.take().or(token.as_ref().map(|token| token.to_hex()));
                lock.phase = Phase::Held;
                let title = lock.title().unwrap();
                let validity = ledger.validity(&title);
                assert!(validity > now.as_micros(), "granted without a majority's word: {lock:?}");
                assert!(remaining > Duration::ZERO, "granted with nothing left");
                let own = lock.own;
                let minted = ledger.ever(&title, |entry| entry.word == Word::Granted(*fence));
                // None of several servers, nor with a lock that was adopted.
                let fits =
                    if *fence == 0 { ledger.nodes > 1 || own } else { ledger.nodes == 1 && minted > 0 };
                assert!(fits, "fence {fence}");
            }
            Event::Failed { lock: id, failure } => {
                let lock = self.lock(*id);
                assert!(matches!(lock.phase, Phase::Asked | Phase::Dropped), "failed, {lock:?}");
                lock.phase = Phase::Over;
                no_secret(failure, password.as_bytes());
                let token = lock.token.as_deref().filter(|_| !wild);
                no_secret(failure, token.unwrap_or_default());
                assert!(failure.votes.is_empty() || failure.votes.len() == ledger.nodes as usize);
            }
            Event::Lost { lock: id, loss } => {
                let lock = self.lock(*id);
                assert!(
                    matches!(lock.phase, Phase::Held | Phase::Leaving(_) | Phase::Dropped),
                    "lost, {lock:?}"
                );
                lock.phase = Phase::Over;
                let title = lock.title().unwrap();
                let denials = ledger.ever(&title, |entry| entry.word == Word::NotOurs);
                match loss {
                    Loss::NotOurs => assert!(denials > ledger.nodes as usize - ledger.quorum()),
                    Loss::MaxHold => assert!(lock.own || lock.may_end_by_itself),
                    _ => {}
                }
            }
            Event::Released { lock: id, outcome } => {
                let lock = self.lock(*id);
                assert!(matches!(lock.phase, Phase::Leaving(_) | Phase::Dropped), "released, {lock:?}");
                lock.phase = Phase::Over;
                let title = lock.title().unwrap();
                let all = Word::Released(title.keys.len() as u64);
                // One of several holders of an owner's own is done at once.
                let confirmed = lock.own || ledger.ever(&title, |entry| entry.word == all) >= ledger.quorum();
                assert!(*outcome != ReleaseOutcome::Released || confirmed, "released by nobody's word");
            }
            Event::Extended { op, .. } => self.agreed(*op, ledger),
            Event::Verified { op, ours: true, .. } => self.agreed(*op, ledger),
            Event::Verified { op, ours: false, .. } => {
                let (question, title) = self.answered(*op);
                assert_eq!(question.ttl, None);
                let denials = ledger.ever(&title.unwrap(), |entry| entry.word == Word::NotOurs);
                assert!(denials > ledger.nodes as usize - ledger.quorum(), "not ours by nobody's word");
            }
            Event::OperationFailed { op, failure, .. } => {
                let (_, title) = self.answered(*op);
                no_secret(failure, password.as_bytes());
                let token = title.map(|title| title.token).filter(|_| !wild);
                no_secret(failure, &token.unwrap_or_default());
            }
            Event::Contended { lock } | Event::Renewed { lock } | Event::Degraded { lock, .. } => {
                self.lock(*lock);
            }
            _ => {}
        }
    }

    /// A majority has said so to a question that was sent after this one was asked.
    fn agreed(&mut self, op: OperationId, ledger: &Ledger) {
        let (question, title) = self.answered(op);
        let lease_ms = question.ttl.unwrap_or(0);
        let said = ledger.ever(&title.unwrap(), |entry| {
            entry.word == Word::Ours && entry.seq > question.seq && entry.lease_ms >= lease_ms
        });
        assert!(said >= ledger.quorum(), "{question:?} is answered by nobody's word");
    }

    fn answered(&mut self, op: OperationId) -> (Question, Option<Title>) {
        let place =
            self.open.iter().position(|question| question.op == op).expect("answered twice, or not asked");
        let question = self.open.swap_remove(place);
        let title = self.lock(question.lock).title();
        (question, title)
    }

    /// Before a step: what may be extended in it.
    pub fn begin_step(&mut self) {
        self.live = self.alive();
    }

    fn alive(&self) -> Vec<Title> {
        let alive = |lock: &&Lock| lock.phase == Phase::Held || lock.own && lock.phase == Phase::Asked;
        self.locks.iter().filter(alive).filter_map(Lock::title).collect()
    }

    /// After a step: whether what was written in it may have been.
    pub fn end_step(&mut self, written: &[(u32, u64, Call)]) {
        for lock in self.locks.iter_mut().filter(|lock| lock.phase == Phase::Dropped) {
            lock.phase = Phase::Over;
        }
        let alive = self.alive();
        for (index, (node, _, call)) in written.iter().enumerate() {
            if !call.script.extends() {
                continue;
            }
            let title = &call.title;
            let known = alive.contains(title) || self.live.contains(title);
            assert!(known, "extends what nobody holds any more");
            let own = self.locks.iter().any(|lock| lock.own && lock.token.as_ref() == Some(&title.token));
            let released = written[..index]
                .iter()
                .any(|(at, _, other)| at == node && other.script.releases() && other.title == *title);
            assert!(own || !released, "extends after the release");
        }
    }

    /// What holds whenever everything was drained.
    pub fn check<E: Entropy + 'static>(&self, engine: &Engine<E>, ledger: &Ledger, now: Instant) {
        let next = engine.poll_timeout();
        assert!(next.is_none_or(|next| next > now), "time is up and nothing is done");
        let in_time = |until: u64| next.is_some_and(|next| next.as_micros() <= until);
        let micros = now.as_micros();
        for lock in &self.locks {
            let remaining = engine.remaining(lock.id, now);
            match lock.phase {
                Phase::Held => {
                    assert!(remaining > Duration::ZERO, "not told of the loss: {lock:?}");
                    let validity = ledger.validity(&lock.title().unwrap());
                    assert!(
                        now.after(remaining).as_micros() <= validity,
                        "believed in for too long: {lock:?}"
                    );
                    assert!(in_time(validity), "nobody will tell of the loss: {lock:?}");
                }
                Phase::Asked => {
                    // An owner who enters again what he holds may know already.
                    assert!(lock.own || remaining == Duration::ZERO, "held without a grant: {lock:?}");
                    // One attempt takes a connection and an answer at most.
                    let longest =
                        if lock.wait > Duration::ZERO { lock.wait } else { Duration::from_millis(7000) };
                    let until = lock.begun.saturating_add(longest.as_micros());
                    assert!(micros < until, "not settled in time: {lock:?}");
                    assert!(in_time(until) || lock.wait == Duration::MAX, "nobody will settle: {lock:?}");
                }
                Phase::Leaving(since) => {
                    assert_eq!(remaining, Duration::ZERO, "held though released");
                    assert!(micros <= since + 1_000_000, "the release is not settled in time: {lock:?}");
                    assert!(in_time(since + 1_000_000), "nobody will settle the release: {lock:?}");
                }
                Phase::Dropped | Phase::Over => assert_eq!(remaining, Duration::ZERO, "held again: {lock:?}"),
            }
        }
    }
}

impl Lock {
    fn title(&self) -> Option<Title> {
        Some(Title { token: self.token.clone()?, keys: self.keys.clone() })
    }
}

fn no_secret(failure: &LockError, secret: &[u8]) {
    let text = format!("{failure:?}");
    assert!(secret.is_empty() || !text.contains(&*String::from_utf8_lossy(secret)), "{text}");
}
