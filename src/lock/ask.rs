//! Sends a lock's commands to the nodes.

use std::rc::Rc;

use super::{
    context::{Context, Shared},
    kind::{self, Names},
};
use crate::{
    id::NodeId,
    node::{Asked, Command, Tag},
    quorum::{Ask, Round},
    script::{Verb, fence_counter_of_slot},
    time::{Duration, Instant},
};

impl Ask for Context<'_> {
    fn now(&self) -> Instant {
        self.now
    }

    fn listening(&self) -> Instant {
        self.listening
    }

    fn believed(&self) -> Instant {
        self.believed
    }

    fn patience(&mut self, node: NodeId) -> Option<Duration> {
        let server = self.shared.topology.serving(node, self.spec.keys_of(node));
        let round_trips = server.and_then(|server| server.round_trips());
        self.spec.placement.answer_patience(self.spec.node_timeout, round_trips)
    }

    fn busy(&self, node: NodeId) -> Option<NodeId> {
        self.in_flight.server(node)
    }

    fn keys(&self, node: NodeId) -> u32 {
        u32::try_from(self.spec.keys_of(node).count()).unwrap_or(u32::MAX)
    }

    fn ask(&mut self, node: NodeId, instead: Option<NodeId>, serial: u32, verb: Verb) -> (NodeId, Asked) {
        if let Verb::Acquire(_) = verb {
            self.shared.topology.listen(self.spec.keys_of(node), self.id, self.listening);
        }
        // A server may refuse the shard channel after it has registered the waiter.
        let may_have_registered = matches!(verb, Verb::Release(_)) && self.shared.topology.is_sharded();
        let registers = kind::registers(node, self) || may_have_registered;
        let owner_id = self.owner_id(node);
        let value = self.owner.value(&owner_id);
        let counter = self.counter(node);
        let names = Names { owner_id: &owner_id, value: &value, counter: counter.as_deref() };
        let keys = self.spec.keys_of(node);
        let call = kind::call(verb, keys, registers, names, self.spec, self.owner, self.policy);
        let silence = self.spec.placement.silence(self.spec.node_timeout);
        let command = Command { call, silence, replication: self.spec.node_timeout };
        let tag = Tag { lock: self.id, serial, node, epoch: 0 };
        let (server, asked) = self.shared.topology.ask(node, instead, tag, &command, self.listening);
        // A single node's vote ends a round, so that nothing is in flight when the next begins.
        if asked == Asked::Sent && self.spec.placement.grants_in_part() {
            self.in_flight.add(node, server, serial);
        }
        (server, asked)
    }
}

impl Context<'_> {
    /// The fence counter of a node (rule 8): one for all locks, or in a cluster one for each slot.
    fn counter(&mut self, node: NodeId) -> Option<Rc<[u8]>> {
        if !self.spec.placement.is_fenced() {
            return None;
        }
        let keys = self.spec.keys_of(node);
        if self.shared.topology.serving(node, keys).is_some_and(|server| server.is_cluster()) {
            let key = keys.locks().next().unwrap_or_default();
            return Some(fence_counter_of_slot(&self.policy.prefix, key).into());
        }
        Some(self.shared.topology.counter())
    }

    /// How long the farthest of the lock's nodes may always take to answer.
    pub(super) fn longest_round_trips(&mut self) -> Duration {
        let Self { spec, shared: Shared { topology, .. }, .. } = self;
        let of = |node| topology.serving(node, spec.keys_of(node)).and_then(|server| server.round_trips());
        spec.placement.nodes().filter_map(of).max().unwrap_or_default()
    }

    /// Starts a round on every node of the lock's placement.
    pub(super) fn start_round(&mut self, verb: Verb) -> Round {
        let serial = self.next_serial();
        Round::start(verb, serial, self.spec.terms(), self)
    }

    /// Starts a round on the nodes that may hold a grant of `attempt`.
    pub(super) fn start_round_where_held(&mut self, attempt: &Round, verb: Verb) -> Round {
        let serial = self.next_serial();
        Round::start_where_held(attempt, verb, serial, self)
    }
}
