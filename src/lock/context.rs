//! What a lock has at hand while it makes a transition, and how it asks the servers.

use std::collections::VecDeque;

use super::{Leaders, Lock, Owner, Policy, Spec, Verb};
use crate::{
    entropy::Entropy,
    event::Event,
    id::{LockId, NodeId},
    node::{Asked, Command, Tag},
    planted::{Planted, planted},
    resp::push_decimal,
    stats::{Counters, Stats},
    time::{Duration, Instant},
    timers::TimerTable,
    topology::Topology,
};

/// What a lock may use of the world around it while it makes a transition.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) id: LockId,
    pub(crate) spec: &'a Spec,
    pub(crate) owner: &'a mut Owner,
    pub(crate) holders: &'a mut Vec<LockId>,
    pub(crate) policy: &'a Policy,
    pub(crate) timers: &'a mut TimerTable,
    pub(crate) serial: &'a mut u32,
    pub(crate) world: World<'a>,
}

/// What all locks share.
pub(crate) struct World<'a> {
    pub(crate) topology: &'a mut Topology,
    pub(crate) events: &'a mut VecDeque<Event>,
    pub(crate) leaders: &'a mut Leaders,
    /// What an attempt left behind, to be released under a token that is asked for no more.
    pub(crate) leftovers: &'a mut Vec<Lock>,
    /// Waiters of this client that a server named as the head of a queue, and who heard of it.
    pub(crate) heads: &'a mut Vec<(LockId, LockId)>,
    pub(crate) stats: &'a mut Stats,
    pub(crate) entropy: &'a mut (dyn Entropy + 'static),
}

impl Context<'_> {
    /// The number that the application knows the lock by, or one of them.
    pub(crate) fn holder(&self) -> LockId {
        self.holders.first().copied().unwrap_or(self.id)
    }

    pub(crate) fn next_serial(&mut self) -> u32 {
        *self.serial = self.serial.wrapping_add(1);
        *self.serial
    }

    pub(crate) fn ask(&mut self, node: NodeId, tag: Tag, verb: Verb) -> Asked {
        // A connection that has been silent for four answers' time, and half a second, is taken for dead.
        let patience = self.spec.node_timeout.times(4).max(Duration::from_millis(500));
        let (mut lease, mut kept) = (Vec::new(), Vec::new());
        let waits = verb != Verb::Release { waited: false } && self.registers(node);
        let (name, none): (_, &[u8]) = (self.name(), &[]);
        let waiter = if waits { name.as_slice() } else { none };
        // A token that is drawn here is asked for by no other lock. One of the application's own may be, and a lock may be
        // adopted: a claim tells them apart, so that what one leaves behind, or sent long ago, does not free the other.
        let claim = if self.owner.minted.is_none() { name.as_slice() } else { none };
        let token = self.owner.token.as_slice();
        let join: &[u8] = if self.spec.wait > Duration::ZERO { b"1" } else { b"0" };
        let (call, arguments, count) = match verb {
            Verb::Acquire => {
                push_decimal(self.spec.ttl.as_millis(), &mut lease);
                push_decimal(self.place_lease().as_millis(), &mut kept);
                let call = self.spec.acquire();
                match self.spec.fair {
                    true => (call, [token, &lease, waiter, &kept, join, claim], 6),
                    false => (call, [token, &lease, waiter, &kept, claim, none], 5),
                }
            }
            Verb::Adopt => {
                let ttl = if planted(Planted::AdoptsByAsking) { Duration::ZERO } else { self.spec.ttl };
                push_decimal(ttl.as_millis(), &mut lease);
                (self.spec.extend(), [token, &lease, &name, none, none, none], 3)
            }
            Verb::Extend(ttl) => {
                push_decimal(ttl.as_millis(), &mut lease);
                (self.spec.extend(), [token, &lease, none, none, none, none], 3)
            }
            Verb::Release { .. } => (self.spec.release(), [token, waiter, &name, none, none, none], 3),
        };
        let arguments = arguments.get(..count).unwrap_or_default();
        let command = Command { script: call.script, keys: call.keys, arguments, patience };
        self.world.topology.ask(node, tag, &command, self.now)
    }

    /// Whether asking that server enters us among those who wait there.
    pub(crate) fn registers(&mut self, node: NodeId) -> bool {
        let waits = self.spec.wait > Duration::ZERO && !self.spec.adopt;
        self.spec.queues() || waits && self.world.topology.count() == 1 && self.wakes(node)
    }

    /// Whether that server tells us when it is our turn.
    pub(crate) fn wakes(&mut self, node: NodeId) -> bool {
        self.world.topology.get(node).is_some_and(|node| node.wakes())
    }

    /// `client:number`: what a wake-up is addressed to, and whose claim it is. No token: messages are seen by others.
    fn name(&self) -> Vec<u8> {
        let mut name = self.world.topology.client().to_vec();
        name.push(b':');
        push_decimal(self.id.0.into(), &mut name);
        name
    }

    /// How long the server remembers one who waits without word of it: for twelve of the longest pauses between attempts, or
    /// three with wake-ups. A place in line is kept for 3 s at least: how often a process asks does not tell for how long it,
    /// or its connection, may be slow.
    pub(crate) fn place_lease(&self) -> Duration {
        let least = if self.spec.fair { 3000 } else { 300 };
        match planted(Planted::PlaceLeaseShort) {
            true => self.policy.retry_max,
            false => self.policy.retry_max.times(12).max(Duration::from_millis(least)),
        }
    }

    pub(crate) fn count(&mut self, counter: fn(&mut Counters) -> &mut u64) {
        self.world.stats.count(counter);
    }

    /// Tells those who watch.
    pub(crate) fn observe(&mut self, event: Event) {
        self.world.stats.observe(event, self.world.events);
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.world.events.push_back(event);
    }
}
