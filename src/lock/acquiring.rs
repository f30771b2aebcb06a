//! Trying to take a lock: attempts, and pauses between them.
//!
//! ```text
//!            held by another, or a fault that may pass
//!   attempt -----------------------------------------> pause
//!      ^                                                 |
//!      '------------ Retry: 50 to 250 ms later ----------'
//! ```
//! All attempts of one acquire use one token, and the script takes "already mine" for a yes. So an attempt whose answer was
//! lost blocks nobody: the next one finds the key its own. For the same reason **nothing is released between attempts**:
//! a release that was delayed in a dead connection's buffers would run after a later attempt's grant and free a lock
//! that is believed in. The release comes at the end, and after it that token is never asked for again.

use super::{
    Context, Input, Releasing, State, Verb,
    held::Held,
    lease::{Lease, notice, validity},
    quorum::{Verdict, quorum},
    round::{Ballot, Round},
};
use crate::{
    engine::{Event, Nodes},
    entropy::jitter,
    error::{Code, Failure, Fault},
    node::NodeId,
    script::Answer,
    time::Duration,
    timers::Timer,
};

#[derive(Debug, Default)]
pub(crate) struct Acquiring {
    round: Option<Round>,
    attempts: u32,
    /// What the last attempt came to.
    last: Outcome,
    /// Whether any attempt may have left something on a server.
    written: bool,
}

/// What an attempt came to, if not to a grant.
#[derive(Debug, Default)]
enum Outcome {
    #[default]
    Unknown,
    /// Another holds it, for this long at most; `None` for ever.
    Taken(Option<Duration>),
    Faulty(NodeId, Fault),
    /// It was granted, but too late to be of use.
    Late,
}

impl Acquiring {
    pub(crate) fn handle(mut self, input: Input<'_>, cx: &mut Context<'_>) -> State {
        match input {
            Input::Start => {
                if cx.spec.wait > Duration::ZERO && cx.spec.wait < Duration::MAX {
                    cx.timers.set(Timer::Wait, cx.now.after(cx.spec.wait));
                }
                self.attempt(cx)
            }
            Input::Timer(Timer::Retry) => self.attempt(cx),
            Input::Timer(Timer::Wait) => self.give_up(cx),
            Input::Cancel | Input::Release => self.leave(cx),
            Input::Ready(node) => self.with_round(cx, |round, cx| round.on_ready(node, cx)),
            Input::Down(node, fault) => self.with_round(cx, |round, _| round.on_down(node, fault)),
            Input::Timer(Timer::Round) => {
                self.with_round(cx, |round, cx| round.expire(cx.spec.node_timeout, cx.now))
            }
            Input::Reply(node, serial, reply) => match self.round.take_if(|round| round.is(serial)) {
                Some(mut round) => {
                    round.on_reply(node, reply);
                    self.settle(round, cx)
                }
                None => State::Acquiring(self),
            },
            Input::NoScript(node, serial) => match self.round.take_if(|round| round.is(serial)) {
                Some(mut round) => {
                    round.on_no_script(node, cx);
                    self.settle(round, cx)
                }
                None => State::Acquiring(self),
            },
            Input::Timer(_) | Input::Wish(..) => State::Acquiring(self),
        }
    }

