//! The composition root: servers, locks and timers, behind the verbs that are the core's whole surface.

mod api;
mod dispatch;
pub(crate) mod inspect;
mod owners;
mod reentry;

use std::collections::{BTreeMap, VecDeque};

use crate::{
    entropy::Entropy,
    event::Event,
    handles::Handles,
    id::{ConnectionId, LockId, NodeId},
    lock::{Effect, Leaders, Lock, Policy},
    node::Endpoint,
    stats::Stats,
    time::{Duration, Instant},
    timers::DeadlineQueue,
    topology::Topology,
};

use owners::Owners;

/// The shortest pause between attempts.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// All locks of one client.
///
/// **Feed one thing, then drain everything:** after any call of an application verb or a `handle_*`, pull every
/// `poll_*` until it has nothing more, in any order, before waiting for the next thing to happen. Draining partly delays
/// things, and corrupts nothing.
#[derive(Clone, Hash)]
pub struct Engine<E> {
    policy: Policy,
    entropy: E,
    topology: Topology,
    locks: BTreeMap<LockId, Box<Lock>>,
    handles: Handles,
    owners: Owners,
    leaders: Leaders,
    /// What transitions mean for other locks.
    effects: VecDeque<Effect>,
    stats: Stats,
    deadlines: DeadlineQueue,
    events: VecDeque<Event>,
    /// Handles and locks are numbered by one counter, so that those of one acquire have one number in logs.
    last_id: u32,
    last_op: u32,
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
            topology: Topology::default(),
            locks: BTreeMap::new(),
            handles: Handles::default(),
            owners: Owners::default(),
            leaders: Leaders::default(),
            effects: VecDeque::new(),
            stats: Stats::default(),
            deadlines: DeadlineQueue::default(),
            events: VecDeque::new(),
            last_id: 0,
            last_op: 0,
        }
    }

    /// From now on, also tells what only those hear who watch: contention, renewals, connections.
    pub fn observe(&mut self) {
        self.stats.observed = true;
    }

    /// Adds a server. With several, every lock needs a majority of them.
    pub fn add_node(&mut self, endpoint: Endpoint) -> NodeId {
        self.topology.add(endpoint, self.policy.connect_timeout)
    }

    /// A connection asked for by [`poll_connect`](Self::poll_connect) was made.
    pub fn handle_connected(&mut self, id: ConnectionId, now: Instant) {
        self.run_due(now);
        if let Some((node, news)) = self.topology.connected(id, &mut self.entropy, now) {
            self.spread(node, news, now);
        }
        self.update_node_deadlines();
    }

    /// Bytes were received. Those of a connection that was given up are ignored.
    pub fn handle_bytes(&mut self, id: ConnectionId, bytes: &[u8], now: Instant) {
        self.run_due(now);
        if let Some(node) = self.topology.of(id).and_then(|node| self.topology.get(node)) {
            node.received(id, bytes, now);
        }
        while let Some((node, news)) = self.topology.step(id, &mut self.entropy, now) {
            self.spread(node, news, now);
        }
        self.update_node_deadlines();
    }

    /// A connection ended, or could not be made. `reason` is for people.
    pub fn handle_closed(&mut self, id: ConnectionId, reason: &str, now: Instant) {
        self.run_due(now);
        if let Some(node) = self.topology.of(id) {
            let news =
                self.topology.get(node).and_then(|server| server.closed(id, reason, &mut self.entropy, now));
            if let Some(news) = news {
                self.spread(node, news, now);
            }
        }
        self.update_node_deadlines();
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) gave has come, or any other time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.run_due(now);
        self.update_node_deadlines();
    }

    /// The next thing that the application is to hear. A grant that has run out by `now` is none.
    #[must_use]
    pub fn poll_event(&mut self, now: Instant) -> Option<Event> {
        self.run_due(now);
        let event = self.events.pop_front()?;
        if let Event::Granted { lock: handle, .. } = event
            && let Some(lock) = self.locks.get_mut(&self.handles.lock(handle))
        {
            lock.inform(handle);
        }
        Some(event)
    }

    /// A connection to make, for this server.
    #[must_use]
    pub fn poll_connect(&mut self) -> Option<(NodeId, ConnectionId)> {
        self.topology.poll_connect()
    }

    /// A connection to drop. Nothing needs to be told about it any more.
    #[must_use]
    pub fn poll_close(&mut self) -> Option<ConnectionId> {
        self.topology.poll_close()
    }

    /// Bytes to write to a connection.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        let id = self.wanting_to_write().next()?;
        Some((id, self.transmit(id)))
    }

    /// The connections that [`poll_transmit`](Self::poll_transmit) has bytes for.
    pub fn wanting_to_write(&self) -> impl Iterator<Item = ConnectionId> {
        self.topology.wanting_to_write()
    }

    /// The bytes to write to this connection, perhaps none.
    #[must_use]
    pub fn transmit(&mut self, id: ConnectionId) -> Vec<u8> {
        self.topology.transmit(id)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// How many locks are held, waited for or being cleaned up after.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.locks.len()
    }
}
