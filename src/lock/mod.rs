//! The machine of one lock, from the first attempt to the last clean-up.
//!
//! ```text
//!           granted            release, loss, abort            answered or expired
//!  Acquire ---------> Hold -------------------------> Release --------------------> Done
//!     |                                                  ^
//!     '--- wait over, permanent error, abort: residue ---'
//! ```
//! A state consumes itself in a transition and returns a [`Step`], so that there is no half transition. No state knows
//! another state: only this file leads from one to the next.

mod acquire;
mod ask;
mod axes;
mod context;
mod effects;
mod failure;
mod hold;
mod in_flight;
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
    patience::Times,
    quorum::Heard,
    time::{Duration, Instant},
    timers::{Timer, TimerTable},
};

use acquire::Acquire;
use context::Context;
pub(crate) use context::Shared;
pub(crate) use effects::Effect;
use hold::Hold;
use in_flight::InFlight;
pub(crate) use input::{Input, Operation, Reentry, Start};
pub(crate) use kind::leader::Leaders;
pub(crate) use owner::Owner;
pub use policy::Policy;
use release::Release;
pub use request::Request;
pub(crate) use spec::Spec;
pub(crate) use step::Residue;
use step::Step;

#[derive(Clone, Debug, Hash)]
pub(crate) struct Lock {
    spec: Spec,
    owner: Owner,
    state: State,
    timers: TimerTable,
    serial: u32,
    in_flight: InFlight,
    /// The handles of the lock, granted or still pending. More than one after re-entry.
    pub(crate) handles: Vec<Handle>,
    /// The time for which this lock is in the deadline queue.
    pub(crate) queued_at: Option<Instant>,
    /// The listening time for which it is in the queue of patient deadlines.
    pub(crate) patient_at: Option<Instant>,
}

/// Boxed, because each transition moves it.
#[derive(Clone, Debug, Hash)]
enum State {
    New,
    Acquire(Box<Acquire>),
    Hold(Box<Hold>),
    Release(Box<Release>),
    Done,
}

impl Lock {
    /// A new lock. It does nothing before [`Input::Start`].
    pub(crate) fn new(spec: Spec, owner: Owner, handle: Option<HandleId>) -> Self {
        Self {
            spec,
            owner,
            handles: handle.map(Handle::new).into_iter().collect(),
            state: State::New,
            timers: TimerTable::default(),
            serial: 0,
            in_flight: InFlight::default(),
            queued_at: None,
            patient_at: None,
        }
    }

    /// Handles an input. If a node has thereby answered the last command in flight, it may be asked the next question.
    pub(crate) fn handle(
        &mut self,
        input: Input<'_>,
        id: LockId,
        policy: &Policy,
        shared: Shared<'_>,
        times: Times,
    ) {
        let Times { now, listening, believed } = times;
        let Self { spec, owner, handles, state, timers, serial, in_flight, .. } = self;
        let mut cx = Context {
            now,
            listening,
            believed,
            id,
            spec,
            owner,
            handles,
            policy,
            timers,
            serial,
            in_flight,
            shared,
        };
        let cx = &mut cx;
        let answered = match &input {
            Input::Heard(heard) => cx.in_flight.end(heard),
            _ => None,
        };
        state.handle(input, cx);
        if let Some(node) = answered.filter(|&node| cx.in_flight.server(node).is_none()) {
            state.handle(Input::Heard(Heard::Free(node)), cx);
        }
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

    /// Whether the application waits for an answer, or relies on a renewal (rule 18).
    pub(crate) fn is_owed(&self) -> bool {
        match &self.state {
            State::Acquire(_) => true,
            State::Hold(hold) => hold.is_owed(),
            State::Release(release) => release.is_owed(),
            State::New | State::Done => false,
        }
    }

    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(crate) fn next_patient_timer(&self) -> Option<Instant> {
        self.timers.next_patient()
    }

    /// The last handle is about to release the lock: overdue timers run first, but send no extension any more (rule 5).
    pub(crate) fn close(&mut self) {
        if let State::Hold(hold) = &mut self.state {
            hold.close();
        }
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        if self.queued_at.is_some_and(|at| at > now) {
            return None;
        }
        self.timers.take_due(now)
    }

    pub(crate) fn take_due_patient(&mut self, listening: Instant) -> Option<Timer> {
        self.timers.take_due_patient(listening)
    }

    pub(crate) const fn is_parked(&self) -> bool {
        matches!(&self.state, State::Acquire(acquire) if acquire.is_parked())
    }

    /// Whether both locks have the same token and a common key, so that releasing one would release the other.
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        self.owner.token() == other.owner.token()
            && self.spec.keys.locks().any(|key| other.spec.keys.locks().any(|each| each == key))
    }

