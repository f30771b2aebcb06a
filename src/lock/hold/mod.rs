//! Holding a lock: its lease, its operations and its loss.
//!
//! ```text
//!   Hold --Renew, Confirm, extend(), verify()--> Hold, one round in flight, later operations queued
//!     |                                   yes: the lease is extended      no: lost
//!     |                                   no answer: the lease keeps its deadline (rule 5)
//!     '--Lease, MaxHold--> lost           '--release()--> no extension is sent any more
//! ```

mod loss;
mod operations;
mod validity;

use std::rc::Rc;

use super::{
    context::Context,
    failure::released,
    input::{Input, Reentry},
    spec::Spec,
    step::{Grant, Report, Step},
};
use crate::{
    error::{Code, LockError, NodeError},
    event::Loss,
    handles::Handle,
    id::NodeId,
    quorum::{Heard, Lease, Round, Verdict},
    script::{Answer, Verb},
    time::{Duration, Instant},
    timers::Timer,
};
use operations::{Operations, Task};

/// The shortest pause after a failed renewal.
const SHORTEST_RETRY: Duration = Duration::from_millis(20);

/// A renewal is due at a third of the lease (rule 5).
const RENEWAL_PART: u64 = 3;

/// A confirmation comes within a tenth of the validity that is left.
const CONFIRMATION_PART: u64 = 10;

/// The pause after a confirmation that failed in a cluster.
const CONFIRMATION_PAUSE: Duration = Duration::from_millis(50);

/// The grid of renewals: a hundredth of the lease, at most 100 ms.
const GRID_PART: u64 = 100;
const LONGEST_STEP: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, Hash)]
pub(super) struct Hold {
    lease: Lease,
    /// The end of validity (rule 1).
    validity: Instant,
    fence: u64,
    attempts: u32,
    renew: bool,
    round: Option<Round>,
    /// The previous round, whose late answers still count. At first the round that won the lock.
    last: Round,
    /// The longest lease that was requested.
    longest: Duration,
    /// Whether the release is about to begin: no further round starts.
    closing: bool,
    /// Whether the slot got another server while a round was in flight: if that fails, a confirmation follows.
    unconfirmed: bool,
    /// When to ask a server again that had answered the round in flight before it was replaced, or connected to anew.
    confirm_at: Option<Instant>,
    operations: Operations,
    /// Why the last extension failed. `None` if it succeeded.
    fault: Option<Rc<LockError>>,
}

impl Hold {
    pub(super) fn begin(grant: Grant, cx: &mut Context<'_>) -> Box<Self> {
        cx.timers.stop_all();
        let Grant { lease, round, fence, attempts } = grant;
        let sent = round.first_sent().unwrap_or(cx.now);
        let hold = Box::new(Self {
            validity: lease.validity(cx.spec.placement.needed()),
            lease,
            fence,
            attempts,
            renew: cx.spec.renew,
            round: None,
            last: round,
            longest: cx.spec.ttl,
            closing: false,
            unconfirmed: false,
            confirm_at: None,
            operations: Operations::default(),
            fault: None,
        });
        hold.arm_lease(cx);
        if hold.renew {
            arm_renewal(sent, cx);
        }
        if cx.spec.max_hold < Duration::MAX {
            cx.timers.set(Timer::MaxHold, cx.now.after(cx.spec.max_hold));
        }
        hold
    }

    /// The last handle is about to release the lock: overdue timers run first, but send no extension any more (rule 5).
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    pub(super) fn remaining(&self, spec: &Spec, now: Instant) -> Duration {
        if self.end(spec) > now { self.validity.since(now) } else { Duration::ZERO }
    }

    /// Whether the lock is renewed, or an operation is pending (rule 18).
    pub(super) fn is_owed(&self) -> bool {
        self.renew || self.operations.is_owed()
    }

