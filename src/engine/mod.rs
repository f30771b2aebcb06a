//! The composition root: servers, locks and timers, behind the verbs that are the core's whole surface.

mod dispatch;
mod event;
mod holders;
mod nodes;
mod notes;
mod snapshot;

use std::collections::{BTreeMap, VecDeque};

use crate::{
    entropy::Entropy,
    error::{Code, Failure, Misuse},
    lock::{Input, Lines, Lock, LockId, Owner, Policy, Request, Spec, Wish},
    node::{ConnectionId, Endpoint, NodeId},
    time::{Duration, Instant},
    timers::Agenda,
};

pub use event::{Event, Loss, OpId, Outcome};
use holders::Hold;
pub(crate) use nodes::Nodes;
pub use notes::Counters;
pub(crate) use notes::Notes;
pub use snapshot::{NodeSnapshot, Snapshot};

/// Locks that may be held, waited for and cleaned up after at once.
const MOST_LOCKS: usize = 100_000;

/// The shortest pause between attempts.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// All locks of one client.
///
/// **Feed one thing, then drain everything:** after any call of an application verb or a `handle_*`, pull every
/// `poll_*` until it has nothing more, in any order, before waiting for the next thing to happen. Draining partly delays
/// things, and corrupts nothing.
pub struct Engine<E> {
    policy: Policy,
    entropy: E,
    nodes: Nodes,
    locks: BTreeMap<LockId, Box<Lock>>,
    /// Locks that were entered again, by the numbers of those who did.
    aliases: Vec<(LockId, LockId)>,
    /// Locks that begin when others of the same owner are out of the way.
    parked: Vec<LockId>,
    lines: Lines,
    leftovers: Vec<Lock>,
    /// Waiters of ours that a server named as the head of a queue, and who heard of it.
    heads: Vec<(LockId, LockId)>,
    /// Whether a lock came to be held, or is over: one that is parked may begin.
    unblocked: bool,
    notes: Notes,
    agenda: Agenda<Sleeper>,
    events: VecDeque<Event>,
    last_lock: u32,
    last_op: u32,
}

/// Who has timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sleeper {
    Lock(LockId),
    Node(NodeId),
}