    fn with_round(
        mut self,
        cx: &mut Context<'_>,
        change: impl FnOnce(&mut Round, &mut Context<'_>),
    ) -> State {
        match self.round.take() {
            Some(mut round) => {
                change(&mut round, cx);
                self.settle(round, cx)
            }
            None => State::Acquiring(self),
        }
    }

    fn attempt(mut self, cx: &mut Context<'_>) -> State {
        self.attempts = self.attempts.saturating_add(1);
        let round = Round::start(Verb::Acquire, cx);
        self.settle(round, cx)
    }

    /// Sees whether the attempt is decided.
    fn settle(mut self, round: Round, cx: &mut Context<'_>) -> State {
        match round.tally(cx.spec.count()).verdict() {
            Verdict::Open => {
                match round.deadline(cx.spec.node_timeout) {
                    Some(deadline) => cx.timers.set(Timer::Round, deadline),
                    None => cx.timers.stop(Timer::Round),
                }
                self.round = Some(round);
                State::Acquiring(self)
            }
            Verdict::Yes => {
                let lease = lease_of(&round, cx);
                if lease.validity(quorum(cx.world.nodes.count())) > cx.now.after(notice(cx.spec.ttl)) {
                    return grant(&round, lease, self.attempts, cx);
                }
                self.last = Outcome::Late;
                self.fail_attempt(&round, cx)
            }
            Verdict::No => {
                self.last = Outcome::Taken(longest_wait(&round));
                self.fail_attempt(&round, cx)
            }
            Verdict::Failed => {
                if let Some((node, fault)) = round.fault() {
                    self.last = Outcome::Faulty(node, fault.clone());
                }
                self.fail_attempt(&round, cx)
            }
        }
    }

    fn fail_attempt(mut self, round: &Round, cx: &mut Context<'_>) -> State {
        cx.timers.stop(Timer::Round);
        self.written |= round.may_have_written();
        let is_final = matches!(&self.last, Outcome::Faulty(_, fault) if fault.is_final());
        if is_final || cx.spec.wait == Duration::ZERO {
            return self.give_up(cx);
        }
        let mut pause = jitter(cx.policy.retry_min, cx.policy.retry_max, cx.world.entropy);
        if let Outcome::Taken(Some(left)) = self.last
            && left < pause
        {
            // The holder's lease ends sooner: ask just after, and not all at once.
            pause =
                left.plus(jitter(Duration::from_millis(1), cx.policy.retry_min, cx.world.entropy)).min(pause);
        }
        cx.timers.set(Timer::Retry, cx.now.after(pause));
        State::Acquiring(self)
    }

    /// Tells the application why it does not get the lock.
    fn give_up(self, cx: &mut Context<'_>) -> State {
        let failure = self.failure(cx);
        cx.emit(Event::Failed { lock: cx.id, failure });
        self.leave(cx)
    }

    fn leave(mut self, cx: &mut Context<'_>) -> State {
        self.written |= self.round.is_some_and(|round| round.may_have_written());
        if self.written { Releasing::begin(false, cx.spec.ttl, cx) } else { State::Done }
    }

    fn failure(&self, cx: &Context<'_>) -> Failure {
        let attempts = self.attempts;
        match (&self.last, &self.round) {
            (Outcome::Faulty(node, fault), _) => {
                let mut failure = Failure::from_fault(fault, *node, attempts);
                if attempts > 1 {
                    failure.message = format!("{} (attempt {attempts}, the last)", failure.message).into();
                }
                failure
            }
            (Outcome::Unknown, Some(round)) => {
                let asked =
                    round.ballots().find(|(_, ballot)| matches!(ballot, Ballot::Asked(_) | Ballot::Waiting));
                let (node, what) = match asked {
                    Some((node, Ballot::Asked(_))) => (node, "no answer"),
                    Some((node, _)) => (node, "no connection"),
                    None => (NodeId(0), "no answer"),
                };
                let fault = Fault::Connection(
                    format!("{what} within the wait of {} ms", cx.spec.wait.as_millis()).into(),
                );
                Failure::from_fault(&fault, node, attempts)
            }
            (last, _) => {
                let why = match last {
                    Outcome::Taken(None) => {
                        "; a key that never expires is in the way, which no lock of redlatch is"
                    }
                    Outcome::Late => "; it was granted too late to be of use",
                    _ => "; another holds it",
                };
                let plural = if attempts == 1 { "" } else { "s" };
                let text = format!(
                    "not acquired within {} ms ({attempts} attempt{plural}{why})",
                    cx.spec.wait.as_millis()
                );
                Failure::new(Code::Timeout, attempts, &text)
            }
        }
    }
}

/// The lease as the servers granted it, each counted from when it was asked.
fn lease_of(round: &Round, cx: &Context<'_>) -> Lease {
    let mut lease = Lease::new(cx.world.nodes.count());
    for (node, ballot) in round.ballots() {
        if let Ballot::Answered(sent, Answer::Fence(_)) = *ballot {
            lease.granted(Nodes::index(node), validity(sent, cx.spec.ttl, cx.policy.drift));
        }
    }
    lease
}

/// How long the holder may keep it, by the word of those who said no.
fn longest_wait(round: &Round) -> Option<Duration> {
    let mut longest = Some(Duration::ZERO);
    for (_, ballot) in round.ballots() {
        if let Ballot::Answered(_, Answer::Wait(wait)) = *ballot {
            longest = longest.zip(wait).map(|(a, b)| a.max(b));
        }
    }
    longest
}

fn grant(round: &Round, lease: Lease, attempts: u32, cx: &mut Context<'_>) -> State {
    let (mut fence, mut sent) = (0, cx.now);
    for (_, ballot) in round.ballots() {
        if let Ballot::Answered(asked, Answer::Fence(minted)) = *ballot {
            fence = fence.max(minted);
            sent = sent.min(asked);
        }
    }
    cx.emit(Event::Granted { lock: cx.id, fence, token: cx.spec.minted });
    Held::begin(lease, sent, attempts, cx)
}