    /// Whether the lock is valid, and holds exactly the keys of `spec`, as a lock of the same kind.
    pub(crate) fn provides(&self, spec: &Spec, now: Instant) -> bool {
        let is_same = self.spec.keys == spec.keys && self.spec.kind == spec.kind;
        is_same && self.remaining(now) > Duration::ZERO
    }

    /// The listening time at which the wait is over, if it is limited. It began at `listening`, unless the lock was parked
    /// before.
    pub(crate) fn waits_until(&self, listening: Instant) -> Option<Instant> {
        self.timers.get(Timer::Wait).or_else(|| self.spec.limited_wait().map(|wait| listening.after(wait)))
    }

    pub(crate) const fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(crate) const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Whether the handle is one of this lock's.
    pub(crate) fn has(&self, handle: HandleId) -> bool {
        self.handles.iter().any(|each| each.id == handle)
    }

    /// The application is about to be told something about this handle.
    pub(crate) fn tell(&mut self, handle: HandleId, phase: Phase) {
        if let Some(entry) = self.handles.iter_mut().find(|each| each.id == handle) {
            entry.phase = phase;
        }
    }

    /// How long the lock is still valid; zero if it is not held.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        match &self.state {
            State::Hold(hold) => hold.remaining(&self.spec, now),
            _ => Duration::ZERO,
        }
    }
}

impl State {
    /// Makes one transition.
    fn handle(&mut self, input: Input<'_>, cx: &mut Context<'_>) {
        let input = match input {
            Input::Timer(Timer::Round) => Input::Heard(Heard::Timeout),
            other => other,
        };
        *self = match core::mem::replace(self, Self::Done) {
            Self::New => match input {
                Input::Start(Start::Attempt) => next(Acquire::begin(cx), Self::Acquire, cx),
                Input::Start(Start::Parked) => next(Acquire::begin_parked(cx), Self::Acquire, cx),
                Input::Start(Start::CleanUp(residue)) => release(residue, cx),
                _ => Self::New,
            },
            Self::Acquire(acquire) => next(acquire.handle(input, cx), Self::Acquire, cx),
            Self::Hold(hold) => next(hold.handle(input, cx), Self::Hold, cx),
            Self::Release(release) => next(release.handle(input, cx), Self::Release, cx),
            Self::Done => Self::Done,
        };
    }
}

/// The state that a step leads to. `stay` wraps the state of [`Step::Stay`].
fn next<S>(step: Step<S>, stay: impl FnOnce(S) -> State, cx: &mut Context<'_>) -> State {
    match step {
        Step::Stay(state) => stay(state),
        Step::Granted(grant) => State::Hold(Hold::begin(grant, cx)),
        Step::Release(residue) => release(residue, cx),
        Step::Done => State::Done,
    }
}

/// Begins a release. Not part of [`next`], because a release never leads to another state than `Done`.
fn release(residue: Residue, cx: &mut Context<'_>) -> State {
    match Release::begin(residue, cx) {
        Step::Stay(state) => State::Release(state),
        _ => State::Done,
    }
}
