//! Acquiring a lock: attempts, and pauses between them.
//!
//! ```text
//!            held by another, or a transient error
//!   attempt ---------------------------------------> pause
//!      ^                                                |
//!      '------------ Retry, or a wake-up ---------------'
//! ```
//! All attempts of one acquire use one token, and the script grants what is "already mine" (rule 4). So an attempt
//! whose reply was lost blocks nobody: the next attempt is granted. For the same reason **nothing is released between
//! attempts** (rule 3): a release that was delayed in a dead connection's buffers would run after the grant of a later
//! attempt, and free a valid lock. The release comes at the end, and the token is never used again.

mod outcome;

use super::{
    axes::Entry,
    context::Context,
    effects::Effect,
    input::Input,
    kind::{self, Denial},
    owner::Owner,
    step::{Grant, Report, Residue, Scope, Step},
};
use crate::{
    event::Event,
    id::NodeId,
    quorum::{Heard, Lease, Round, Verdict, notice, validity},
    script::{Answer, Verb, Waiter},
    time::{Duration, Instant},
    timers::Timer,
};
use outcome::AttemptOutcome;

#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Acquire {
    /// Whether another lock with the same token is in the way: no attempt begins before it is gone.
    parked: bool,
    round: Option<Round>,
    /// The round that was won, while another one raises its fences (rule 12), which also shows that the keys are still there.
    won: Option<Box<Round>>,
    /// Whether a slot got another server meanwhile.
    moved: bool,
    attempts: u32,
    /// When the last attempt began.
    begun: Instant,
    last: AttemptOutcome,
    /// Whether an attempt may have left residue on a node.
    written: bool,
    /// Whether a wake-up arrived while an attempt was in flight.
    woken: bool,
}

/// The shortest time between attempts that wake-ups cause, because anybody with access to the channel can publish.
const WAKE_INTERVAL: Duration = Duration::from_millis(2);

impl Acquire {
    /// Begins with the first attempt.
    pub(super) fn begin(cx: &mut Context<'_>) -> Step<Box<Self>> {
        arm_wait(cx);
        Box::<Self>::default().unpark(cx)
    }

    /// Begins parked, because another lock with the same token is in the way.
    pub(super) fn begin_parked(cx: &mut Context<'_>) -> Step<Box<Self>> {
        arm_wait(cx);
        let mut parked = Box::new(Self { parked: true, ..Self::default() });
        if cx.spec.is_single_attempt() { parked.give_up(cx) } else { Step::Stay(parked) }
    }

    pub(super) fn handle(mut self: Box<Self>, input: Input<'_>, cx: &mut Context<'_>) -> Step<Box<Self>> {
        match input {
            Input::Unpark => self.unpark(cx),
            Input::Timer(Timer::Retry) => self.attempt(cx),
            Input::Wake => self.wake(cx),
            Input::Lead => {
                if self.round.is_none() {
                    kind::lead(self.last.denial(), cx);
                }
                Step::Stay(self)
            }
            Input::Timer(Timer::Wait) => self.give_up(cx),
            Input::Cancel => self.end(cx),
            Input::Heard(heard) => {
                self.moved |= cx.spec.placement.grants_in_turn() && matches!(heard, Heard::Shifted(_));
                match self.round.take_if(|round| round.handle(heard, cx)) {
                    Some(round) => self.settle(round, cx),
                    None => Step::Stay(self),
                }
            }
            // No other input concerns an acquire.
            _ => Step::Stay(self),
        }
    }

    pub(super) const fn is_parked(&self) -> bool {
        self.parked
    }

    fn unpark(mut self: Box<Self>, cx: &mut Context<'_>) -> Step<Box<Self>> {
        self.parked = false;
        kind::begins(cx);
        self.attempt(cx)
    }

    fn attempt(mut self: Box<Self>, cx: &mut Context<'_>) -> Step<Box<Self>> {
        cx.timers.stop(Timer::Retry);
        self.attempts = self.attempts.saturating_add(1);
        cx.count(|counters| &mut counters.attempts);
        self.begun = cx.now;
        self.woken = false;
        self.moved = false;
        kind::attempts(cx);
        let before = if self.attempts > 1 { Waiter::Registered } else { Waiter::Absent };
        let round = cx.start_round(cx.spec.entry.verb(before));
        self.settle(round, cx)
    }

