//! One lock, from the first attempt to the last clean-up.
//!
//! ```text
//!           granted            release, loss, abort            answered or expired
//!  Acquire ---------> Hold -------------------------> Release --------------------> Done
//!     |                                                  ^
//!     '--- wait over, permanent error, abort: residue ---'
//! ```
//! A state consumes itself in a transition and answers with a [`Step`], so that a transition is whole or not at all. No
//! state knows another one: this file alone leads from one to the next.

mod acquire;
mod ask;
mod axes;
mod context;
mod effects;
mod failure;
mod hold;
mod input;
mod kind;
mod owner;
mod policy;
mod release;
mod request;
mod spec;
mod step;

use crate::{
    handles::{Handle, Phase},
    id::{HandleId, LockId},
    quorum::Heard,
    time::{Duration, Instant},
    timers::{Timer, TimerTable},
};

use acquire::Acquire;
use context::Context;
pub(crate) use context::Shared;
pub(crate) use effects::Effect;
use hold::Hold;
pub(crate) use input::{Input, Operation, Reentry, Start};
pub(crate) use kind::fair::leader::Leaders;
pub(crate) use owner::Owner;
pub use policy::Policy;
use release::Release;
pub use request::Request;
pub(crate) use spec::Spec;
pub(crate) use step::Residue;
use step::{Report, Scope, Step};

#[derive(Clone, Debug, Hash)]
pub(crate) struct Lock {
    spec: Spec,
    owner: Owner,
    state: State,
    timers: TimerTable,
    serial: u32,
    /// The handles of those who hold the lock, or ask for it: more than one after re-entry.
    pub(crate) handles: Vec<Handle>,
    /// When the engine looks at this lock's timers, at the latest.
    pub(crate) queued_at: Option<Instant>,
}

#[derive(Clone, Debug, Hash)]
enum State {
    New,
    Acquire(Acquire),
    Hold(Hold),
    Release(Release),
    Done,
}

impl Residue {
    /// The position of a waiter that this client knows nothing of, for so long at most.
    pub(crate) fn unknown_waiter(longest: Duration) -> Self {
        Self {
            scope: Scope::All,
            waiter: crate::script::Waiter::Registered,
            longest,
            report: Report::ToNobody,
        }
    }
}

impl Lock {
    /// A lock that does nothing before [`Input::Start`].
    pub(crate) fn new(spec: Spec, owner: Owner, handle: Option<HandleId>) -> Self {
        Self {
            spec,
            owner,
            handles: handle.map(Handle::new).into_iter().collect(),
            state: State::New,
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
        shared: Shared<'_>,
        now: Instant,
    ) {
        let Self { spec, owner, handles, state, timers, serial, .. } = self;
        let mut cx = Context { now, id, spec, owner, handles, policy, timers, serial, shared };
        let cx = &mut cx;
        let input = match input {
            Input::Timer(Timer::Round) => Input::Heard(Heard::Timeout),
            other => other,
        };
        *state = match core::mem::replace(state, State::Done) {
            State::New => match input {
                Input::Start(Start::Attempt) => next(Acquire::begin(cx), State::Acquire, cx),
                Input::Start(Start::Parked) => next(Acquire::begin_parked(cx), State::Acquire, cx),
                Input::Start(Start::CleanUp(residue)) => release(residue, cx),
                _ => State::New,
            },
            State::Acquire(acquire) => next(acquire.handle(input, cx), State::Acquire, cx),
            State::Hold(hold) => next(hold.handle(input, cx), State::Hold, cx),
            State::Release(release) => next(release.handle(input, cx), State::Release, cx),
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
        matches!(self.state, State::Hold(_))
    }

    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Acquire(_))
    }

    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Its last holder is about to release it: what is due comes first, but sends no extension any more.
    pub(crate) fn close(&mut self) {
        if let State::Hold(hold) = &mut self.state {
            hold.close();
        }
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        self.timers.take_due(now)
    }

    pub(crate) const fn is_parked(&self) -> bool {
        matches!(&self.state, State::Acquire(acquire) if acquire.is_parked())
    }

    /// Whether both have a token and a key in common: what is done to one lock is done to the other.
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        self.owner.token() == other.owner.token()
            && self.spec.keys.locks().iter().any(|key| other.spec.keys.locks().contains(key))
    }

    /// Whether it holds just what `spec` asks for, and may be believed to.
    pub(crate) fn provides(&self, spec: &Spec, now: Instant) -> bool {
        let is_same = self.spec.keys.locks() == spec.keys.locks() && self.spec.kind == spec.kind;
        is_same && self.remaining(now) > Duration::ZERO
    }

    /// When its wait is over, if it is limited. `now` is when it began, unless it was parked before.
    pub(crate) fn waits_until(&self, now: Instant) -> Option<Instant> {
        self.timers.get(Timer::Wait).or_else(|| self.spec.limited_wait().map(|wait| now.after(wait)))
    }

    pub(crate) const fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(crate) const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Whether the handle stands for this lock.
    pub(crate) fn has(&self, handle: HandleId) -> bool {
        self.handles.iter().any(|each| each.id == handle)
    }

    /// The application is about to hear of the grant to this handle.
    pub(crate) fn inform(&mut self, handle: HandleId) {
        if let Some(entry) = self.handles.iter_mut().find(|each| each.id == handle) {
            entry.phase = Phase::Informed;
        }
    }

    /// How long the lock may still be believed in.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        match &self.state {
            State::Hold(hold) => hold.remaining(&self.spec, now),
            _ => Duration::ZERO,
        }
    }
}

/// The state that a step leads to; `stay` is that of a step that stays.
fn next<S>(step: Step<S>, stay: impl FnOnce(S) -> State, cx: &mut Context<'_>) -> State {
    match step {
        Step::Stay(state) => stay(state),
        Step::Granted(grant) => State::Hold(Hold::begin(grant, cx)),
        Step::Release(residue) => release(residue, cx),
        Step::Done => State::Done,
    }
}

/// A release never grants: there is no way back to [`next`].
fn release(residue: Residue, cx: &mut Context<'_>) -> State {
    match Release::begin(residue, cx) {
        Step::Stay(state) => State::Release(state),
        _ => State::Done,
    }
}
