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

mod outcome;

use super::{Context, Input, Lock, Owner, Releasing, State, Verb, hold::Held};
use crate::{
    entropy::jitter,
    event::Event,
    id::{LockId, NodeId},
    planted::{Planted, planted},
    quorum::{Ballot, Lease, Round, Verdict, notice, quorum, validity},
    script::Answer,
    time::{Duration, Instant},
    timers::Timer,
    topology::Topology,
};
use outcome::AttemptOutcome;
pub(super) use outcome::too_late;

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Acquiring {
    round: Option<Round>,
    attempts: u32,
    /// When the last attempt was begun.
    begun: Instant,
    /// What the last attempt came to.
    last: AttemptOutcome,
    /// Whether any attempt may have left something on a server.
    written: bool,
    /// Whether a wake-up came while an attempt was in flight.
    woken: bool,
}

/// Wake-ups lead to no more than one attempt in this time, whoever sends them.
const WAKE_INTERVAL: Duration = Duration::from_millis(2);

impl Acquiring {
    pub(crate) fn handle(mut self, input: Input<'_>, cx: &mut Context<'_>) -> State {
        match input {
            Input::Start => self.start(false, cx),
            Input::Park => self.start(true, cx),
            Input::Timer(Timer::Retry) => self.attempt(cx),
            Input::Wake => self.wake(cx),
            Input::Promoted => {
                self.take_the_lead(cx);
                State::Acquiring(self)
            }
            Input::Timer(Timer::Wait) => self.give_up(cx),
            Input::Cancel => self.leave(cx),
            other => match self.round.take_if(|round| round.handle(other, cx)) {
                Some(round) => self.settle(round, cx),
                None => State::Acquiring(self),
            },
        }
    }

    /// Begins, or only waits until another lock of the same owner is out of the way.
    fn start(self, parked: bool, cx: &mut Context<'_>) -> State {
        let longest = if planted(Planted::WaitsForEver) { Duration::ZERO } else { Duration::MAX };
        if cx.spec.wait > Duration::ZERO && cx.spec.wait < longest && !cx.timers.is_set(Timer::Wait) {
            cx.timers.set(Timer::Wait, cx.now.after(cx.spec.wait));
        }
        if parked {
            return if cx.spec.wait == Duration::ZERO { self.give_up(cx) } else { State::Acquiring(self) };
        }
        if cx.spec.queues() {
            cx.world.leaders.join(cx.spec.lock_keys(), cx.id);
        }
        self.attempt(cx)
    }

    fn attempt(mut self, cx: &mut Context<'_>) -> State {
        cx.timers.stop(Timer::Retry);
        self.attempts = self.attempts.saturating_add(1);
        cx.count(|counters| &mut counters.attempts);
        self.begun = cx.now;
        self.woken = false;
        // A single try keeps nobody's place.
        if cx.spec.queues() && cx.spec.wait > Duration::ZERO {
            cx.world.leaders.hear(cx.spec.lock_keys(), cx.now);
        }
        let verb = if cx.spec.adopt { Verb::Adopt } else { Verb::Acquire };
        let round = Round::start(verb, cx);
        self.settle(round, cx)
    }

    fn wake(mut self, cx: &mut Context<'_>) -> State {
        let earliest = self.begun.after(WAKE_INTERVAL);
        if self.round.is_some() {
            self.woken = true;
        } else if cx.now < earliest {
            cx.timers.set(Timer::Retry, earliest);
        } else {
            return self.attempt(cx);
        }
        State::Acquiring(self)
    }

