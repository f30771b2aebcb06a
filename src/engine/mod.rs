//! The composition root: servers, locks and timers, behind the verbs that are the core's whole surface.

mod event;
mod nodes;

use std::collections::{BTreeMap, VecDeque};

use crate::{
    entropy::{Entropy, Token},
    error::{Code, Failure, Misuse},
    lock::{Input, Lock, LockId, Policy, Request, Spec, Wish, World},
    node::{ConnectionId, Endpoint, News, NodeId},
    time::{Duration, Instant},
    timers::Agenda,
};

pub use event::{Event, Loss, OpId, Outcome};
pub(crate) use nodes::Nodes;

/// Locks that may be held, waited for and cleaned up after at once.
const MOST_LOCKS: usize = 100_000;

/// All locks of one client.
///
/// **Feed one thing, then drain everything:** after any call of an application verb or a `handle_*`, pull every
/// `poll_*` until it has nothing more, in any order, before waiting for the next thing to happen. Draining partly delays
/// things, and corrupts nothing.
#[derive(Debug)]
pub struct Engine<E> {
    policy: Policy,
    entropy: E,
    nodes: Nodes,
    locks: BTreeMap<LockId, Lock>,
    agenda: Agenda<Owner>,
    events: VecDeque<Event>,
    last_lock: u32,
    last_op: u32,
}

/// Who has timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Lock(LockId),
    Node(NodeId),
}

impl<E: Entropy + 'static> Engine<E> {
    /// An engine without servers: add them before the first lock.
    #[must_use]
    pub fn new(policy: Policy, entropy: E) -> Self {
        Self {
            policy,
            entropy,
            nodes: Nodes::default(),
            locks: BTreeMap::new(),
            agenda: Agenda::default(),
            events: VecDeque::new(),
            last_lock: 0,
            last_op: 0,
        }
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
        let minted = match request.token {
            Some(_) => Ok(None),
            None => Token::mint(&mut self.entropy).map(Some),
        };
        let spec = Spec::new(request, minted.unwrap_or_default(), &self.policy)?;
        let id = self.next_lock();
        if minted.is_err() {
            let text = "this runtime has no secure randomness (crypto.getRandomValues), without which owners cannot be told apart";
            self.refuse(id, Code::Internal, text);
        } else if self.locks.len() >= MOST_LOCKS {
            self.refuse(id, Code::Overloaded, "too many locks are held or waited for at once");
        } else {
            self.locks.insert(id, Lock::new(spec));
            self.touch(id, Input::Start, now);
            self.note_nodes();
        }
        Ok(id)
    }

    /// Lets go of a lock that is held. [`Event::Released`] follows, once; nothing if it is not held any more.
    pub fn release(&mut self, lock: LockId, now: Instant) {
        self.run_due(now);
        if self.is_held(lock) {
            self.touch(lock, Input::Release, now);
            self.note_nodes();
        }
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
        self.touch(lock, Input::Cancel, now);
        self.note_nodes();
    }

    /// A connection asked for by [`poll_connect`](Self::poll_connect) was made.
    pub fn handle_connected(&mut self, id: ConnectionId, now: Instant) {
        self.run_due(now);
        if let Some(node) = self.nodes.of(id).and_then(|node| self.nodes.get(node)) {
            node.connected(id, &mut self.entropy, now);
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
        if let Event::Granted { lock, .. } = &event
            && let Some(lock) = self.locks.get_mut(lock)
        {
            lock.told();
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
        self.locks.get(&lock).map_or(Duration::ZERO, |lock| lock.remaining(now))
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
        if self.is_held(lock) {
            self.touch(lock, Input::Wish(op, wish), now);
            self.note_nodes();
        } else {
            let failure = Failure::new(Code::Lost, 0, "the lock is not held");
            self.events.push_back(Event::OpFailed { op, lock, failure });
        }
        op
    }

    fn refuse(&mut self, lock: LockId, code: Code, text: &str) {
        self.events.push_back(Event::Failed { lock, failure: Failure::new(code, 0, text) });
    }

    fn is_held(&self, lock: LockId) -> bool {
        self.locks.get(&lock).is_some_and(Lock::is_held)
    }

    fn next_lock(&mut self) -> LockId {
        loop {
            self.last_lock = self.last_lock.wrapping_add(1);
            let id = LockId(self.last_lock);
            if self.last_lock != 0 && !self.locks.contains_key(&id) {
                return id;
            }
        }
    }

    /// Runs everything that is due before anything else is looked at: after a stall, data arrives before the late timer.
    fn run_due(&mut self, now: Instant) {
        while let Some(owner) = self.agenda.take_due(now) {
            match owner {
                Owner::Lock(id) => {
                    if let Some(lock) = self.locks.get_mut(&id) {
                        lock.entered = None;
                    }
                    while let Some(timer) = self.locks.get_mut(&id).and_then(|lock| lock.take_due(now)) {
                        self.touch(id, Input::Timer(timer), now);
                    }
                    self.note_lock(id);
                }
                Owner::Node(id) => {
                    let Some(node) = self.nodes.get(id) else { continue };
                    node.entered = None;
                    if let Some(news) = node.timeout(&mut self.entropy, now) {
                        self.spread(id, news, now);
                    }
                    self.note_nodes();
                }
            }
        }
    }

    fn touch(&mut self, id: LockId, input: Input<'_>, now: Instant) {
        let Some(lock) = self.locks.get_mut(&id) else {
            return;
        };
        let world = World { nodes: &mut self.nodes, events: &mut self.events, entropy: &mut self.entropy };
        lock.handle(input, id, &self.policy, world, now);
        self.note_lock(id);
    }

    /// Keeps the agenda up with a lock, and forgets the lock when nothing is left of it.
    fn note_lock(&mut self, id: LockId) {
        let Some(lock) = self.locks.get_mut(&id) else {
            return;
        };
        if lock.is_done() {
            self.agenda.remove(Owner::Lock(id), &mut lock.entered);
            self.locks.remove(&id);
        } else {
            let next = lock.next_timer();
            self.agenda.update(Owner::Lock(id), &mut lock.entered, next);
        }
    }

    fn note_nodes(&mut self) {
        for (id, node) in self.nodes.iter() {
            let next = node.deadline();
            self.agenda.update(Owner::Node(id), &mut node.entered, next);
        }
    }

    /// Tells the locks what a server had to say.
    fn spread(&mut self, node: NodeId, news: News, now: Instant) {
        match news {
            News::Reply(tag, reply) => self.touch(tag.lock, Input::Reply(node, tag.round, reply), now),
            News::NoScript(tag) => self.touch(tag.lock, Input::NoScript(node, tag.round), now),
            News::Ready(waiting) => {
                for lock in into_sorted_set(waiting) {
                    self.touch(lock, Input::Ready(node), now);
                }
            }
            News::Down { unanswered, waiting, fault, close } => {
                if let Some(id) = close {
                    self.nodes.close(id);
                }
                // Once for each lock: it may ask anew at once, and what it asks then is not down.
                let unanswered = unanswered.into_iter().map(|tag| tag.lock);
                for lock in into_sorted_set(waiting.into_iter().chain(unanswered)) {
                    self.touch(lock, Input::Down(node, &fault), now);
                }
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
