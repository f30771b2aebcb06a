//! One lock, from the first attempt to the last clean-up.
//!
//! ```text
//!             granted             release, loss, abort             answered or expired
//!  Acquiring ---------> Held ----------------------------> Releasing ------------------> Done
//!      |                                                       ^
//!      '--- wait over, final error, abort: what may have been written is released
//! ```
//! Every state consumes itself in a transition and answers with the next, so that a transition is whole or not at all.

mod acquire;
mod context;
mod hold;
mod kind;
mod release;
mod spec;

use crate::{
    entropy::{Entropy, EntropyUnavailable, Token},
    error::NodeError,
    id::{LockId, NodeId, OperationId},
    quorum::Round,
    script::Answer,
    time::{Duration, Instant},
    timers::{Timer, TimerTable},
};

use acquire::Acquiring;
pub(crate) use context::{Context, World};
use hold::Held;
pub(crate) use kind::Leaders;
use release::Releasing;
pub(crate) use spec::Spec;
pub use spec::{Policy, Request};

/// What a round asks of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Acquire,
    /// Take over what the token holds already, and extend it.
    Adopt,
    /// Extend to at least this lease from now; zero only asks whether the keys are ours.
    Extend(Duration),
    /// Release what is held, and if `waited` also what waits.
    Release {
        waited: bool,
    },
}

/// What the application asks of a lock that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wish {
    Extend(Duration),
    Verify,
}

/// Who asks for the keys: the token that is written into them.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Owner {
    token: Vec<u8>,
    /// The token's bits, if it was drawn here.
    minted: Option<Token>,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Lock {
    spec: Spec,
    owner: Owner,
    state: State,
    timers: TimerTable,
    serial: u32,
    /// Those who hold the lock, or ask for it, by the numbers that the application knows them by: more than one after
    /// re-entry.
    pub(crate) holders: Vec<LockId>,
    /// When the engine looks at this lock's timers, at the latest.
    pub(crate) queued_at: Option<Instant>,
}

#[derive(Clone, Debug, Hash)]
enum State {
    Acquiring(Acquiring),
    Held(Held),
    /// About to release what an attempt left, with nobody to tell.
    Leaving(Round),
    /// About to give up the places of a waiter that nothing is known of.
    Straying,
    Releasing(Releasing),
    Done,
}

/// Everything that can happen to a lock.
pub(crate) enum Input<'a> {
    Start,
    /// To begin later: another lock of the same owner is in the way.
    Park,
    Ready(NodeId),
    Down(NodeId, &'a NodeError),
    Reply(NodeId, u32, Result<Answer, NodeError>),
    NoScript(NodeId, u32),
    Timer(Timer),
    Wish(OperationId, Wish),
    /// The same owner asks again for what it holds, under this number, perhaps for renewal, and waits until then.
    Reenter(LockId, bool, Option<Instant>),
    /// The application is done with it under this number, and keeps it under another.
    Leave(LockId),
    /// A message says that the lock may be had now.
    Wake,
    /// The waiters of this client before it are gone.
    Promoted,
    /// The application is done with it and wants to know how it went.
    Release,
    /// The application wants nothing of it any more, not even to hear.
    Cancel,
}

impl Lock {
    pub(crate) fn new(spec: Spec, owner: Owner, id: LockId) -> Self {
        Self {
            spec,
            owner,
            holders: vec![id],
            state: State::Acquiring(Acquiring::default()),
            timers: TimerTable::default(),
            serial: 0,
            queued_at: None,
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
        let Self { spec, owner, holders, state, timers, serial, .. } = self;
        let mut cx = Context { now, id, spec, owner, holders, policy, timers, serial, world };
        *state = match core::mem::replace(state, State::Done) {
            State::Acquiring(acquiring) => acquiring.handle(input, &mut cx),
            State::Held(held) => held.handle(input, &mut cx),
            State::Releasing(releasing) => releasing.handle(input, &mut cx),
            State::Leaving(round) => Releasing::begin_after(&round, &mut cx),
            State::Straying => Releasing::begin(false, true, cx.place_lease(), &mut cx),
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

    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Acquiring(_))
    }

    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Its last holder is about to be done with it: what is due comes first, but asks for no extension any more.
    pub(crate) fn close(&mut self) {
        if let State::Held(held) = &mut self.state {
            held.close();
        }
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        self.timers.take_due(now)
    }

    /// A lock of which only remains to release what `round` may have left.
    fn leftover(spec: Spec, owner: Owner, round: Round) -> Self {
        Self { state: State::Leaving(round), ..Self::new(spec, owner, LockId(0)) }
    }

    /// What gives up the places of a waiter that nothing is known of. It holds nothing: `owner` is to be nobody.
    pub(crate) fn stray(spec: Spec, owner: Owner) -> Self {
        Self { state: State::Straying, ..Self::new(spec, owner, LockId(0)) }
    }

    /// Whether this lock is the same owner's, for some of the same keys: what is done about one is done to both.
    pub(crate) fn concerns(&self, owner: &Owner, spec: &Spec) -> bool {
        self.owner.token == owner.token
            && self.spec.lock_keys().iter().any(|key| spec.lock_keys().contains(key))
    }

    /// Whether it holds just what that asks for, and may be believed to.
    pub(crate) fn provides(&self, spec: &Spec, now: Instant) -> bool {
        let same = self.spec.lock_keys() == spec.lock_keys() && self.spec.fair == spec.fair;
        same && self.remaining(now) > Duration::ZERO
    }

    /// When its wait is over, if it waits and not for ever. `now` is when it began, unless it was parked before.
    pub(crate) fn waits_until(&mut self, now: Instant) -> Option<Instant> {
        let limited = self.spec.wait > Duration::ZERO && self.spec.wait < Duration::MAX;
        self.timers.get(Timer::Wait).or_else(|| limited.then(|| now.after(self.spec.wait)))
    }

    pub(crate) const fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(crate) const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The grant to this holder is about to be told: from here on the end is a loss, before it is a failure to acquire.
    pub(crate) fn told(&mut self, holder: LockId) {
        if let State::Held(held) = &mut self.state {
            held.told(holder);
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

impl Owner {
    /// The application's own token, or one that is drawn.
    pub(crate) fn new(token: Option<&[u8]>, entropy: &mut dyn Entropy) -> Result<Self, EntropyUnavailable> {
        match token {
            Some(token) => Ok(Self { token: token.to_vec(), minted: None }),
            None => Token::mint(entropy).map(|minted| Self { token: minted.to_hex(), minted: Some(minted) }),
        }
    }
}
