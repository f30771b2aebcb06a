//! The validity of a held lock: what the nodes' answers say about its lease (rule 1).

use super::Hold;
use crate::{
    id::NodeId,
    lock::{context::Context, spec::Spec},
    quorum::{Verdict, notice, validity},
    script::{Answer, Verb, Waiter},
    time::{Duration, Instant},
    timers::Timer,
};

impl Hold {
    /// Applies a node's answer to the lease. The new lease counts from when the command was sent (rule 1).
    pub(super) fn take_answer(
        &mut self,
        verb: Verb,
        answer: Option<(Instant, Answer)>,
        node: NodeId,
        cx: &mut Context<'_>,
    ) {
        let drift = cx.policy.drift;
        match (answer, verb) {
            (Some((sent, Answer::Flag(true))), Verb::Extend(ttl)) => {
                self.lease.granted(node, validity(sent, ttl, drift));
            }
            (Some((sent, Answer::Flag(true) | Answer::Fence(_))), _) => {
                self.lease.granted(node, validity(sent, cx.spec.ttl, drift));
            }
            (Some((_, Answer::Flag(false))), _) => self.lease.revoked(node),
            (Some((_, Answer::Wait { .. })), Verb::Extend(_)) => self.lease.denied(node),
            _ => return,
        }
        self.validity = self.lease.validity(cx.spec.placement.needed());
        self.arm_lease(cx);
    }

    /// When the loss is reported: `notice` before validity ends.
    pub(super) fn end(&self, spec: &Spec) -> Instant {
        self.validity.before(notice(spec.ttl))
    }

    pub(super) fn arm_lease(&self, cx: &mut Context<'_>) {
        cx.timers.set(Timer::Lease, self.end(cx.spec));
    }

    /// Asks the nodes that answered "not yours" to the previous round, which a majority confirmed, for a new grant: they
    /// lost their data (rule 5). Otherwise each restart without data would cost the lock one node for good. If a
    /// majority lost its data, the lock is lost: another owner may have held it meanwhile.
    pub(super) fn regain(&mut self, cx: &mut Context<'_>) {
        let extends = matches!(self.last.verb, Verb::Extend(ttl) if ttl > Duration::ZERO);
        if self.round.is_some()
            || !extends
            || self.last.verdict() != Verdict::Won
            || self.end(cx.spec) <= cx.now
        {
            return;
        }
        let denied = |&(_, _, answer): &(NodeId, Instant, Answer)| answer == Answer::Flag(false);
        let lost: Vec<_> = self.last.answers().filter(denied).map(|(node, ..)| node).collect();
        for node in lost {
            self.last.ask_instead(node, Verb::Acquire(Waiter::Absent), cx);
            self.lease.regaining(node);
        }
    }

    /// Whether so many nodes answered "not yours" that too few nodes can hold the lock.
    pub(super) fn is_refuted(&self, cx: &Context<'_>) -> bool {
        self.lease.is_refuted(cx.spec.placement.needed())
    }
}
