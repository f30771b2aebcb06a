//! Letting go of a lock, until the servers confirm it or everything has expired by itself.
//!
//! The application is told the outcome once, as soon as it is known, and at the latest when a server's time to answer
//! is over. What is still unconfirmed then is pursued in the background: on the connection that carried the acquire the
//! release runs after it; if that connection is gone, it goes over the next one.

use super::{Context, Input, State, Verb};
use crate::{
    entropy::jitter,
    event::{Event, ReleaseOutcome},
    planted::{Planted, planted},
    quorum::{Round, Verdict, allowance},
    time::Duration,
    timers::Timer,
};

#[derive(Clone, Debug, Hash)]
pub(crate) struct Releasing {
    round: Round,
    /// Whether the application still waits for the outcome.
    tell: bool,
    /// Whether a server was asked more than once, so that its "not yours" may mean that the first time did it.
    repeated: bool,
}

impl Releasing {
    /// Begins with keys whose `longest` lease has not been asked for later than now: by its end, nothing is left.
    pub(crate) fn begin(tell: bool, waited: bool, longest: Duration, cx: &mut Context<'_>) -> State {
        cx.timers.stop_all();
        if tell {
            cx.timers.set(Timer::Answer, cx.now.after(cx.spec.node_timeout));
        }
        cx.timers.set(Timer::GiveUp, cx.now.after(longest).after(allowance(longest, cx.policy.drift)));
        let round = Round::start(Verb::Release { waited }, cx);
        Self { round, tell, repeated: false }.settle(cx)
    }

    /// Begins with what one attempt may have left: servers that it never reached, or that told an error, are not asked.
    pub(crate) fn begin_after(attempt: &Round, cx: &mut Context<'_>) -> State {
        cx.timers
            .set(Timer::GiveUp, cx.now.after(cx.spec.ttl).after(allowance(cx.spec.ttl, cx.policy.drift)));
        let round = Round::start_where_held(attempt, Verb::Release { waited: true }, cx);
        Self { round, tell: false, repeated: false }.settle(cx)
    }

    pub(crate) fn handle(mut self, input: Input<'_>, cx: &mut Context<'_>) -> State {
        match input {
            Input::Timer(Timer::Answer) => self.outcome(ReleaseOutcome::Unknown, cx),
            Input::Timer(Timer::GiveUp) => {
                self.outcome(ReleaseOutcome::Unknown, cx);
                return State::Done;
            }
            Input::Timer(Timer::Retry) => {
                self.repeated = true;
                self.round.ask_failed_again(cx);
            }
            Input::Cancel => self.tell = false,
            other => drop(self.round.handle(other, cx)),
        }
        self.settle(cx)
    }

    fn settle(mut self, cx: &mut Context<'_>) -> State {
        let tally = self.round.tally(cx.spec.count());
        match tally.verdict() {
            Verdict::Won => self.outcome(ReleaseOutcome::Released, cx),
            Verdict::Denied if planted(Planted::ExpiredIsReleased) => {
                self.outcome(ReleaseOutcome::Released, cx)
            }
            Verdict::Denied if self.repeated => self.outcome(ReleaseOutcome::Unknown, cx),
            Verdict::Denied => self.outcome(ReleaseOutcome::Expired, cx),
            Verdict::Unreachable | Verdict::Pending => {}
        }
        let recoverable = self.round.has_transient_errors();
        if tally.pending == 0 && !recoverable {
            self.outcome(ReleaseOutcome::Unknown, cx);
            return State::Done;
        }
        self.round.arm(cx);
        if recoverable && !cx.timers.is_set(Timer::Retry) {
            let pause = jitter(cx.policy.retry_min, cx.policy.retry_max, cx.world.entropy);
            cx.timers.set(Timer::Retry, cx.now.after(pause));
        }
        State::Releasing(self)
    }

    /// Tells the outcome, unless it was told.
    fn outcome(&mut self, outcome: ReleaseOutcome, cx: &mut Context<'_>) {
        if core::mem::take(&mut self.tell) {
            cx.timers.stop(Timer::Answer);
            if outcome == ReleaseOutcome::Released {
                cx.count(|counters| &mut counters.released);
            }
            for &lock in cx.holders.iter() {
                cx.world.events.push_back(Event::Released { lock, outcome });
            }
        }
    }
}
