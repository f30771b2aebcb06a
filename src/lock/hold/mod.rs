//! Holding a lock: its lease, extensions of it, and its loss.
//!
//! ```text
//!   Held --Renew, extend(), verify()--> Held, one question in flight, later ones queued
//!     |                                   yes: the lease is longer        no: lost
//!     |                                   no answer: the lease is as it was, and ends when it ends
//!     '--Lease, MaxHold--> lost           '--release()--> no extension is sent from here on, ever
//! ```

mod operations;

use super::{Context, Input, Releasing, Spec, State, Verb, acquire::too_late};
use crate::{
    error::{Code, LockError, NodeError},
    event::{Event, Loss},
    id::{LockId, NodeId},
    planted::{Planted, planted},
    quorum::{Lease, Round, Verdict, notice, quorum, validity},
    script::Answer,
    time::{Duration, Instant},
    timers::Timer,
    topology::Topology,
};
use operations::{Op, Ops};

/// The shortest pause after a renewal that failed.
const SHORTEST_RETRY: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, Hash)]
pub(crate) struct Held {
    lease: Lease,
    /// Until when the lock may be believed in.
    validity: Instant,
    fence: u64,
    /// Which of the holders know that they have it.
    told: Vec<LockId>,
    attempts: u32,
    renew: bool,
    round: Option<Round>,
    /// The question before, whose late answers count: at first, the one that granted the lock.
    last: Round,
    /// The longest lease ever asked for.
    longest: Duration,
    /// Whether the release is about to begin: nothing more is asked.
    closing: bool,
    ops: Ops,
}

impl Held {
    /// Begins with the lease that was granted in `round`.
    pub(crate) fn begin(
        lease: Lease,
        round: Round,
        fence: u64,
        attempts: u32,
        cx: &mut Context<'_>,
    ) -> State {
        cx.timers.stop_all();
        let sent = round.first_sent().unwrap_or(cx.now);
        let validity = lease.validity(quorum(cx.world.topology.count()));
        let held = Self {
            lease,
            validity,
            fence,
            told: Vec::new(),
            attempts,
            renew: cx.spec.renew,
            round: None,
            last: round,
            longest: cx.spec.ttl,
            closing: false,
            ops: Ops::default(),
        };
        held.arm(cx);
        if held.renew {
            cx.timers.set(Timer::Renew, sent.after(cx.spec.ttl.part(3)));
        }
        if cx.spec.max_hold < Duration::MAX {
            cx.timers.set(Timer::MaxHold, cx.now.after(cx.spec.max_hold));
        }
        State::Held(held)
    }

    pub(crate) fn told(&mut self, holder: LockId) {
        self.told.push(holder);
    }

    pub(crate) fn close(&mut self) {
        self.closing = !planted(Planted::ExtendsAfterRelease);
    }

    pub(crate) fn remaining(&self, spec: &Spec, now: Instant) -> Duration {
        if self.end(spec) > now { self.validity.since(now) } else { Duration::ZERO }
    }

    /// When the loss is told: a little before validity ends.
    fn end(&self, spec: &Spec) -> Instant {
        self.validity.before(notice(spec.ttl))
    }

    fn arm(&self, cx: &mut Context<'_>) {
        if !planted(Planted::LossNotTimed) {
            cx.timers.set(Timer::Lease, self.end(cx.spec));
        }
    }

    fn arm_entries(&self, cx: &mut Context<'_>) {
        match self.ops.next_wait() {
            Some(until) => cx.timers.set(Timer::Wait, until),
            None => cx.timers.stop(Timer::Wait),
        }
    }