    pub(super) fn handle(mut self: Box<Self>, input: Input<'_>, cx: &mut Context<'_>) -> Step<Box<Self>> {
        match input {
            Input::Timer(Timer::Lease) => self.lose(Loss::Expired, cx),
            Input::Timer(Timer::MaxHold) => self.lose(Loss::MaxHold, cx),
            Input::Timer(Timer::Renew) => {
                self.operations.queue(if self.renew { Task::Renew } else { Task::Confirm });
                self.serve(cx)
            }
            Input::Confirm(voter, delay) => {
                self.confirm(voter, delay, cx);
                Step::Stay(self)
            }
            Input::Moved => {
                self.unconfirmed = self.round.is_some();
                Step::Stay(self)
            }
            Input::Operate(handle, id, operation) => {
                self.operations.queue(Task::Operate(handle, id, operation));
                self.serve(cx)
            }
            Input::Reenter(reentry) => self.reenter(reentry, cx),
            Input::Timer(Timer::Wait) => {
                self.operations.expire_reentries(cx);
                self.arm_reentries(cx);
                self.unless_deserted(cx)
            }
            Input::Leave(handle) => {
                self.operations.withdraw_reentry(handle);
                cx.forget(handle);
                self.unless_deserted(cx)
            }
            Input::Release => self.end_with(Report::ToApplication, &released, cx),
            Input::Cancel => self.end_with(Report::ToNobody, &released, cx),
            Input::Heard(Heard::Reply(node, serial, reply)) => self.on_reply(node, serial, reply, cx),
            // Others have decided the round before this node answered. It still makes the lock safer.
            Input::Heard(
                heard @ (Heard::Repeat(_, serial)
                | Heard::Redirected(_, serial, ..)
                | Heard::Former(_, serial, _)),
            ) if self.last.is(serial) => {
                self.last.handle(heard, cx);
                Step::Stay(self)
            }
            Input::Heard(heard) => {
                if let Heard::Ready(server) = heard {
                    // It was not ready when others granted the lock. A grant from it still makes the lock safer.
                    self.last.handle(Heard::Ready(server), cx);
                }
                if let (Heard::Free(node), None) = (&heard, &self.round) {
                    // Nor had it answered the command before.
                    self.last.handle(Heard::Free(*node), cx);
                }
                match self.round.take_if(|round| round.handle(heard, cx)) {
                    Some(round) => self.settle(round, cx),
                    None => Step::Stay(self),
                }
            }
            // No other input concerns a held lock.
            _ => Step::Stay(self),
        }
    }

    /// Asks soon whether a voter still has the lock, for an extension if it is renewed, unless a round does, or one that others
    /// have decided.
    fn confirm(&mut self, voter: NodeId, delay: Duration, cx: &mut Context<'_>) {
        if self.round.iter().chain([&self.last]).any(|round| round.is_pending(voter)) {
            return;
        }
        let latest = self.validity.since(cx.now).part(CONFIRMATION_PART);
        // A confirmation that failed in a cluster may itself have moved the slot, as the client knows it, to and fro.
        let is_again = cx.shared.topology.has_cluster() && self.last.verdict() == Verdict::Unreachable;
        let soonest = if is_again { CONFIRMATION_PAUSE } else { Duration::ZERO };
        let at = cx.now.after(delay.min(latest).max(soonest));
        if self.round.is_some() {
            self.confirm_at = Some(self.confirm_at.map_or(at, |other| other.min(at)));
        }
        renew_by(at, cx);
    }

    fn reenter(mut self: Box<Self>, reentry: Reentry, cx: &mut Context<'_>) -> Step<Box<Self>> {
        if reentry.renew && !self.renew {
            self.renew = true;
            cx.timers.set(Timer::Renew, cx.now);
        }
        cx.handles.push(Handle::new(reentry.handle));
        self.operations.queue(Task::Reenter(reentry));
        self.arm_reentries(cx);
        self.serve(cx)
    }

    fn on_reply(
        mut self: Box<Self>,
        node: NodeId,
        serial: u32,
        reply: Result<Answer, NodeError>,
        cx: &mut Context<'_>,
    ) -> Step<Box<Self>> {
        let late = reply.as_ref().ok().copied();
        if let Some(round) = self.round_of(serial) {
            round.on_reply(node, reply);
            let (verb, answer) = (round.verb, round.answer(node));
            self.take_answer(verb, answer, node, cx);
        } else if let Some(answer @ Answer::Flag(false)) = late {
            // A late answer to an older round. A node that had lost the lock then does not have it now.
            self.take_answer(Verb::Extend(Duration::ZERO), Some((cx.now, answer)), node, cx);
        }
        if self.is_refuted(cx) {
            return self.lose(Loss::NotOurs, cx);
        }
        match self.round.take_if(|round| round.is(serial)) {
            Some(round) => self.settle(round, cx),
            None => {
                self.regain(cx);
                Step::Stay(self)
            }
        }
    }

