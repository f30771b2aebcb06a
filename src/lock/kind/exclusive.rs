//! The plain lock: the first waiter that attempts to take it when it is free gets it. Of a client's waiters for the same
//! keys, the leader polls for all: see [`super::leader`].

use super::wait::{Denial, pause};
use crate::{id::NodeId, lock::context::Context, time::Instant, timers::Timer};

/// A waiter registers only on the node that sends it wake-ups. On other nodes it would not receive the message.
pub(super) fn registers(node: NodeId, cx: &mut Context<'_>) -> bool {
    !cx.spec.is_single_attempt() && cx.wakes(node)
}

/// The waiter joins the waiters of its client. Not before it is denied: most acquires never are.
pub(super) fn denied(cx: &mut Context<'_>) {
    if cx.spec.entry.waits_for_turn() && !cx.spec.is_single_attempt() {
        cx.shared.leaders.join(cx.spec, cx.id);
    }
}

/// Only the leader polls, and a waiter whose attempt failed. Behind wake-ups, polling is only the safety net (rule 11).
pub(super) fn next_attempt(denial: Option<Denial>, cx: &mut Context<'_>) -> Option<Instant> {
    if denial.is_some() && !cx.shared.leaders.is_leader(cx.spec, cx.id) {
        return None;
    }
    Some(cx.now.after(pause(denial, cx)))
}

/// A new leader attempts at once, because its registration may have ended.
pub(super) fn lead(cx: &mut Context<'_>) {
    cx.timers.set(Timer::Retry, cx.now);
}