    /// Sees whether the attempt is decided.
    fn settle(mut self, round: Round, cx: &mut Context<'_>) -> State {
        let mut verdict = round.tally(cx.spec.count()).verdict();
        // A token of the application's own cannot be changed for another: it has to be known what it left where.
        if cx.owner.minted.is_none() && verdict != Verdict::Won && round.is_asking() {
            verdict = Verdict::Pending;
        }
        round.arm(cx);
        if verdict == Verdict::Pending {
            self.round = Some(round);
            return State::Acquiring(self);
        }
        cx.timers.stop(Timer::Round);
        self.last = match verdict {
            Verdict::Won => {
                let lease = lease_of(&round, cx);
                if lease.validity(quorum(cx.world.topology.count())) > cx.now.after(notice(cx.spec.ttl)) {
                    leave_line(cx);
                    return grant(round, lease, self.attempts, cx);
                }
                AttemptOutcome::Late
            }
            Verdict::Denied if cx.spec.adopt => AttemptOutcome::NotOurs,
            Verdict::Denied => {
                if self.attempts == 1 {
                    cx.count(|counters| &mut counters.contended);
                    cx.observe(Event::Contended { lock: cx.holder() });
                }
                self.look_at_line(&round, cx);
                AttemptOutcome::Taken(round.longest_wait())
            }
            Verdict::Unreachable | Verdict::Pending => AttemptOutcome::Faulty(round.clone()),
        };
        self.fail_attempt(&round, cx)
    }

    fn fail_attempt(mut self, round: &Round, cx: &mut Context<'_>) -> State {
        let written = self.may_have_written(round, cx);
        let is_permanent = match &self.last {
            AttemptOutcome::Faulty(round) => round.is_permanently_unreachable(),
            AttemptOutcome::NotOurs => true,
            _ => false,
        };
        if is_permanent || cx.spec.wait == Duration::ZERO {
            self.written |= written;
            return self.give_up(cx);
        }
        if cx.world.topology.count() > 1 && !cx.spec.adopt && round.may_hold() {
            // What some servers granted is in the others' way, and in ours. It is released under its token, which is
            // then asked for no more: see above. A token of the application's own cannot be changed for another.
            let used = cx.owner.clone();
            match Owner::new(None, cx.world.entropy) {
                Ok(_) if planted(Planted::TokenAskedAgain) => {}
                Ok(owner) if used.minted.is_some() => *cx.owner = owner,
                _ => {
                    self.written = true;
                    return self.give_up(cx);
                }
            }
            cx.world.leftovers.push(Lock::leftover(cx.spec.clone(), used, round.clone()));
        } else {
            self.written |= written;
        }
        if self.woken {
            cx.timers.set(Timer::Retry, cx.now.max(self.begun.after(WAKE_INTERVAL)));
        } else {
            self.schedule(cx);
        }
        State::Acquiring(self)
    }

    /// Acts on what a fair no says about the line.
    fn look_at_line(&self, round: &Round, cx: &mut Context<'_>) {
        let Some((_, Answer::Wait { joined, ahead, .. })) = round.answer(NodeId(0)) else { return };
        // Our places in line were lost, by a stall or with the server's data: all of us need new ones.
        if joined && self.attempts > 1 {
            cx.world.leaders.recall(cx.spec.lock_keys(), cx.id);
        }
        if ahead != 0 {
            cx.world.heads.push((LockId(ahead), cx.id));
        }
    }

    /// Sets the time of the next attempt. With wake-ups, attempts are but the safety net, and the heartbeat of our place.
    fn schedule(&self, cx: &mut Context<'_>) {
        // In line behind another of ours: it asks for both, unless it is not known that we have a place.
        let placed = matches!(self.last, AttemptOutcome::Taken(_));
        if cx.spec.queues() && placed && !cx.world.leaders.is_first(cx.spec.lock_keys(), cx.id) {
            return;
        }
        if planted(Planted::NoSafetyNet) && placed && cx.wakes(NodeId(0)) {
            return;
        }
        let due = cx.now.after(self.pause(cx));
        cx.timers.set(Timer::Retry, due);
    }

