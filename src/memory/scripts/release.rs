//! `lua/lib/release.lua`.

use super::{
    call::{Call, Outcome},
    lua,
};
use crate::{memory::reply::Reply, script::KeyRole};

/// Frees the keys of `n` locks, wakes waiters, and returns the reply. `waiters` is the role of the keys that have the
/// waiters, and `next_waiter` finds the waiter to wake for a lock.
pub(super) fn release(
    call: &mut Call<'_>,
    n: usize,
    waiters: KeyRole,
    next_waiter: impl Fn(&mut Call<'_>, usize) -> Outcome<Option<Vec<u8>>>,
) -> Outcome<Reply> {
    let waiter = call.text(2)?;
    let (mut deleted, mut woken) = (0_i64, Vec::new());
    for i in 0..n {
        if !waiter.is_empty() {
            call.zrem("redis.call('ZREM', waiters, waiter)", call.key(waiters, i), &[waiter])?;
        }
        if free(call, i, &mut deleted)? {
            woken.extend(next_waiter(call, i)?);
        }
    }
    call.wake(&woken);
    call.reply([deleted])
}

/// Deletes a key if the token holds it without a newer claim. Returns whether the key is free then.
fn free(call: &mut Call<'_>, i: usize, deleted: &mut i64) -> Outcome<bool> {
    let (key, token) = (call.key(KeyRole::Lock, i), call.text(1)?);
    // Under pcall: a key of another type is not a lock.
    match call.get("redis.pcall('GET', KEYS[i])", key) {
        Err(_) => Ok(false),
        Ok(None) => Ok(true),
        Ok(Some(owner)) if owner == token && is_claimed(call, i)? => {
            let at = "deleted = deleted + redis.call('DEL', KEYS[i])";
            let count = call.call(at, "del", |keyspace, now| Ok(keyspace.remove(key, now)))?;
            *deleted = deleted.saturating_add(count.into());
            Ok(true)
        }
        Ok(Some(_)) => Ok(false),
    }
}

/// Whether the last claim of a key is the caller's, or there is none.
fn is_claimed(call: &mut Call<'_>, i: usize) -> Outcome<bool> {
    let claim = call.text(3)?;
    if claim.is_empty() {
        return Ok(true);
    }
    let counter = call.get("redis.pcall('GET', KEYS[n + i])", call.key(KeyRole::Fence, i)).ok().flatten();
    Ok(lua::claim_in(&counter.unwrap_or_default()).is_none_or(|claimed| claimed == claim))
}