    fn wake(mut self: Box<Self>, cx: &mut Context<'_>) -> Step<Box<Self>> {
        let earliest = self.earliest(cx);
        if self.parked {
            // The other lock is still in the way.
        } else if self.round.is_some() {
            self.woken = true;
        } else if cx.now < earliest {
            let retry = cx.timers.get(Timer::Retry).map_or(earliest, |retry| retry.min(earliest));
            cx.timers.set(Timer::Retry, retry);
        } else {
            return self.attempt(cx);
        }
        Step::Stay(self)
    }

    /// When a wake-up may cause the next attempt. An attempt that failed in a cluster may itself have moved the slot, as the
    /// client knows it, to and fro: without a pause, servers that contradict each other would be asked without end.
    fn earliest(&self, cx: &Context<'_>) -> Instant {
        match self.last {
            AttemptOutcome::Failed(_) if cx.shared.topology.has_cluster() => {
                cx.now.after(cx.policy.retry_min)
            }
            _ => self.begun.after(WAKE_INTERVAL),
        }
    }

    /// Evaluates the votes so far.
    fn settle(mut self: Box<Self>, round: Round, cx: &mut Context<'_>) -> Step<Box<Self>> {
        let mut verdict = round.verdict();
        // The application's own token cannot be replaced, so every node's answer must be known (rule 2, exception).
        if !cx.owner.is_used_once() && verdict != Verdict::Won && round.is_asking() {
            verdict = Verdict::Pending;
        }
        cx.arm_round(&round);
        if verdict == Verdict::Pending {
            self.round = Some(round);
            return Step::Stay(self);
        }
        cx.timers.stop(Timer::Round);
        let raises = cx.spec.placement.grants_in_turn() && matches!(round.verb, Verb::Acquire(_));
        if verdict == Verdict::Won && (core::mem::take(&mut self.moved) || raises) {
            let won = self.won.take().unwrap_or_else(|| Box::new(round));
            // An adopted lock has its fence: it only asks whether the keys are still there.
            let raise = cx.start_round(Verb::Raise(won.largest_fence()));
            self.won = Some(won);
            return self.settle(raise, cx);
        }
        let (attempt, raise) = match self.won.take() {
            Some(won) => (*won, Some(round)),
            None => (round, None),
        };
        self.last = match verdict {
            Verdict::Won => {
                let lease = lease_of(&attempt, cx);
                if lease.validity(cx.spec.placement.needed()) > cx.now.after(notice(cx.spec.ttl)) {
                    return self.grant(attempt, lease, cx);
                }
                AttemptOutcome::Late
            }
            // The keys were gone before their fences were raised.
            Verdict::Denied if raise.is_some() => AttemptOutcome::Late,
            Verdict::Denied => self.deny(&attempt, cx),
            _ => AttemptOutcome::Failed(raise.unwrap_or_else(|| attempt.clone())),
        };
        self.end_attempt(&attempt, cx)
    }

    fn grant(&self, round: Round, lease: Lease, cx: &mut Context<'_>) -> Step<Box<Self>> {
        kind::ends(cx);
        let fence = match cx.spec.entry {
            Entry::Acquire if cx.spec.placement.is_fenced() => round.largest_fence(),
            entry => entry.fence(),
        };
        for handle in cx.handles.clone() {
            cx.grant(handle.id, fence, self.attempts);
        }
        cx.count(|counters| &mut counters.acquired);
        cx.report_missing(&round);
        Step::Granted(Grant { lease, round, fence, attempts: self.attempts })
    }

    fn deny(&self, round: &Round, cx: &mut Context<'_>) -> AttemptOutcome {
        match cx.spec.entry {
            Entry::Adopt { .. } => AttemptOutcome::NotOurs,
            Entry::Acquire => {
                let is_first = self.attempts == 1;
                if is_first {
                    cx.count(|counters| &mut counters.contended);
                    cx.observe(|lock| Event::Contended { lock });
                }
                kind::denied(round, is_first, cx);
                let by = round.denier().unwrap_or(NodeId(0));
                AttemptOutcome::Denied(Denial { by, left: round.longest_wait() })
            }
        }
    }

