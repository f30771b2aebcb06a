//! What each kind of lock does its own way: its scripts, and how its waiters wait. Each function here only selects the
//! kind, whose file has the code.

mod exclusive;
pub(crate) mod fair;
mod wait;

use super::{axes::Kind, context::Context, owner::Owner, policy::Policy, spec::Spec};
use crate::{
    id::NodeId,
    quorum::Round,
    script::{self, Call, Holder, Registration, Verb, Waiter},
    time::Instant,
};

pub(super) use wait::Denial;

/// Whether a denied attempt leaves a waiter registration, or a ticket, on the node.
pub(super) fn registers(node: NodeId, cx: &mut Context<'_>) -> bool {
    cx.spec.entry.waits_for_turn()
        && match cx.spec.kind {
            Kind::Exclusive => exclusive::registers(node, cx),
            Kind::Fair => true,
        }
}

/// The script call for a verb. `registers` is the result of [`registers`] for the node, `owner_id` the lock's owner id.
pub(super) fn call<'a>(
    verb: Verb,
    registers: bool,
    owner_id: &'a [u8],
    spec: &'a Spec,
    owner: &'a Owner,
    policy: &Policy,
) -> Call<'a> {
    let none: &[u8] = &[];
    let keys = &spec.keys;
    let waiter = if registers { owner_id } else { none };
    let claimed_by = |claim| Holder { token: owner.token(), claim };
    match verb {
        Verb::Acquire => {
            let holder = claimed_by(if owner.is_used_once() { none } else { owner_id });
            let registration = Registration { waiter, ttl: spec.registration_ttl(policy) };
            match spec.kind {
                Kind::Exclusive => script::exclusive_acquire(keys, holder, spec.ttl, registration),
                Kind::Fair => {
                    script::fair_acquire(keys, holder, spec.ttl, registration, !spec.is_single_attempt())
                }
            }
        }
        Verb::Adopt => script::extend(keys, claimed_by(owner_id), spec.ttl),
        Verb::Extend(ttl) => script::extend(keys, claimed_by(none), ttl),
        Verb::Release(left) => {
            let waiter = if left == Waiter::Registered { waiter } else { none };
            match spec.kind {
                Kind::Exclusive => script::exclusive_release(keys, claimed_by(owner_id), waiter),
                Kind::Fair => script::fair_release(keys, claimed_by(owner_id), waiter),
            }
        }
    }
}

/// A lock begins to acquire its keys.
pub(super) fn begins(cx: &mut Context<'_>) {
    match cx.spec.kind {
        Kind::Exclusive => {}
        Kind::Fair => fair::begins(cx),
    }
}

/// An attempt begins.
pub(super) fn attempts(cx: &mut Context<'_>) {
    match cx.spec.kind {
        Kind::Exclusive => {}
        Kind::Fair => fair::attempts(cx),
    }
}

/// An attempt was denied in `round`; `is_first` if it was the lock's first.
pub(super) fn denied(round: &Round, is_first: bool, cx: &mut Context<'_>) {
    match cx.spec.kind {
        Kind::Exclusive => {}
        Kind::Fair => fair::denied(round, is_first, cx),
    }
}

/// When to attempt again; `None` to wait for a wake-up. `denial` is the denial of the last attempt, `None` if it
/// failed.
pub(super) fn next_attempt(denial: Option<Denial>, cx: &mut Context<'_>) -> Option<Instant> {
    match cx.spec.kind {
        Kind::Exclusive => exclusive::next_attempt(denial, cx),
        Kind::Fair => fair::next_attempt(denial, cx),
    }
}

/// The waiter is now the leader. It has no attempt in flight.
pub(super) fn lead(denial: Option<Denial>, cx: &mut Context<'_>) {
    match cx.spec.kind {
        Kind::Exclusive => {}
        Kind::Fair => fair::lead(denial, cx),
    }
}

/// A lock no longer acquires its keys: it was granted, or gave up.
pub(super) fn ends(cx: &mut Context<'_>) {
    match cx.spec.kind {
        Kind::Exclusive => {}
        Kind::Fair => fair::ends(cx),
    }
}
