//! Why servers are asked about a lock that is held: one question at a time serves all that came up since the last.

use crate::{
    error::{Code, LockError},
    event::Event,
    id::{LockId, OperationId},
    lock::{Context, Wish},
    time::{Duration, Instant},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Op {
    /// The renewal, to whose outcome nobody listens.
    Renew,
    Wish(OperationId, Wish),
    /// The same owner asks again for what it holds, under this number, and waits until then.
    Reenter(LockId, Option<Instant>),
}

/// What the question in flight is for, and what the next one will be for.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Ops {
    serving: Vec<Op>,
    queued: Vec<Op>,
}

impl Ops {
    pub(super) fn queue(&mut self, op: Op) {
        self.queued.push(op);
    }

    /// Serves what is queued, if anything is; the lease to ask for, where a renewal asks for `ttl`.
    pub(super) fn serve_queued(&mut self, ttl: Duration) -> Option<Duration> {
        self.serving = core::mem::take(&mut self.queued);
        let leases = self.serving.iter().map(|op| match *op {
            Op::Renew => ttl,
            Op::Wish(_, Wish::Extend(ttl)) => ttl,
            Op::Wish(_, Wish::Verify) | Op::Reenter(..) => Duration::ZERO,
        });
        leases.max()
    }

    /// Whether anybody is about to enter.
    pub(super) fn are_entering(&self) -> bool {
        self.serving.iter().chain(&self.queued).any(|op| matches!(op, Op::Reenter(..)))
    }

    /// When the first of those who are about to enter has waited for long enough.
    pub(super) fn next_wait(&self) -> Option<Instant> {
        let waits = self.serving.iter().chain(&self.queued).filter_map(|op| match op {
            Op::Reenter(_, until) => *until,
            _ => None,
        });
        waits.min()
    }

    /// Those who were about to enter, and have waited for long enough, are told so.
    pub(super) fn expire_entries(&mut self, cx: &mut Context<'_>) {
        for ops in [&mut self.serving, &mut self.queued] {
            let over = |op: &mut Op| matches!(op, Op::Reenter(_, Some(until)) if *until <= cx.now);
            for op in ops.extract_if(.., over) {
                if let Op::Reenter(lock, _) = op {
                    let text =
                        "not entered again within wait: the servers did not confirm that the lock is held";
                    let failure = LockError::new(Code::Timeout, 1, text);
                    cx.world.events.push_back(Event::Failed { lock, failure });
                }
            }
        }
    }

    /// Whoever was about to enter under this number does not want to any more.
    pub(super) fn withdraw_entry(&mut self, holder: LockId) {
        for ops in [&mut self.serving, &mut self.queued] {
            ops.retain(|op| !matches!(op, Op::Reenter(each, _) if *each == holder));
        }
    }

    /// The servers said yes.
    pub(super) fn succeed(&mut self, fence: u64, cx: &mut Context<'_>) {
        for op in core::mem::take(&mut self.serving) {
            let event = match op {
                Op::Renew => {
                    cx.count(|counters| &mut counters.renewed);
                    cx.observe(Event::Renewed { lock: cx.holder() });
                    continue;
                }
                Op::Wish(op, Wish::Extend(_)) => Event::Extended { op, lock: cx.id },
                Op::Wish(op, Wish::Verify) => Event::Verified { op, lock: cx.id, ours: true },
                Op::Reenter(lock, _) => {
                    cx.holders.push(lock);
                    Event::Granted { lock, fence, token: cx.owner.minted }
                }
            };
            cx.emit(event);
        }
    }

    /// The servers said that it is not ours: to those who asked just that, this is the answer.
    pub(super) fn deny(&mut self, cx: &mut Context<'_>) {
        for op in self.serving.extract_if(.., |op| matches!(op, Op::Wish(_, Wish::Verify))) {
            if let Op::Wish(op, _) = op {
                cx.emit(Event::Verified { op, lock: cx.id, ours: false });
            }
        }
    }

    /// There is no answer, or no use in one.
    pub(super) fn fail(&mut self, failure: &LockError, cx: &mut Context<'_>) {
        for op in core::mem::take(&mut self.serving) {
            let failure = failure.clone();
            match op {
                Op::Renew => {}
                Op::Wish(op, _) => cx.emit(Event::OperationFailed { op, lock: cx.id, failure }),
                Op::Reenter(lock, _) => cx.emit(Event::Failed { lock, failure }),
            }
        }
    }
}