impl<E: Entropy + 'static> Engine<E> {
    /// An engine without servers: add them before the first lock.
    #[must_use]
    pub fn new(mut policy: Policy, entropy: E) -> Self {
        // Without any pause, a server that cannot be had would be asked for ever within one call.
        policy.retry_min = policy.retry_min.max(SHORTEST_PAUSE);
        policy.retry_max = policy.retry_max.max(policy.retry_min);
        Self {
            policy,
            entropy,
            nodes: Nodes::default(),
            locks: BTreeMap::new(),
            aliases: Vec::new(),
            parked: Vec::new(),
            lines: Lines::default(),
            leftovers: Vec::new(),
            heads: Vec::new(),
            unblocked: false,
            notes: Notes::default(),
            agenda: Agenda::default(),
            events: VecDeque::new(),
            last_lock: 0,
            last_op: 0,
        }
    }

    /// From now on, also tells what only those hear who watch: contention, renewals, connections.
    pub fn observe(&mut self) {
        self.notes.observed = true;
    }

    /// Adds a server. With several, every lock needs a majority of them.
    pub fn add_node(&mut self, endpoint: Endpoint) -> NodeId {
        self.nodes.add(endpoint, self.policy.connect_timeout)
    }

    /// Asks for a lock. [`Event::Granted`] or [`Event::Failed`] follows, once.
    ///
    /// # Errors
    /// [`Misuse`] if the request is not in order, with nothing sent.
    pub fn acquire(&mut self, request: Request, now: Instant) -> Result<LockId, Misuse> {
        self.run_due(now);
        if self.nodes.count() == 0 {
            return Err(Misuse::NoNode);
        }
        if request.fair && self.nodes.count() > 1 {
            return Err(Misuse::FairOnSeveral);
        }
        let spec = Spec::new(&request, &self.policy)?;
        let id = self.next_lock();
        let identified = self.nodes.identify(&mut self.entropy);
        let owner = Owner::new(request.token.as_deref(), &mut self.entropy);
        match (identified, owner) {
            (Ok(()), Ok(owner)) if self.locks.len() < MOST_LOCKS => {
                let lock = Lock::new(spec, owner, id);
                if request.token.is_some() {
                    self.begin_for_owner(id, lock, now);
                } else {
                    self.begin(id, lock, now);
                }
                self.follow_up(now);
                self.note_nodes();
            }
            (Ok(()), Ok(_)) => {
                self.refuse(id, Code::Overloaded, "too many locks are held or waited for at once")
            }
            _ => {
                let text = "this runtime has no secure randomness (crypto.getRandomValues), without which owners cannot be told apart";
                self.refuse(id, Code::Internal, text);
            }
        }
        Ok(id)
    }

    /// Lets go of a lock that is held. [`Event::Released`] follows, once; nothing if it is not held any more.
    pub fn release(&mut self, lock: LockId, now: Instant) {
        self.run_due(now);
        match self.hold_of(lock) {
            Hold::Only(held) => self.touch(held, Input::Release, now),
            Hold::OneOfSeveral(held) => {
                self.leave(lock, held, now);
                self.events.push_back(Event::Released { lock, outcome: Outcome::Released });
            }
            Hold::None => {}
        }
        self.note_nodes();
    }

    /// Extends a lease to at least `ttl` from now; it is never shortened. [`Event::Extended`] or [`Event::OpFailed`]
    /// follows, once.
    pub fn extend(&mut self, lock: LockId, ttl: Duration, now: Instant) -> OpId {
        self.wish(lock, Wish::Extend(ttl.max(Duration::from_millis(1))), now)
    }

    /// Asks the servers whether a lock is ours. [`Event::Verified`] or [`Event::OpFailed`] follows, once.
    pub fn verify(&mut self, lock: LockId, now: Instant) -> OpId {
        self.wish(lock, Wish::Verify, now)
    }

    /// Forgets a lock, whatever its state: nothing more is heard of it, and what may be left of it is cleaned up.
    pub fn cancel(&mut self, lock: LockId, now: Instant) {
        self.run_due(now);
        match self.hold_of(lock) {
            Hold::OneOfSeveral(held) => self.leave(lock, held, now),
            Hold::Only(held) => self.touch(held, Input::Cancel, now),
            Hold::None => self.touch(lock, Input::Cancel, now),
        }
        self.note_nodes();
    }

    /// A connection asked for by [`poll_connect`](Self::poll_connect) was made.
    pub fn handle_connected(&mut self, id: ConnectionId, now: Instant) {
        self.run_due(now);
        if let Some((node, news)) = self.nodes.connected(id, &mut self.entropy, now) {
            self.spread(node, news, now);
        }
        self.note_nodes();
    }

    /// Bytes were received. Those of a connection that was given up are ignored.
    pub fn handle_bytes(&mut self, id: ConnectionId, bytes: &[u8], now: Instant) {
        self.run_due(now);
        if let Some(node) = self.nodes.of(id).and_then(|node| self.nodes.get(node)) {
            node.received(id, bytes, now);
        }
        while let Some((node, news)) = self.nodes.step(id, &mut self.entropy, now) {
            self.spread(node, news, now);
        }
        self.note_nodes();
    }

    /// A connection ended, or could not be made. `reason` is for people.
    pub fn handle_closed(&mut self, id: ConnectionId, reason: &str, now: Instant) {
        self.run_due(now);
        if let Some(node) = self.nodes.of(id) {
            let news =
                self.nodes.get(node).and_then(|server| server.closed(id, reason, &mut self.entropy, now));
            if let Some(news) = news {
                self.spread(node, news, now);
            }
        }
        self.note_nodes();
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) gave has come, or any other time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.run_due(now);
        self.note_nodes();
    }

    /// The next thing that the application is to hear. A grant that has run out by `now` is none.
    #[must_use]
    pub fn poll_event(&mut self, now: Instant) -> Option<Event> {
        self.run_due(now);
        let event = self.events.pop_front()?;
        if let Event::Failed { lock, .. } = event {
            // A re-entry that failed: its number stands for nothing.
            self.aliases.retain(|&(alias, _)| alias != lock);
        }
        if let Event::Granted { lock: holder, .. } = event
            && let Some(lock) = self.locks.get_mut(&self.primary(holder))
        {
            lock.told(holder);
        }
        Some(event)
    }

    /// A connection to make, for this server.
    #[must_use]
    pub fn poll_connect(&mut self) -> Option<(NodeId, ConnectionId)> {
        self.nodes.poll_connect()
    }

    /// A connection to drop. Nothing needs to be told about it any more.
    #[must_use]
    pub fn poll_close(&mut self) -> Option<ConnectionId> {
        self.nodes.poll_close()
    }

    /// Bytes to write to a connection.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        let id = self.wanting_to_write().next()?;
        Some((id, self.transmit(id)))
    }

    /// The connections that [`poll_transmit`](Self::poll_transmit) has bytes for.
    pub fn wanting_to_write(&self) -> impl Iterator<Item = ConnectionId> {
        self.nodes.wanting_to_write()
    }

    /// The bytes to write to this connection, perhaps none.
    #[must_use]
    pub fn transmit(&mut self, id: ConnectionId) -> Vec<u8> {
        self.nodes.transmit(id)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.agenda.next()
    }

    /// How long a lock may still be believed in: zero if it is not held.
    #[must_use]
    pub fn remaining(&self, lock: LockId, now: Instant) -> Duration {
        match self.hold_of(lock) {
            Hold::None => Duration::ZERO,
            Hold::Only(held) | Hold::OneOfSeveral(held) => {
                self.locks.get(&held).map_or(Duration::ZERO, |lock| lock.remaining(now))
            }
        }
    }

    /// How many locks are held, waited for or being cleaned up after.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.locks.len()
    }

    fn wish(&mut self, lock: LockId, wish: Wish, now: Instant) -> OpId {
        self.run_due(now);
        self.last_op = self.last_op.wrapping_add(1);
        let op = OpId(self.last_op);
        match self.hold_of(lock) {
            Hold::Only(held) | Hold::OneOfSeveral(held) => {
                self.touch(held, Input::Wish(op, wish), now);
                self.note_nodes();
            }
            Hold::None => {
                let failure = Failure::new(Code::Lost, 0, "the lock is not held");
                self.events.push_back(Event::OpFailed { op, lock, failure });
            }
        }
        op
    }

    fn begin(&mut self, id: LockId, lock: Lock, now: Instant) {
        self.locks.insert(id, Box::new(lock));
        self.step(id, Input::Start, now);
    }

    fn refuse(&mut self, lock: LockId, code: Code, text: &str) {
        self.events.push_back(Event::Failed { lock, failure: Failure::new(code, 0, text) });
    }

    fn next_lock(&mut self) -> LockId {
        loop {
            self.last_lock = self.last_lock.wrapping_add(1);
            let id = LockId(self.last_lock);
            if self.last_lock != 0 && !self.locks.contains_key(&self.primary(id)) {
                return id;
            }
        }
    }
}

/// The items in order, each once. For items that come nearly in order; the standard library's sort is 10 kB of wasm.
pub(crate) fn into_sorted_set<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut sorted = Vec::new();
    for item in items {
        if let Err(place) = sorted.binary_search(&item) {
            sorted.insert(place, item);
        }
    }
    sorted
}