    pub(crate) fn handle(mut self, input: Input<'_>, cx: &mut Context<'_>) -> State {
        match input {
            Input::Timer(Timer::Lease) => self.lose(Loss::Expired, cx),
            Input::Timer(Timer::MaxHold) => self.lose(Loss::MaxHold, cx),
            Input::Timer(Timer::Renew) => {
                self.ops.queue(Op::Renew);
                self.pump(cx)
            }
            Input::Wish(op, wish) => {
                self.ops.queue(Op::Wish(op, wish));
                self.pump(cx)
            }
            Input::Reenter(holder, renew, until) => {
                if renew && !self.renew {
                    self.renew = true;
                    cx.timers.set(Timer::Renew, cx.now);
                }
                self.ops.queue(Op::Reenter(holder, until));
                self.arm_entries(cx);
                self.pump(cx)
            }
            Input::Timer(Timer::Wait) => {
                self.ops.expire_entries(cx);
                self.arm_entries(cx);
                self.unless_deserted(cx)
            }
            Input::Leave(holder) => {
                for holders in [&mut self.told, &mut *cx.holders] {
                    holders.retain(|&each| each != holder);
                }
                self.ops.withdraw_entry(holder);
                forget_grant(holder, cx);
                self.unless_deserted(cx)
            }
            Input::Release => self.end_with(true, "the lock was released", cx),
            Input::Cancel => self.end_with(false, "the lock was released", cx),
            Input::Ready(node) => {
                // A server that was not there when the others granted it: the more have it, the better.
                self.last.handle(Input::Ready(node), cx);
                self.hear(Input::Ready(node), cx)
            }
            Input::Reply(node, serial, reply) => self.on_reply(node, serial, reply, cx),
            Input::NoScript(node, serial) if self.last.is(serial) => {
                self.last.handle(Input::NoScript(node, serial), cx);
                State::Held(self)
            }
            other => self.hear(other, cx),
        }
    }

    /// What concerns the question in flight, if there is one.
    fn hear(mut self, input: Input<'_>, cx: &mut Context<'_>) -> State {
        match self.round.take_if(|round| round.handle(input, cx)) {
            Some(round) => self.settle(round, cx),
            None => State::Held(self),
        }
    }

    fn on_reply(
        mut self,
        node: NodeId,
        serial: u32,
        reply: Result<Answer, NodeError>,
        cx: &mut Context<'_>,
    ) -> State {
        if let Some(mut round) = self.round.take_if(|round| round.is(serial)) {
            round.on_reply(node, reply);
            self.take_answer(round.verb, round.answer(node), node, cx);
            return if self.is_refuted(cx) { self.lose(Loss::NotOurs, cx) } else { self.settle(round, cx) };
        }
        if self.last.is(serial) {
            self.last.on_reply(node, reply);
            self.take_answer(self.last.verb, self.last.answer(node), node, cx);
        } else if let Ok(answer @ Answer::Flag(false)) = reply {
            // The answer to a question of long ago: what is not ours then, is not ours now.
            self.take_answer(Verb::Extend(Duration::ZERO), Some((cx.now, answer)), node, cx);
        }
        if self.is_refuted(cx) { self.lose(Loss::NotOurs, cx) } else { State::Held(self) }
    }

    /// Whether so many servers said that it is not ours that a majority cannot hold it.
    fn is_refuted(&self, cx: &Context<'_>) -> bool {
        self.lease.kept() < quorum(cx.world.topology.count())
    }

    /// Asks for what is queued, in one question, unless one is in flight.
    fn pump(mut self, cx: &mut Context<'_>) -> State {
        if self.round.is_some() || self.closing {
            return State::Held(self);
        }
        let Some(asked) = self.ops.serve_queued(cx.spec.ttl) else { return State::Held(self) };
        self.longest = self.longest.max(asked);
        let round = Round::start(Verb::Extend(asked), cx);
        self.settle(round, cx)
    }

