//! The fair lock: waiters are served in the order of their arrival at the server. Of a client's waiters in one queue, the
//! leader asks for all: see [`leader`].

pub(crate) mod leader;

use super::wait::{Denial, pause};
use crate::{
    id::LockId,
    lock::{context::Context, effects::Effect},
    quorum::Round,
    script::Answer,
    time::Instant,
    timers::Timer,
};

/// A waiter joins its client's others. A lock that is adopted is in no queue.
pub(super) fn begins(cx: &mut Context<'_>) {
    if cx.spec.entry.waits_for_turn() {
        cx.shared.leaders.join(cx.spec.keys.locks(), cx.id);
    }
}

/// An attempt keeps the positions of all waiters of its client, except that a single attempt keeps none.
pub(super) fn attempts(cx: &mut Context<'_>) {
    if cx.spec.entry.waits_for_turn() && !cx.spec.is_single_attempt() {
        cx.shared.leaders.attempted(cx.spec.keys.locks(), cx.now);
    }
}

/// Acts on what a denial says about the queue.
pub(super) fn denied(round: &Round, is_first: bool, cx: &mut Context<'_>) {
    let denials = round.answers().filter_map(|(_, _, answer)| match answer {
        Answer::Wait { joined, ahead, .. } => Some((joined, ahead)),
        _ => None,
    });
    for (joined, ahead) in denials {
        // The waiter had lost its position, by a stall or with the server's data. So had the waiters that it leads.
        if joined && !is_first {
            for &waiter in cx.shared.leaders.led_by(cx.spec.keys.locks(), cx.id) {
                cx.shared.effects.push_back(Effect::Rejoin(waiter));
            }
        }
        if ahead != 0 {
            cx.shared.effects.push_back(Effect::AdoptHead { head: LockId(ahead), seen_by: cx.id });
        }
    }
}

/// Only the leader asks, and a waiter that does not know whether it has a position.
pub(super) fn next_attempt(denial: Option<Denial>, cx: &mut Context<'_>) -> Option<Instant> {
    let has_position = denial.is_some() && cx.spec.entry.waits_for_turn();
    if has_position && !cx.shared.leaders.is_leader(cx.spec.keys.locks(), cx.id) {
        return None;
    }
    Some(cx.now.after(pause(denial, cx)))
}

/// A new leader counts its pause from the last attempt of any waiter that it leads.
pub(super) fn lead(denial: Option<Denial>, cx: &mut Context<'_>) {
    let attempted = cx.shared.leaders.last_attempt(cx.spec.keys.locks());
    let due = attempted.unwrap_or(cx.now).after(pause(denial, cx)).max(cx.now);
    // It may be about to ask anyway: it was woken, or does not know whether it has a position.
    if cx.timers.get(Timer::Retry).is_none_or(|retry| due < retry) {
        cx.timers.set(Timer::Retry, due);
    }
}

/// A waiter leaves its client's others. If it led them, the next one leads.
pub(super) fn ends(cx: &mut Context<'_>) {
    if !cx.spec.entry.waits_for_turn() {
        return;
    }
    let leader = cx.shared.leaders.leave(cx.spec.keys.locks(), cx.id);
    if let Some(leader) = leader {
        cx.shared.effects.push_back(Effect::Lead(leader));
    }
}