    /// The attempt did not get the lock: gives up, or schedules the next attempt.
    fn end_attempt(mut self: Box<Self>, round: &Round, cx: &mut Context<'_>) -> Step<Box<Self>> {
        let mut is_replaced = false;
        let written = may_have_written(round, cx);
        let registered = round.denier().is_some() && cx.spec.placement.wakes();
        if self.last.is_permanent() || cx.spec.is_single_attempt() {
            self.written |= written;
            return self.give_up(cx);
        }
        if cx.spec.placement.grants_in_part() && cx.spec.entry.cleans_up() && round.may_hold() {
            // The grants of some nodes block other clients and the next attempt. They are released under their token,
            // which is not used again: see above.
            match cx.owner.redrawn(&cx.policy.label, cx.shared.entropy) {
                Some(owner) => {
                    self.written |= registered;
                    self.replace_owner(owner, round, cx);
                    is_replaced = true;
                }
                None => {
                    self.written = true;
                    return self.give_up(cx);
                }
            }
        } else {
            self.written |= written;
        }
        let retry = if self.woken {
            Some(cx.now.max(self.earliest(cx)))
        } else if self.last.denial().is_some_and(|denial| cx.begins_to_listen(denial.by)) {
            // The lock may have been released before the client listened.
            if !is_replaced {
                return self.attempt(cx);
            }
            // What the attempt was granted is released before the next one.
            Some(cx.now)
        } else {
            kind::next_attempt(self.last.denial(), cx)
        };
        if let Some(retry) = retry {
            cx.timers.set(Timer::Retry, retry);
        }
        Step::Stay(self)
    }

    fn replace_owner(&self, owner: Owner, round: &Round, cx: &mut Context<'_>) {
        let used = core::mem::replace(cx.owner, owner);
        let residue = Residue {
            scope: Scope::HeldBy(round.clone()),
            waiter: Waiter::Absent,
            longest: cx.spec.ttl,
            report: Report::ToNobody,
        };
        cx.shared.effects.push_back(Effect::CleanUp(Box::new((cx.spec.clone(), used, residue))));
    }

    /// Reports the failure to the application, and ends.
    fn give_up(&mut self, cx: &mut Context<'_>) -> Step<Box<Self>> {
        let error = self.last.error(self.round.as_ref(), self.attempts, cx.spec.wait.as_millis());
        while let Some(handle) = cx.handles.first().copied() {
            cx.fail(handle.id, error.clone());
        }
        self.end(cx)
    }

    fn end(&mut self, cx: &mut Context<'_>) -> Step<Box<Self>> {
        kind::ends(cx);
        if let Some(round) = self.round.take() {
            self.written |= may_have_written(&round, cx);
        }
        self.written |= self.won.is_some();
        if !self.written {
            return Step::Done;
        }
        Step::Release(Residue {
            scope: Scope::All,
            waiter: Waiter::Registered,
            longest: cx.spec.ttl.max(cx.spec.registration_ttl(cx.policy)),
            report: Report::ToNobody,
        })
    }
}

fn arm_wait(cx: &mut Context<'_>) {
    if let Some(wait) = cx.spec.limited_wait() {
        cx.timers.set(Timer::Wait, cx.listening.after(wait));
    }
}

fn may_have_written(round: &Round, cx: &mut Context<'_>) -> bool {
    let registered =
        !cx.spec.is_single_attempt() && cx.spec.placement.nodes().any(|node| kind::registers(node, cx));
    cx.spec.entry.cleans_up() && round.may_have_written(registered)
}

/// The lease that the nodes granted, counted on each from when its command was sent (rule 1).
fn lease_of(round: &Round, cx: &Context<'_>) -> Lease {
    let mut lease = Lease::new(cx.spec.placement);
    for (node, sent, answer) in round.answers() {
        if let Answer::Fence(_) | Answer::Flag(true) = answer {
            lease.granted(node, validity(sent, cx.spec.ttl, cx.policy.drift));
        }
    }
    lease
}
