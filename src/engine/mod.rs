//! The engine: composes servers, locks and timers behind the verbs that are the core's whole surface.

mod api;
mod dispatch;
pub(crate) mod inspect;
mod owners;
mod reentry;
mod routing;

use std::collections::VecDeque;

use crate::{
    entropy::Entropy,
    error::{Cause, Obstacle},
    event::Event,
    handles::{Handles, Phase},
    id::{ConnectionId, LockId, NodeId},
    index::SortedMap,
    lock::{Effect, Leaders, Lock, Policy},
    node::Endpoint,
    patience::Patience,
    stats::{Observed, Stats},
    time::{Duration, Instant},
    timers::DeadlineQueue,
    topology::Topology,
};

use owners::Owners;

/// The shortest pause between two attempts.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// All locks of one client, without I/O. See the [crate documentation](crate) for the calling protocol.
///
/// Take every `now` from one [`Clock`](crate::Clock). Every method with `now` first runs the overdue timers, except those
/// which mean that something did not come in time: only [`handle_timeout`](Self::handle_timeout) and
/// [`handle_absence`](Self::handle_absence) run them (rule 16).
///
/// **Feed one thing, then drain everything.** After a call of an application verb or a `handle_*` method, call every
/// `poll_*` method until it returns `None`, in any order, before you wait for the next thing to happen. Draining only
/// partly delays things, and corrupts nothing.
#[derive(Clone, Hash)]
pub struct Engine<E> {
    policy: Policy,
    entropy: E,
    topology: Topology,
    locks: SortedMap<LockId, Box<Lock>>,
    handles: Handles,
    owners: Owners,
    leaders: Leaders,
    /// What the engine still has to do for other locks after a transition.
    effects: VecDeque<Effect>,
    stats: Stats,
    deadlines: DeadlineQueue,
    /// The deadlines of patient timers and of nodes, in listening time.
    patient_deadlines: DeadlineQueue,
    patience: Patience,
    /// While patient timers run: the listening time up to which deadlines are believed.
    believed: Option<Instant>,
    events: VecDeque<Event>,
    /// How many locks owe the application something (rule 18).
    owed: usize,
    /// Whether the client was closed.
    closed: bool,
    /// One counter numbers handles and locks, so that one acquire has one number in logs.
    last_id: u32,
    last_op: u32,
}

