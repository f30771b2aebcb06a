//! What each kind of lock does its own way: its scripts, and how its waiters wait. Each function here only selects the
//! kind, whose file has the code.

mod exclusive;
mod fair;
pub(crate) mod leader;
mod wait;

use super::{axes::Kind, context::Context, effects::Effect, owner::Owner, policy::Policy, spec::Spec};
use crate::{
    id::NodeId,
    quorum::Round,
    script::{self, Call, LockKeys, Registration, Verb, Waiter},
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

/// What a call says beside the lock's settings.
pub(super) struct Names<'a> {
    /// The lock's owner id.
    pub(super) owner_id: &'a [u8],
    /// What the lock keys hold.
    pub(super) value: &'a [u8],
    /// The node's fence counter; `None` if grants have no fence.
    pub(super) counter: Option<&'a [u8]>,
}

/// The script call for a verb, on these keys of the lock. `registers` is the result of [`registers`] for the node.
pub(super) fn call<'a>(
    verb: Verb,
    keys: &'a LockKeys,
    registers: bool,
    names: Names<'a>,
    spec: &'a Spec,
    owner: &'a Owner,
    policy: &Policy,
) -> Call<'a> {
    let Names { owner_id, value, counter } = names;
    match verb {
        Verb::Acquire(before) => {
            let ttl = spec.registration_ttl(policy);
            let registration = Registration { waiter: owner_id, ttl, before };
            let waits = !spec.is_single_attempt();
            match spec.kind {
                Kind::Exclusive => {
                    let registration = Some(registration).filter(|_| registers);
                    script::exclusive_acquire(keys, counter, value, spec.ttl, registration)
                }
                Kind::Fair => script::fair_acquire(keys, counter, value, spec.ttl, registration, waits),
            }
        }
        Verb::Adopt => script::adopt(keys, owner.token(), owner_id, spec.ttl),
        Verb::Raise(fence) => script::raise_fence(keys, counter, value, fence),
        Verb::Extend(ttl) => script::extend(keys, value, ttl),
        Verb::Release(left) => {
            let waiter = if registers && left == Waiter::Registered { owner_id } else { &[] };
            match spec.kind {
                Kind::Exclusive => script::exclusive_release(keys, value, waiter, spec.placement.wakes()),
                Kind::Fair => script::fair_release(keys, value, waiter),
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
        Kind::Exclusive => exclusive::denied(cx),
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
        Kind::Exclusive => exclusive::lead(cx),
        Kind::Fair => fair::lead(denial, cx),
    }
}

/// A lock no longer acquires its keys: it was granted, or gave up. If it was the leader of others, the next waiter becomes
/// the leader.
pub(super) fn ends(cx: &mut Context<'_>) {
    for node in cx.spec.placement.nodes() {
        cx.shared.topology.stop_listening(cx.spec.keys_of(node), cx.id, cx.listening);
    }
    if let Some(leader) = cx.shared.leaders.leave(cx.spec, cx.id) {
        cx.shared.effects.push_back(Effect::Lead(leader));
    }
}
