//! Releasing a lock, until the nodes confirm it or its leases have expired.
//!
//! The outcome is reported to the application once: as soon as it is known, and at the latest after two `nodeTimeout`
//! and a second, in which a dead connection is noticed and a new one made (rule 17). If nodes have not confirmed the
//! release by then, it continues in the background. On the connection that carried the acquire, the release runs after
//! it; if that connection ended, the release uses the next one. When the client is closed, each node that cannot be
//! reached is dialled once more, and then given up: what it may hold ends with its lease.

use super::{
    context::Context,
    input::Input,
    step::{Report, Residue, Scope, Step},
};
use crate::{
    entropy::jitter,
    error::NodeError,
    event::{Event, Loss, ReleaseOutcome},
    handles::Phase,
    quorum::{Round, Verdict, allowance},
    script::Verb,
    timers::Timer,
    topology::DIAL_PATIENCE,
};

#[derive(Clone, Debug, Hash)]
pub(super) struct Release {
    round: Round,
    report: Report,
    /// Whether a node was asked again after a failure: then "not yours" may mean that the first command deleted the keys.
    repeated: bool,
}

impl Release {
    pub(super) fn begin(residue: Residue, cx: &mut Context<'_>) -> Step<Box<Self>> {
        cx.timers.stop_all();
        let Residue { scope, waiter, longest, report } = residue;
        if report == Report::ToApplication {
            let patience = cx.longest_round_trips().max(cx.spec.node_timeout).times(2).plus(DIAL_PATIENCE);
            cx.timers.set(Timer::Answer, cx.listening.after(patience));
        }
        cx.timers.set(Timer::GiveUp, cx.now.after(longest).after(allowance(longest, cx.policy.drift)));
        if cx.shared.closed {
            cx.allow_dials();
        }
        let round = match scope {
            Scope::All => cx.start_round(Verb::Release(waiter)),
            Scope::HeldBy(attempt) => cx.start_round_where_held(&attempt, Verb::Release(waiter)),
        };
        Box::new(Self { round, report, repeated: false }).settle(cx)
    }

    /// Whether the application waits for the outcome (rule 18).
    pub(super) fn is_owed(&self) -> bool {
        self.report == Report::ToApplication
    }

    pub(super) fn handle(mut self: Box<Self>, input: Input<'_>, cx: &mut Context<'_>) -> Step<Box<Self>> {
        match input {
            Input::Timer(Timer::Answer) => self.report(ReleaseOutcome::Unknown, cx),
            Input::Timer(Timer::GiveUp) => {
                self.report(ReleaseOutcome::Unknown, cx);
                return Step::Done;
            }
            Input::Timer(Timer::Retry) => {
                self.repeated = true;
                self.round.ask_failed_again(cx);
            }
            Input::Close => {
                cx.allow_dials();
                self.repeated = true;
                self.round.ask_failed_again(cx);
            }
            Input::Cancel => self.report = Report::ToNobody,
            Input::Heard(heard) => drop(self.round.handle(heard, cx)),
            // No other input concerns a lock that is being released.
            _ => {}
        }
        self.settle(cx)
    }

    fn settle(mut self: Box<Self>, cx: &mut Context<'_>) -> Step<Box<Self>> {
        match self.round.verdict() {
            Verdict::Won => self.report(ReleaseOutcome::Released, cx),
            Verdict::Denied if self.repeated || self.round.is_repeated() => {
                self.report(ReleaseOutcome::Unknown, cx)
            }
            Verdict::Denied => self.report(ReleaseOutcome::Expired, cx),
            Verdict::Unreachable | Verdict::Pending => {}
        }
        // A client that is closed does not wait for a node that gives no answer: see above.
        let is_answer = |error: &NodeError| matches!(error, NodeError::Server(_));
        let may_recover = self.round.recoverable().any(|(_, error)| !cx.shared.closed || is_answer(error));
        if self.round.tally().pending == 0 && !may_recover {
            self.report(ReleaseOutcome::Unknown, cx);
            return Step::Done;
        }
        cx.arm_round(&self.round);
        if may_recover && !cx.timers.is_set(Timer::Retry) {
            let pause = jitter(cx.policy.retry_min, cx.policy.retry_max, cx.shared.entropy);
            cx.timers.set(Timer::Retry, cx.now.after(pause));
        }
        Step::Stay(self)
    }

    /// Reports the outcome to the application, once. A lock that is gone was lost (rule 6).
    fn report(&mut self, outcome: ReleaseOutcome, cx: &mut Context<'_>) {
        if core::mem::replace(&mut self.report, Report::ToNobody) == Report::ToNobody {
            return;
        }
        cx.timers.stop(Timer::Answer);
        if outcome == ReleaseOutcome::Released {
            cx.count(|counters| &mut counters.released);
        }
        while let Some(handle) = cx.handles.first().copied() {
            cx.forget(handle.id);
            if outcome == ReleaseOutcome::Expired && handle.phase == Phase::Informed {
                cx.count(|counters| &mut counters.lost);
                cx.emit(Event::Lost { lock: handle.id, loss: Loss::Gone, reason: None });
            } else {
                cx.emit(Event::Released { lock: handle.id, outcome });
            }
        }
    }
}