    /// The round in flight or the previous one, if it has that serial number.
    fn round_of(&mut self, serial: u32) -> Option<&mut Round> {
        self.round.iter_mut().chain([&mut self.last]).find(|round| round.is(serial))
    }

    /// Starts one round for all queued operations, unless one is in flight.
    fn serve(mut self: Box<Self>, cx: &mut Context<'_>) -> Step<Box<Self>> {
        if self.round.is_some() || self.closing {
            return Step::Stay(self);
        }
        let Some(ttl) = self.operations.serve_queued(cx.spec.ttl) else { return Step::Stay(self) };
        self.longest = self.longest.max(ttl);
        self.confirm_at = None;
        let round = cx.start_round(Verb::Extend(ttl));
        self.settle(round, cx)
    }

    /// Evaluates the votes so far.
    fn settle(mut self: Box<Self>, round: Round, cx: &mut Context<'_>) -> Step<Box<Self>> {
        cx.arm_round(&round);
        let extends = round.verb != Verb::Extend(Duration::ZERO);
        match round.verdict() {
            Verdict::Pending => {
                self.round = Some(round);
                Step::Stay(self)
            }
            Verdict::Won => {
                self.unconfirmed = false;
                if self.renew && extends {
                    arm_renewal(round.first_sent().unwrap_or(cx.now), cx);
                }
                if let Some(at) = self.confirm_at.take() {
                    renew_by(at, cx);
                }
                cx.report_missing(&round);
                if extends {
                    self.fault = None;
                }
                let rtt = cx.now.since(round.first_sent().unwrap_or(cx.now));
                self.operations.succeed(self.fence, rtt, cx);
                self.last = round;
                self.regain(cx);
                self.serve(cx)
            }
            Verdict::Denied => self.lose(Loss::NotOurs, cx),
            Verdict::Unreachable => {
                let error = round.error().map_or_else(
                    || LockError::new(Code::Connection, 0, "no majority answered"),
                    |(node, error)| LockError::from_node(error, node, 0),
                );
                let is_renewal = self.operations.is_renewing();
                self.operations.fail(&error, cx);
                if extends {
                    self.note_fault(error, is_renewal, cx);
                }
                if cx.handles.is_empty() {
                    return self.end_with(Report::ToNobody, &released, cx);
                }
                self.last = round;
                if self.renew && extends {
                    // Retries come in ever shorter steps until validity ends (rule 5).
                    let left = self.validity.since(cx.now).part(RENEWAL_PART);
                    let pause = left.min(cx.spec.ttl.part(RENEWAL_PART)).max(SHORTEST_RETRY);
                    cx.timers.set(Timer::Renew, cx.now.after(pause));
                }
                if core::mem::take(&mut self.unconfirmed) {
                    renew_by(cx.now.after(CONFIRMATION_PAUSE), cx);
                }
                if let Some(at) = self.confirm_at.take() {
                    renew_by(at, cx);
                }
                self.serve(cx)
            }
        }
    }

    fn arm_reentries(&self, cx: &mut Context<'_>) {
        match self.operations.next_wait() {
            Some(until) => cx.timers.set(Timer::Wait, until),
            None => cx.timers.stop(Timer::Wait),
        }
    }

    /// Ends the lock if no handle is left, which happens when a re-entry fails after the last holder left.
    fn unless_deserted(self: Box<Self>, cx: &mut Context<'_>) -> Step<Box<Self>> {
        if cx.handles.is_empty() { self.end_with(Report::ToNobody, &released, cx) } else { Step::Stay(self) }
    }
}

/// The next renewal, or question, is due then or earlier.
fn renew_by(at: Instant, cx: &mut Context<'_>) {
    cx.timers.set(Timer::Renew, cx.timers.get(Timer::Renew).map_or(at, |renewal| renewal.min(at)));
}

/// Renewals are due on a grid, a little before a third of the lease has passed, so that those of many locks share calls.
fn arm_renewal(sent: Instant, cx: &mut Context<'_>) {
    let step = cx.spec.ttl.part(GRID_PART).min(LONGEST_STEP);
    cx.timers.set(Timer::Renew, sent.after(cx.spec.ttl.part(RENEWAL_PART)).on_grid(step));
}
