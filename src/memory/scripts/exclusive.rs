//! `lua/exclusive_*.lua`.

use super::{
    acquire::{Attempt, grant, look},
    call::{Call, Outcome, PURGE_LIMIT},
    release::{self, Next},
};
use crate::{memory::reply::Reply, script::KeyRole};

pub(super) fn acquire(call: &mut Call<'_>) -> Outcome<Reply> {
    let (token, lease, waiter) = (call.text(1)?, call.number(2)?, call.text(3)?);
    let (registration_ttl, claim) = (call.number(4)?, call.text(5)?);
    let n = call.locks()?;
    call.time()?;
    let attempt = Attempt { n, token, lease, waiter, waiters: KeyRole::Registrations, claim };
    let found = look(call, attempt)?;
    if found.held == 0 {
        return grant(call, attempt, &found, &[]);
    }
    if !waiter.is_empty() {
        let expiry = call.now().saturating_add(registration_ttl);
        for i in 1..n {
            let at = "for i = 2 * n + 2, 3 * n do redis.call('ZSCORE'";
            call.zscore(at, call.key(KeyRole::Registrations, i), waiter)?;
        }
        for i in 0..n {
            call.enter(call.key(KeyRole::Registrations, i), expiry, waiter, registration_ttl)?;
        }
    }
    call.reply([0, found.held])
}

pub(super) fn release(call: &mut Call<'_>) -> Outcome<Reply> {
    let n = call.locks()?;
    release::release(call, n, KeyRole::Registrations, first_waiter)
}

/// The first registration that has not expired, but for the one of the waiter that leaves.
fn first_waiter(call: &mut Call<'_>, i: usize) -> Outcome<Next> {
    let (waiters, leaver) = (call.key(KeyRole::Registrations, i), call.text(2)?);
    let mut next = Next::default();
    for rank in 0..PURGE_LIMIT {
        let at = "local first = redis.call('ZRANGE', waiters, rank, rank, 'WITHSCORES')";
        let Some((expiry, first)) = call.ranked(at, waiters, rank)? else { break };
        if rank == 0 {
            call.time()?;
        }
        if first == leaver {
            continue;
        }
        next.gone.push(first.clone());
        if expiry > call.now() {
            next.waiter = Some(first);
            break;
        }
    }
    Ok(next)
}