    /// Sees whether the question is decided.
    fn settle(mut self, round: Round, cx: &mut Context<'_>) -> State {
        round.arm(cx);
        let extends = round.verb != Verb::Extend(Duration::ZERO);
        match round.tally(cx.spec.count()).verdict() {
            Verdict::Pending => {
                self.round = Some(round);
                State::Held(self)
            }
            Verdict::Won => {
                if self.renew && extends && !planted(Planted::RenewsOnce) {
                    let sent = round.first_sent().unwrap_or(cx.now);
                    cx.timers.set(Timer::Renew, sent.after(cx.spec.ttl.part(3)));
                }
                round.tell_degraded(cx);
                self.ops.succeed(self.fence, cx);
                self.last = round;
                self.pump(cx)
            }
            Verdict::Denied => self.lose(Loss::NotOurs, cx),
            Verdict::Unreachable => {
                let failure = round.fault().map_or_else(
                    || LockError::new(Code::Connection, 0, "no majority answered"),
                    |(node, fault)| LockError::from_fault(fault, node, 0),
                );
                self.ops.fail(&failure, cx);
                if self.is_deserted(cx) {
                    return self.end_with(false, "the lock was released", cx);
                }
                self.last = round;
                if self.renew && extends {
                    // In shorter steps until validity ends.
                    let pause =
                        self.validity.since(cx.now).part(3).min(cx.spec.ttl.part(3)).max(SHORTEST_RETRY);
                    cx.timers.set(Timer::Renew, cx.now.after(pause));
                }
                self.pump(cx)
            }
        }
    }

    /// What a server's answer, and when it was asked, makes of the lease there.
    fn take_answer(
        &mut self,
        verb: Verb,
        answer: Option<(Instant, Answer)>,
        node: NodeId,
        cx: &mut Context<'_>,
    ) {
        let asked = match verb {
            Verb::Extend(Duration::ZERO) if planted(Planted::VerifyExtends) => cx.spec.ttl,
            Verb::Extend(ttl) => ttl,
            _ => cx.spec.ttl,
        };
        match answer {
            Some((sent, Answer::Flag(true) | Answer::Fence(_))) => {
                let sent = if planted(Planted::ExtensionFromReply) { cx.now } else { sent };
                self.lease.granted(Topology::index(node), validity(sent, asked, cx.policy.drift));
            }
            Some((_, Answer::Flag(false))) => self.lease.revoked(Topology::index(node)),
            _ => return,
        }
        self.validity = self.lease.validity(quorum(cx.world.topology.count()));
        self.arm(cx);
    }

    /// Whether nobody holds it or is about to enter it: the last holder left while an entry, which failed, was in flight.
    fn is_deserted(&self, cx: &Context<'_>) -> bool {
        cx.holders.is_empty() && !self.ops.are_entering()
    }

    fn unless_deserted(self, cx: &mut Context<'_>) -> State {
        if self.is_deserted(cx) {
            self.end_with(false, "the lock was released", cx)
        } else {
            State::Held(self)
        }
    }

    fn lose(mut self, loss: Loss, cx: &mut Context<'_>) -> State {
        cx.count(|counters| &mut counters.lost);
        for lock in cx.holders.clone() {
            if self.told.contains(&lock) {
                cx.emit(Event::Lost { lock, loss });
            } else {
                cx.emit(Event::Failed { lock, failure: too_late(self.attempts) });
            }
        }
        if loss == Loss::NotOurs {
            self.ops.deny(cx);
        }
        self.end_with(false, loss.describe(), cx)
    }

    /// The lock is held no more; whatever is left of it is released. `tell` if the application asked for that.
    fn end_with(mut self, tell: bool, why: &str, cx: &mut Context<'_>) -> State {
        if planted(Planted::QuestionsForgotten) {
            self.ops = Ops::default();
        }
        let failure = LockError::new(Code::Lost, 0, why);
        self.ops.fail(&failure, cx);
        self.ops.serve_queued(Duration::ZERO);
        self.ops.fail(&failure, cx);
        for lock in cx.holders.clone() {
            // A grant that is still in the queue of events must not be told any more.
            if !self.told.contains(&lock) {
                forget_grant(lock, cx);
            }
        }
        Releasing::begin(tell, false, self.longest, cx)
    }
}

/// Takes a grant out of the queue of events.
fn forget_grant(holder: LockId, cx: &mut Context<'_>) {
    cx.world.events.retain(|event| !matches!(event, Event::Granted { lock, .. } if *lock == holder));
}
