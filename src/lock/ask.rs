//! Sends a lock's commands to the nodes.

use super::{context::Context, kind};
use crate::{
    id::NodeId,
    node::{Asked, Command, Tag},
    quorum::{Ask, Round},
    script::Verb,
    time::{Duration, Instant},
};

/// A connection counts as dead after this many times `nodeTimeout` of silence, and not before half a second.
const SILENT_ANSWERS: u64 = 4;
const SHORTEST_SILENCE: Duration = Duration::from_millis(500);

impl Ask for Context<'_> {
    fn now(&self) -> Instant {
        self.now
    }

    fn ask(&mut self, node: NodeId, serial: u32, verb: Verb) -> Asked {
        let registers = kind::registers(node, self);
        let owner_id = self.owner_id();
        let call = kind::call(verb, registers, &owner_id, self.spec, self.owner, self.policy);
        let patience = self.spec.node_timeout.times(SILENT_ANSWERS).max(SHORTEST_SILENCE);
        let tag = Tag { lock: self.id, serial };
        self.shared.topology.ask(node, tag, &Command { call, patience }, self.now)
    }
}

impl Context<'_> {
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
