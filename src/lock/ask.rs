//! Sends a lock's commands to the nodes.

use super::{context::Context, kind};
use crate::{
    id::NodeId,
    node::{Asked, Command, Tag},
    quorum::{Ask, Round},
    script::Verb,
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
        let round_trips = self.shared.topology.get(node).and_then(|server| server.round_trips());
        self.spec.placement.answer_patience(self.spec.node_timeout, round_trips)
    }

    fn is_busy(&self, node: NodeId) -> bool {
        self.in_flight.has(node)
    }

    fn ask(&mut self, node: NodeId, serial: u32, verb: Verb) -> Asked {
        let registers = kind::registers(node, self);
        let owner_id = self.owner_id();
        let call = kind::call(verb, registers, &owner_id, self.spec, self.owner, self.policy);
        let silence = self.spec.placement.silence(self.spec.node_timeout);
        let tag = Tag { lock: self.id, serial };
        let asked = self.shared.topology.ask(node, tag, &Command { call, silence }, self.listening);
        // A single node's vote ends a round, so that nothing is in flight when the next begins.
        if matches!(asked, Asked::Sent) && self.spec.placement.grants_in_part() {
            self.in_flight.add(node, serial);
        }
        asked
    }
}

impl Context<'_> {
    /// How long the farthest of the lock's nodes may always take to answer.
    pub(super) fn longest_round_trips(&mut self) -> Duration {
        let topology = &mut *self.shared.topology;
        let of = |node| topology.get(node).and_then(|server| server.round_trips());
        self.spec.placement.nodes().filter_map(of).max().unwrap_or_default()
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