impl<E: Entropy + 'static> Engine<E> {
    /// An engine without servers. Add them with [`add_node`](Self::add_node) before the first lock.
    ///
    /// `retry_min` is raised to 1 ms if it is shorter, and `retry_max` to `retry_min`.
    #[must_use]
    pub fn new(mut policy: Policy, entropy: E) -> Self {
        // Without a pause, a single call could retry an unreachable server for ever.
        policy.retry_min = policy.retry_min.max(SHORTEST_PAUSE);
        policy.retry_max = policy.retry_max.max(policy.retry_min);
        Self {
            topology: Topology::new(&policy.prefix, policy.sharded),
            policy,
            entropy,
            locks: SortedMap::default(),
            handles: Handles::default(),
            owners: Owners::default(),
            leaders: Leaders::default(),
            effects: VecDeque::new(),
            stats: Stats::default(),
            deadlines: DeadlineQueue::default(),
            patient_deadlines: DeadlineQueue::default(),
            patience: Patience::default(),
            believed: None,
            events: VecDeque::new(),
            owed: 0,
            closed: false,
            last_id: 0,
            last_op: 0,
        }
    }

    /// Call this to choose which events for observers are reported: contention, renewals, degraded votes, connections.
    /// By default none are.
    pub fn observe(&mut self, observed: Observed) {
        self.stats.observed = observed;
    }

    /// Adds a server. With several votes, every lock needs a majority of them (Redlock). A server has one, unless it becomes a
    /// part of a group.
    ///
    /// Call this before the first lock: the placement of a lock does not change afterwards.
    pub fn add_node(&mut self, endpoint: Endpoint) -> NodeId {
        self.topology.add(endpoint, self.policy.connect_timeout, self.policy.replicas)
    }

    /// Makes the last servers that were added the seeds of one Redis Cluster. `addresses` has the address of each, as the cluster
    /// announces it, `host:port`, one per line. The engine then learns of the other servers, and of where each slot is:
    /// [`poll_connect`](Self::poll_connect) names servers that were never added, whose [`address`](Self::address) the
    /// driver asks for. A cluster has one vote. Call this before the first lock.
    ///
    /// Returns whether the addresses were taken: false if one is not whole, or if there are more addresses than servers that
    /// were added and belong to no other group.
    pub fn form_cluster(&mut self, addresses: &str) -> bool {
        self.topology.form_cluster(addresses)
    }

    /// Makes the last `count` servers that were added the sentinels of the master with this name. The engine asks them for the
    /// server that is the master, logs in to it as `master` says, and turns to another one when they name it:
    /// [`poll_connect`](Self::poll_connect) names servers that were never added, whose [`address`](Self::address) the driver asks
    /// for. A master with its sentinels has one vote. Call this before the first lock.
    ///
    /// Returns false if fewer servers were added that belong to no other group.
    pub fn follow_sentinels(&mut self, name: &str, count: u32, master: Endpoint) -> bool {
        let Policy { connect_timeout, replicas, .. } = self.policy;
        self.topology.follow_sentinels(name, count, master, connect_timeout, replicas)
    }

    /// The address of a server of a cluster, or of a master, as it was announced: `host:port`, where an IPv6 address has no
    /// brackets. `None` for other servers, and for a number that is no server's.
    #[must_use]
    pub fn address(&self, node: NodeId) -> Option<String> {
        self.topology.address(node)
    }

    /// The place among the voters of the one to which a server belongs: each server that was added, or group of them, is one.
    #[must_use]
    pub fn voter(&self, node: NodeId) -> u32 {
        self.topology.voter_id(node).node().0
    }

    /// Call this just before [`handle_connected`](Self::handle_connected) to log in with other credentials than those of
    /// the [`Endpoint`]; empty strings for none. Ignored if the connection was given up.
    pub fn log_in(&mut self, id: ConnectionId, user: String, password: String) {
        if let Some(node) = self.topology.of(id).and_then(|node| self.topology.get(node)) {
            node.log_in(id, user, password);
        }
    }

    /// Call this when a connection that [`poll_connect`](Self::poll_connect) requested is open. Ignored if the
    /// connection was given up.
    pub fn handle_connected(&mut self, id: ConnectionId, now: Instant) {
        self.run_due(now);
        let listening = self.patience.now();
        if let Some((node, news)) = self.topology.connected(id, &mut self.entropy, listening) {
            self.spread(node, news, now);
        }
        self.settle_nodes(now);
    }

    /// Call this when bytes arrive on a connection, split in any way. Ignored if the connection was given up.
    pub fn handle_bytes(&mut self, id: ConnectionId, bytes: &[u8], now: Instant) {
        self.run_due(now);
        let listening = self.patience.now();
        if let Some(node) = self.topology.of(id).and_then(|node| self.topology.get(node)) {
            node.received(id, bytes, listening);
        }
        while let Some((node, news)) = self.topology.step(id, &mut self.entropy, listening) {
            self.spread(node, news, now);
        }
        self.settle_nodes(now);
    }

    /// Call this when a connection ended, or could not be made. `reason` is human-readable, and appears in errors. Ignored
    /// if the connection was given up.
    pub fn handle_closed(&mut self, id: ConnectionId, reason: &str, now: Instant) {
        self.ended(id, Cause::Transport(id), reason, now);
    }

    /// Call this in place of [`handle_closed`](Self::handle_closed) if a connection could not be made for a reason that the
    /// next one would meet again. The error is permanent: no lock waits for another connection.
    pub fn handle_obstacle(&mut self, id: ConnectionId, obstacle: Obstacle, reason: &str, now: Instant) {
        self.ended(id, Cause::Obstacle(id, obstacle), reason, now);
    }

    fn ended(&mut self, id: ConnectionId, cause: Cause, reason: &str, now: Instant) {
        self.run_due(now);
        let listening = self.patience.now();
        if let Some((node, news)) = self.topology.closed(id, cause, reason, &mut self.entropy, listening) {
            self.spread(node, news, now);
        }
        self.settle_nodes(now);
    }

    /// Call this before any other call if the wall clock was set forward, or the machine slept, since the last one:
    /// [`Clock::take_step`](crate::Clock::take_step) says by how much. Leases end sooner then, but nothing counts as late
    /// (rule 16).
    pub fn handle_clock_step(&mut self, step: Duration) {
        self.patience.step(step);
    }

    /// Call this at the time that [`poll_timeout`](Self::poll_timeout) returned, after the event loop has delivered what
    /// arrived before. May be called spuriously.
    pub fn handle_timeout(&mut self, now: Instant) {
        let stalled = self.run_due(now);
        if let Some(believed) = self.patience.look(self.patient_deadlines.next(), stalled) {
            self.run_patient(believed, now);
            // What became due during the look gets a look of its own.
            self.patience.look(self.patient_deadlines.next(), false);
        }
        self.settle_nodes(now);
    }

    /// Call this in place of [`handle_timeout`](Self::handle_timeout) if data that has arrived can no longer be read, such
    /// as in workerd, where sockets end with the request that opened them. Deadlines that have passed are believed at once.
    pub fn handle_absence(&mut self, now: Instant) {
        self.run_due(now);
        self.run_patient(self.patience.now(), now);
        // A look in progress is over.
        self.patience.look(self.patient_deadlines.next(), false);
        self.settle_nodes(now);
    }

    /// The next event for the application. Call this until it returns `None` after every other call.
    ///
    /// A lock is never granted with nothing left of its validity: if the grant has expired by `now`, its event is
    /// withdrawn and a failure follows (rule 1).
    #[must_use]
    pub fn poll_event(&mut self, now: Instant) -> Option<Event> {
        self.run_due(now);
        let event = self.events.pop_front()?;
        if let Event::Granted { lock: handle, .. } = event
            && let Some(lock) = self.locks.get_mut(self.handles.lock(handle))
        {
            lock.tell(handle, Phase::Informed);
        }
        Some(event)
    }

    /// The next connection to make, and its server. Report the result with [`handle_connected`](Self::handle_connected)
    /// or [`handle_closed`](Self::handle_closed).
    #[must_use]
    pub fn poll_connect(&mut self) -> Option<(NodeId, ConnectionId)> {
        self.topology.poll_connect()
    }

    /// The next connection to close, or to stop making. The engine has given it up and needs no further call about it.
    #[must_use]
    pub fn poll_close(&mut self) -> Option<ConnectionId> {
        self.topology.poll_close()
    }

    /// The next bytes to write, and their connection.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        self.topology.poll_transmit()
    }

    /// Whether the application's next calls should be drained together, although it makes them one by one: a server has much
    /// to do before it comes to them. Only the speed depends on it.
    #[must_use]
    pub const fn has_backlog(&self) -> bool {
        self.topology.has_backlog()
    }

    /// Whether [`poll_early_transmit`](Self::poll_early_transmit) returns something.
    #[must_use]
    pub const fn has_early_transmit(&self) -> bool {
        self.topology.is_half_full()
    }

    /// Bytes that are better written at once, and their connection: the server has nothing to do, and many commands wait
    /// for it. Between calls of application verbs that come in a row, call this until it returns `None`, or leave it and
    /// drain after the last one: only the speed depends on it.
    #[must_use]
    pub fn poll_early_transmit(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        self.topology.poll_early_transmit()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next. `None` if no timer is set.
    ///
    /// May change after any other call, so arm the timer again after each. The time may be earlier than necessary: the
    /// call then does nothing.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let patient = self.patience.due(self.patient_deadlines.next());
        [self.deadlines.next(), patient].into_iter().flatten().min()
    }

    /// How many lock machines there are: locks that are held or waited for, and clean-ups in the background.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.locks.len()
    }

    /// How many locks owe the application something: a pending acquire, re-entry, operation or release, or renewals. A
    /// program must stay alive for them, and for nothing else in the engine (rule 18).
    #[must_use]
    pub fn owed(&self) -> usize {
        self.owed
    }
}
