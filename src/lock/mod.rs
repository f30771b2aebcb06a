//! One lock, from the first attempt to the last clean-up.
//!
//! ```text
//!             granted             release, loss, abort             answered or expired
//!  Acquiring ---------> Held ----------------------------> Releasing ------------------> Done
//!      |                                                       ^
//!      '--- wait over, final error, abort: what may have been written is released
//! ```
//! Every state consumes itself in a transition and answers with the next, so that a transition is whole or not at all.

mod acquiring;
mod held;
mod keys;
mod lease;
mod quorum;
mod releasing;
mod round;
mod spec;

use std::collections::VecDeque;

use crate::{
    engine::{Event, Nodes, OpId},
    entropy::Entropy,
    error::Fault,
    node::{Asked, Command, Form, NodeId, Tag},
    resp::push_decimal,
    script::{Answer, EXCLUSIVE_ACQUIRE, EXCLUSIVE_EXTEND, EXCLUSIVE_RELEASE},
    time::{Duration, Instant},
    timers::{Timer, TimerTable},
};

use acquiring::Acquiring;
use held::Held;
use releasing::Releasing;
pub(crate) use spec::Spec;
pub use spec::{Policy, Request};

/// A lock, from the call that asks for it until nothing of it is left. Ids are used again after 2^32 locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockId(pub u32);

/// What a round asks of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Acquire,
    /// Extend to at least this lease from now; zero only asks whether the keys are ours.
    Extend(Duration),
    Release,
}

/// What the application asks of a lock that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wish {
    Extend(Duration),
    Verify,
}

#[derive(Debug)]
pub(crate) struct Lock {
    spec: Spec,
    state: State,
    timers: TimerTable,
    serial: u32,
    /// When the engine looks at this lock's timers, at the latest.
    pub(crate) entered: Option<Instant>,
}

#[derive(Debug)]
enum State {
    Acquiring(Acquiring),
    Held(Held),
    Releasing(Releasing),
    Done,
}

/// What a lock may use of the world around it while it makes a transition.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) id: LockId,
    pub(crate) spec: &'a Spec,
    pub(crate) policy: &'a Policy,
    pub(crate) timers: &'a mut TimerTable,
    pub(crate) serial: &'a mut u32,
    pub(crate) world: World<'a>,
}

/// What all locks share.
pub(crate) struct World<'a> {
    pub(crate) nodes: &'a mut Nodes,
    pub(crate) events: &'a mut VecDeque<Event>,
    pub(crate) entropy: &'a mut (dyn Entropy + 'static),
}

/// Everything that can happen to a lock.
pub(crate) enum Input<'a> {
    Start,
    Ready(NodeId),
    Down(NodeId, &'a Fault),
    Reply(NodeId, u32, Result<Answer, Fault>),
    NoScript(NodeId, u32),
    Timer(Timer),
    Wish(OpId, Wish),
    /// The application is done with it and wants to know how it went.
    Release,
    /// The application wants nothing of it any more, not even to hear.
    Cancel,
}

impl Lock {
    pub(crate) fn new(spec: Spec) -> Self {
        Self {
            spec,
            state: State::Acquiring(Acquiring::default()),
            timers: TimerTable::default(),
            serial: 0,
            entered: None,
        }
    }

    pub(crate) fn handle(
        &mut self,
        input: Input<'_>,
        id: LockId,
        policy: &Policy,
        world: World<'_>,
        now: Instant,
    ) {
        let Self { spec, state, timers, serial, .. } = self;
        let mut cx = Context { now, id, spec, policy, timers, serial, world };
        *state = match core::mem::replace(state, State::Done) {
            State::Acquiring(acquiring) => acquiring.handle(input, &mut cx),
            State::Held(held) => held.handle(input, &mut cx),
            State::Releasing(releasing) => releasing.handle(input, &mut cx),
            State::Done => State::Done,
        };
        if self.is_done() {
            self.timers.stop_all();
        }
    }

    pub(crate) const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(crate) const fn is_held(&self) -> bool {
        matches!(self.state, State::Held(_))
    }

    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        self.timers.take_due(now)
    }

    /// The grant is about to be told: from here on the end is a loss, before it is a failure to acquire.
    pub(crate) fn told(&mut self) {
        if let State::Held(held) = &mut self.state {
            held.told();
        }
    }

    /// How long the lock may still be believed in.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        match &self.state {
            State::Held(held) => held.remaining(&self.spec, now),
            _ => Duration::ZERO,
        }
    }
}

impl Context<'_> {
    fn next_serial(&mut self) -> u32 {
        *self.serial = self.serial.wrapping_add(1);
        *self.serial
    }

    fn ask(&mut self, node: NodeId, tag: Tag, verb: Verb) -> Asked {
        self.send(node, tag, verb, Form::Hash)
    }

    fn ask_by_source(&mut self, node: NodeId, tag: Tag, verb: Verb) -> Asked {
        self.send(node, tag, verb, Form::Source)
    }

    fn send(&mut self, node: NodeId, tag: Tag, verb: Verb, form: Form) -> Asked {
        // A connection that has been silent for four answers' time, and half a second, is taken for dead.
        let patience = self.spec.node_timeout.times(4).max(Duration::from_millis(500));
        let token = self.spec.token.as_slice();
        let mut lease = Vec::new();
        let (script, keys, arguments): (_, _, &[&[u8]]) = match verb {
            Verb::Acquire => {
                push_decimal(self.spec.ttl.as_millis(), &mut lease);
                (&EXCLUSIVE_ACQUIRE, self.spec.all_keys(), &[token, &lease])
            }
            Verb::Extend(ttl) => {
                push_decimal(ttl.as_millis(), &mut lease);
                (&EXCLUSIVE_EXTEND, self.spec.all_keys(), &[token, &lease])
            }
            Verb::Release => (&EXCLUSIVE_RELEASE, self.spec.lock_keys(), &[token]),
        };
        let command = Command { script, keys, arguments, patience };
        self.world.nodes.ask(node, tag, &command, form, self.now)
    }

    fn emit(&mut self, event: Event) {
        self.world.events.push_back(event);
    }
}
