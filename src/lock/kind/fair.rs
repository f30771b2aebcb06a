//! The fair lock: waiters are served in the order of their arrival at the server (rule 9). Of a client's waiters in one
//! queue, the leader polls for all: see [`super::leader`].

use super::wait::{Denial, pause};
use crate::{
    id::LockId,
    lock::{context::Context, effects::Effect},
    quorum::Round,
    script::Answer,
    time::Instant,
    timers::Timer,
};

/// The waiter joins the waiters of its client. An adopted lock is in no queue.
pub(super) fn begins(cx: &mut Context<'_>) {
    if cx.spec.entry.waits_for_turn() {
        cx.shared.leaders.join(cx.spec, cx.id);
    }
}

/// The attempt refreshes the position lease of its client. A try does not (rule 10).
pub(super) fn attempts(cx: &mut Context<'_>) {
    if cx.spec.entry.waits_for_turn() && !cx.spec.is_single_attempt() {
        cx.shared.leaders.attempted(cx.spec, cx.now);
    }
}

/// Handles what a denial says about the queue.
pub(super) fn denied(round: &Round, is_first: bool, cx: &mut Context<'_>) {
    let denials = round.answers().filter_map(|(_, _, answer)| match answer {
        Answer::Wait { joined, ahead, .. } => Some((joined, ahead)),
        _ => None,
    });
    for (joined, ahead) in denials {
        // The waiter had lost its position, after a stall or with the server's data, and so had the rest of its group.
        if joined && !is_first {
            for &waiter in cx.shared.leaders.led_by(cx.spec, cx.id) {
                cx.shared.effects.push_back(Effect::Rejoin(waiter));
            }
        }
        if ahead != 0 {
            cx.shared.effects.push_back(Effect::AdoptHead { head: LockId(ahead), seen_by: cx.id });
        }
    }
}

/// Only the leader polls, and a waiter that does not know whether it has a position.
pub(super) fn next_attempt(denial: Option<Denial>, cx: &mut Context<'_>) -> Option<Instant> {
    let has_position = denial.is_some() && cx.spec.entry.waits_for_turn();
    if has_position && !cx.shared.leaders.is_leader(cx.spec, cx.id) {
        return None;
    }
    Some(cx.now.after(pause(denial, cx)))
}

/// A new leader counts its pause from the last attempt of any waiter in its group.
pub(super) fn lead(denial: Option<Denial>, cx: &mut Context<'_>) {
    let attempted = cx.shared.leaders.last_attempt(cx.spec);
    let due = attempted.unwrap_or(cx.now).after(pause(denial, cx)).max(cx.now);
    // The waiter may attempt sooner anyway: it was woken, or does not know whether it has a position.
    if cx.timers.get(Timer::Retry).is_none_or(|retry| due < retry) {
        cx.timers.set(Timer::Retry, due);
    }
}
