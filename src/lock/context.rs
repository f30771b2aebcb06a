//! What a lock may read and change during a transition.

use std::collections::VecDeque;

use super::{
    effects::Effect, in_flight::InFlight, kind::leader::Leaders, owner::Owner, policy::Policy, spec::Spec,
};
use crate::{
    entropy::Entropy,
    error::LockError,
    event::Event,
    handles::{Handle, Handles, Phase},
    id::{HandleId, LockId, NodeId},
    quorum::Round,
    resp::push_decimal,
    stats::{Counters, Stats},
    time::Instant,
    timers::{Timer, TimerTable},
    topology::Topology,
};

/// A lock's own parts, and what it shares with other locks.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    /// The listening time, which patient timers use (rule 16).
    pub(crate) listening: Instant,
    /// The listening time up to which deadlines are believed.
    pub(crate) believed: Instant,
    pub(crate) id: LockId,
    pub(crate) spec: &'a Spec,
    pub(crate) owner: &'a mut Owner,
    /// The handles of the lock: granted, or still pending.
    pub(crate) handles: &'a mut Vec<Handle>,
    pub(crate) policy: &'a Policy,
    pub(crate) timers: &'a mut TimerTable,
    pub(crate) serial: &'a mut u32,
    pub(crate) in_flight: &'a mut InFlight,
    pub(crate) shared: Shared<'a>,
}

/// What all locks of an engine share.
pub(crate) struct Shared<'a> {
    pub(crate) topology: &'a mut Topology,
    pub(crate) handles: &'a mut Handles,
    pub(crate) events: &'a mut VecDeque<Event>,
    pub(crate) leaders: &'a mut Leaders,
    pub(crate) effects: &'a mut VecDeque<Effect>,
    pub(crate) stats: &'a mut Stats,
    pub(crate) entropy: &'a mut (dyn Entropy + 'static),
    /// Whether the client was closed.
    pub(crate) closed: bool,
}

impl Context<'_> {
    /// The owner id (`client:number`) at a node. It identifies the lock on the server in place of the token, because other
    /// clients can read messages and registrations.
    pub(super) fn owner_id(&self, node: NodeId) -> Vec<u8> {
        let mut id = self.shared.topology.client(self.spec.keys_of(node));
        id.push(b':');
        push_decimal(self.id.0.into(), &mut id);
        id
    }

    pub(super) fn next_serial(&mut self) -> u32 {
        *self.serial = self.serial.wrapping_add(1);
        *self.serial
    }

    /// Whether the node sends wake-ups for this lock, and its present connection receives them.
    pub(super) fn wakes(&self, node: NodeId) -> bool {
        let server = self.shared.topology.serving(node, self.spec.keys_of(node));
        self.spec.placement.wakes() && server.is_some_and(|server| server.wakes())
    }

    /// Whether a wake-up of the node for this lock would arrive.
    pub(super) fn hears(&self, node: NodeId) -> bool {
        self.wakes(node) && !self.shared.topology.is_deaf(self.spec.keys_of(node))
    }

    /// The node denied the lock: from the next attempt on, the client listens for it. Returns whether it could already, and
    /// does not.
    pub(super) fn begins_to_listen(&mut self, node: NodeId) -> bool {
        self.spec.entry.waits_for_turn()
            && !self.spec.is_single_attempt()
            && self.shared.topology.add_listener(self.spec.keys_of(node), self.id)
    }

    /// Lets each node of the placement be dialled at once, whatever the backoff.
    pub(super) fn allow_dials(&mut self) {
        for node in self.spec.placement.nodes() {
            self.shared.topology.allow_dial(node, self.spec.keys_of(node));
        }
    }

    /// Arms the timer for the round's next deadline.
    pub(super) fn arm_round(&mut self, round: &Round) {
        match round.deadline() {
            Some(deadline) => self.timers.set(Timer::Round, deadline),
            None => self.timers.stop(Timer::Round),
        }
    }

    /// Reports to observers how many nodes are missing in a round that was won.
    pub(super) fn report_missing(&mut self, round: &Round) {
        let missing = round.missing();
        if missing > 0 {
            let missing = u32::try_from(missing).unwrap_or(u32::MAX);
            self.observe(|lock| Event::Degraded { lock, missing });
        }
    }

    pub(super) fn count(&mut self, counter: fn(&mut Counters) -> &mut u64) {
        self.shared.stats.count(counter);
    }

    /// Emits an event for observers, under the lock's first handle, which the application knows.
    pub(super) fn observe(&mut self, event: impl FnOnce(HandleId) -> Event) {
        if let Some(handle) = self.handles.first() {
            self.shared.stats.observe(|| event(handle.id), self.shared.events);
        }
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.shared.events.push_back(event);
    }

    /// Grants the lock to a handle.
    pub(super) fn grant(&mut self, handle: HandleId, fence: u64, attempts: u32) {
        if let Some(entry) = self.handles.iter_mut().find(|each| each.id == handle) {
            entry.phase = Phase::Granted;
        }
        self.emit(Event::Granted { lock: handle, fence, token: self.owner.drawn(), attempts });
    }

    /// Fails the acquire or re-entry of a handle.
    pub(super) fn fail(&mut self, handle: HandleId, error: LockError) {
        self.forget(handle);
        self.emit(Event::Failed { lock: handle, failure: error });
    }

    /// Removes a handle. If its grant is still in the queue of events, the grant is withdrawn.
    pub(super) fn forget(&mut self, handle: HandleId) {
        let Some(place) = self.handles.iter().position(|each| each.id == handle) else { return };
        self.shared.handles.remove(handle);
        if self.handles.remove(place).phase == Phase::Granted {
            self.withdraw_grant(handle);
        }
    }

    /// Withdraws the grants that were not reported to the application, because the lock is released.
    pub(super) fn withdraw_grants(&mut self) {
        for place in 0..self.handles.len() {
            if let Some(&Handle { id, phase: Phase::Granted }) = self.handles.get(place) {
                self.withdraw_grant(id);
            }
        }
    }

    fn withdraw_grant(&mut self, handle: HandleId) {
        let is_grant = |event: &Event| matches!(event, Event::Granted { lock, .. } if *lock == handle);
        self.shared.events.retain(|event| !is_grant(event));
    }
}
