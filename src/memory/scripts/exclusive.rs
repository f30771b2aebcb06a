//! `lua/exclusive_*.lua`.

use super::{
    acquire::{Attempt, grant, look},
    call::{Call, Outcome, PURGE_LIMIT},
    release,
};
use crate::{
    memory::{reply::Reply, sorted_set::SortedSet},
    script::KeyRole,
};

pub(super) fn acquire(call: &mut Call<'_>) -> Outcome<Reply> {
    let (token, lease, waiter) = (call.text(1)?, call.number(2)?, call.text(3)?);
    let (registration_ttl, claim) = (call.number(4)?, call.text(5)?);
    let n = call.locks()?;
    call.time()?;
    let attempt = Attempt { n, token, lease, waiter, waiters: KeyRole::Registrations, claim };
    let found = look(call, attempt)?;
    if found.held == 0 {
        return grant(call, attempt, &found);
    }
    if !waiter.is_empty() {
        let expiry = call.now().saturating_add(registration_ttl);
        for i in 0..n {
            let key = call.key(KeyRole::Registrations, i);
            call.zadd("redis.call('ZADD', KEYS[i], expiry, waiter)", key, expiry, waiter)?;
            call.lengthen(key, registration_ttl)?;
        }
    }
    call.reply([0, found.held])
}

pub(super) fn release(call: &mut Call<'_>) -> Outcome<Reply> {
    let n = call.locks()?;
    release::release(call, n, KeyRole::Registrations, pop_waiter)
}

/// Takes the first registration that has not expired out of a set.
fn pop_waiter(call: &mut Call<'_>, i: usize) -> Outcome<Option<Vec<u8>>> {
    let waiters = call.key(KeyRole::Registrations, i);
    for popped in 0..PURGE_LIMIT {
        let at = "local first = redis.call('ZPOPMIN', waiters)";
        let first = call.call(at, "zpopmin", |keyspace, now| {
            keyspace.with_sorted_set(waiters, now, SortedSet::pop_first)
        })?;
        let Some((expiry, first)) = first else { return Ok(None) };
        if popped == 0 {
            call.time()?;
        }
        if expiry > call.now() {
            return Ok(Some(first));
        }
    }
    Ok(None)
}