    /// The first of our line left, and now this one asks for all.
    fn take_the_lead(&self, cx: &mut Context<'_>) {
        if self.round.is_some() || planted(Planted::NoSafetyNet) {
            return;
        }
        let heard = cx.world.leaders.last_heard(cx.spec.lock_keys());
        let begun = heard.filter(|_| !planted(Planted::HeartbeatRestarts)).unwrap_or(cx.now);
        let due = begun.after(self.pause(cx)).max(cx.now);
        // It may be about to ask: because it was woken, or does not know whether it has a place.
        if cx.timers.get(Timer::Retry).is_none_or(|retry| due < retry) {
            cx.timers.set(Timer::Retry, due);
        }
    }

    fn pause(&self, cx: &mut Context<'_>) -> Duration {
        let longest = cx.policy.retry_max;
        let (min, max) = if cx.world.topology.count() == 1 && cx.wakes(NodeId(0)) {
            (longest, longest.times(4))
        } else {
            (cx.policy.retry_min, longest)
        };
        let pause = jitter(min, max, cx.world.entropy);
        match self.last {
            // It comes free sooner: ask just after, and not all at once.
            AttemptOutcome::Taken(Some(left)) if left < pause => {
                left.plus(jitter(Duration::from_millis(1), cx.policy.retry_min, cx.world.entropy)).min(pause)
            }
            _ => pause,
        }
    }

    fn may_have_written(&self, round: &Round, cx: &mut Context<'_>) -> bool {
        let registered = cx.spec.wait > Duration::ZERO && cx.registers(NodeId(0));
        (!cx.spec.adopt || planted(Planted::FailedAdoptionCleansUp)) && round.may_have_written(registered)
    }

    /// Tells the application why it does not get the lock.
    fn give_up(self, cx: &mut Context<'_>) -> State {
        let failure = self.last.failure(self.round.as_ref(), self.attempts, cx.spec.wait.as_millis());
        for &lock in cx.holders.iter() {
            cx.world.events.push_back(Event::Failed { lock, failure: failure.clone() });
        }
        self.leave(cx)
    }

    fn leave(mut self, cx: &mut Context<'_>) -> State {
        leave_line(cx);
        if let Some(round) = self.round.take() {
            self.written |= self.may_have_written(&round, cx);
        }
        if self.written && !planted(Planted::NoCleanUp) {
            Releasing::begin(false, true, cx.spec.ttl.max(cx.place_lease()), cx)
        } else {
            State::Done
        }
    }
}

fn leave_line(cx: &mut Context<'_>) {
    if cx.spec.queues() {
        cx.world.leaders.leave(cx.spec.lock_keys(), cx.id);
    }
}

/// The lease as the servers granted it, each counted from when it was asked.
fn lease_of(round: &Round, cx: &Context<'_>) -> Lease {
    let mut lease = Lease::new(cx.world.topology.count());
    for (node, ballot) in round.ballots() {
        if let Ballot::Answered(sent, Answer::Fence(_) | Answer::Flag(true)) = *ballot {
            let sent = if planted(Planted::ValidityFromReply) { cx.now } else { sent };
            lease.granted(Topology::index(node), validity(sent, cx.spec.ttl, cx.policy.drift));
        }
    }
    lease
}

fn grant(round: Round, lease: Lease, attempts: u32, cx: &mut Context<'_>) -> State {
    let minted = round.ballots().filter_map(|(_, ballot)| match ballot {
        Ballot::Answered(_, Answer::Fence(fence)) => Some(*fence),
        _ => None,
    });
    // Counters of several servers are not one: their largest would not grow from lock to lock (rule 8).
    let fence = minted.max().filter(|_| cx.world.topology.count() == 1).unwrap_or(0);
    for &lock in cx.holders.iter() {
        cx.world.events.push_back(Event::Granted { lock, fence, token: cx.owner.minted });
    }
    cx.count(|counters| &mut counters.acquired);
    round.tell_degraded(cx);
    Held::begin(lease, round, fence, attempts, cx)
}
