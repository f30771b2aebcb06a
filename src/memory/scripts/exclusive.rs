//! `lua/exclusive_*.lua`.

use super::{Call, FENCE_KEPT, MOST_DEAD, Outcome, Reply, lua};
use crate::planted::{Planted, planted};

pub(super) fn acquire(call: &mut Call<'_>) -> Outcome<Reply> {
    let (token, lease) = (call.text(1)?, call.number(2)?);
    let (waiter, kept, claim) = (call.text(3)?, call.number(4)?, call.text(5)?);
    let n = call.locks(3)?;
    let (locks, fences, waiters) = (call.keys_of(0, n), call.keys_of(1, n), call.keys_of(2, n));

    let (mut mine, mut taken, mut wait) = (0_usize, false, 1);
    let (mut absent, mut claims, mut last) = (vec![false; n], vec![None; n], 0.0);
    for (((key, fence), absent), claimed) in locks.iter().zip(fences).zip(&mut absent).zip(&mut claims) {
        let owner = call.get("local owner = redis.call('GET', KEYS[i])", key)?;
        let mut is_mine = owner.as_deref() == Some(token);
        if is_mine || owner.is_none() {
            let counter = call.get(COUNTER, fence)?.unwrap_or_default();
            last = lua::max(last, lua::leading_number(&counter));
            *claimed = lua::claim_in(&counter).map(<[u8]>::to_vec);
            is_mine = is_mine && !is_late(&counter, claim);
        }
        match owner {
            _ if is_mine => mine = mine.saturating_add(1),
            Some(_) => {
                taken = n == 1 || !planted(Planted::TakesForeignKeys);
                let pttl = call.pttl("local pttl = redis.call('PTTL', KEYS[i])", key)?;
                wait = if pttl < 0 || wait < 0 { -1 } else { pttl.max(wait) };
            }
            None => *absent = true,
        }
    }
    call.time()?;
    if taken {
        if !waiter.is_empty() {
            let until = call.now().saturating_add(kept);
            for key in waiters {
                call.zadd("redis.call('ZADD', KEYS[i], until_ms, waiter)", key, until, waiter)?;
                call.lengthen("< kept then redis.call('PEXPIRE'", key, kept)?;
            }
        }
        return call.reply([0, wait]);
    }

    let text = mint(call, last, mine == n);
    for ((((key, fence), waiters), absent), claimed) in
        locks.iter().zip(fences).zip(waiters).zip(absent).zip(claims)
    {
        keep_fence(call, fence, &counter(&text, claim, claimed, mine == n), lease, mine == n)?;
        if absent
            || call.pttl("if absent[i] or redis.call('PTTL', KEYS[i]) < lease", key)? < lease
            || planted(Planted::AcquireShortens)
        {
            call.set("redis.call('SET', KEYS[i], token, 'PX', lease)", key, token, lease)?;
        }
        if !waiter.is_empty() {
            call.zrem("redis.call('ZREM', KEYS[2 * n + i], waiter)", waiters, &[waiter])?;
        }
    }
    granted(call, &text)
}

pub(super) const COUNTER: &str = "local counter = redis.call('GET', KEYS[n + i]) or ''";

/// Whether the same client has claimed since what is claimed now.
pub(super) fn is_late(counter: &[u8], claim: &[u8]) -> bool {
    let claimed = lua::claim_in(counter).and_then(lua::split_claim);
    match (claimed, lua::split_claim(claim)) {
        (Some((whose, which)), Some((client, number))) => whose == client && which > number,
        _ => false,
    }
}

/// What a counter holds: the last fence, and a claim if there is one. Without a claim of its own an acquire leaves the one
/// that was there, if all keys are `mine` already.
pub(super) fn counter(fence: &[u8], claim: &[u8], claimed: Option<Vec<u8>>, mine: bool) -> Vec<u8> {
    match claimed.filter(|_| mine && claim.is_empty() && !planted(Planted::LateAcquireUnclaims)) {
        Some(claimed) => [fence, b" ", &claimed].concat(),
        None if claim.is_empty() => fence.to_vec(),
        None => [fence, b" ", claim].concat(),
    }
}

/// The fencing token: the last one if all keys are `mine` already.
pub(super) fn mint(call: &Call<'_>, last: f64, mine: bool) -> Vec<u8> {
    let micros = call.now.as_micros();
    let part = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let time = part(micros / 1_000_000) * 1_000_000.0 + part(micros % 1_000_000);
    let last = if planted(Planted::FenceFromClock) { 0.0 } else { last };
    let fence = if !mine || last == 0.0 { lua::max(last + 1.0, time) } else { last };
    format!("{fence:.0}").into_bytes()
}

/// `redis.call('SET', KEYS[n + i], text .. claimed, 'PX', ...)`
pub(super) fn keep_fence(
    call: &mut Call<'_>,
    key: &[u8],
    counter: &[u8],
    lease: i64,
    mine: bool,
) -> Outcome<()> {
    let at = "redis.call('SET', KEYS[n + i], text .. claimed, 'PX'";
    let left = if mine { call.pttl(at, key)? } else { 0 };
    let kept = if planted(Planted::FenceForgotten) { 0 } else { FENCE_KEPT };
    call.set(at, key, counter, lease.saturating_add(kept).max(left))
}

pub(super) fn granted(call: &Call<'_>, fence: &[u8]) -> Outcome<Reply> {
    Ok(Reply::Array(vec![Reply::bulk(call.text(0)?), Reply::Integer(1), Reply::bulk(fence)]))
}

pub(super) fn extend(call: &mut Call<'_>) -> Outcome<Reply> {
    let (token, lease, claim) = (call.text(1)?, call.number(2)?, call.text(3)?);
    let n = call.locks(2)?;
    for key in call.keys_of(0, n) {
        if call.get("if redis.call('GET', KEYS[i]) ~= token", key)?.as_deref() != Some(token)
            && !planted(Planted::ExtendsForeign)
        {
            return call.reply([0]);
        }
    }
    if !claim.is_empty() && !planted(Planted::AdoptsWithoutClaim) {
        for key in call.keys_of(1, n) {
            let text = "local fence = string.match(redis.call('GET', KEYS[n + i]) or ''";
            let last = call.get(text, key)?.unwrap_or_default();
            let fence = lua::leading_digits(&last).unwrap_or(b"0");
            let at = "redis.call('SET', KEYS[n + i], fence .. ' ' .. claim, 'PX'";
            let left = call.pttl(at, key)?;
            let counter = [fence, b" ", claim].concat();
            call.set(at, key, &counter, lease.saturating_add(FENCE_KEPT).max(left))?;
        }
    }
    if lease > 0 && !planted(Planted::ExtendsNothing) {
        let kept = lease.saturating_add(FENCE_KEPT);
        for (key, fence) in call.keys_of(0, n).iter().zip(call.keys_of(1, n)) {
            call.lengthen("redis.call('PEXPIRE', KEYS[i], lease)", key, lease)?;
            if call.pttl("if redis.call('PTTL', KEYS[n + i]) <", fence)? < kept {
                let at = "redis.call('PEXPIRE', KEYS[n + i],";
                call.call(at, "pexpire", |keyspace, now| keyspace.pexpire(fence, kept, now, "pexpire"))?;
            }
        }
    }
    call.reply([1])
}

pub(super) fn release(call: &mut Call<'_>) -> Outcome<Reply> {
    let (token, waiter, claim) = (call.text(1)?, call.text(2)?, call.text(3)?);
    let n = call.locks(3)?;
    let (locks, fences) = (call.keys_of(0, n), call.keys_of(1, n));
    let (mut deleted, mut wakes, mut looked) = (0_i64, Vec::new(), false);
    for ((key, fence), waiters) in locks.iter().zip(fences).zip(call.keys_of(2, n)) {
        if !waiter.is_empty() {
            call.zrem("redis.call('ZREM', waiters, waiter)", waiters, &[waiter])?;
        }
        if !release_key(call, [key, fence], token, claim, &mut deleted)? {
            continue;
        }
        for _ in 0..MOST_DEAD {
            let at = "local next = redis.call('ZPOPMIN', waiters)";
            let next = call.call(at, "zpopmin", |keyspace, now| {
                keyspace.with_sorted_set(waiters, now, super::super::SortedSet::pop_first)
            })?;
            let Some((until, next)) = next else { break };
            if !looked {
                call.time()?;
                looked = true;
            }
            if until > call.now() {
                wakes.push(next);
                break;
            }
        }
    }
    call.wake(&wakes);
    call.reply([deleted])
}

/// Deletes a key if it is the token's, and not claimed by another lock since; whether it is free then.
pub(super) fn release_key(
    call: &mut Call<'_>,
    [key, fence]: [&[u8]; 2],
    token: &[u8],
    claim: &[u8],
    deleted: &mut i64,
) -> Outcome<bool> {
    // Under pcall: a key of another type is a foreign one.
    match call.get("redis.pcall('GET', KEYS[i])", key) {
        Err(_) => Ok(false),
        Ok(None) => Ok(true),
        Ok(Some(owner))
            if owner == token && is_claimed(call, fence, claim) || planted(Planted::DeletesForeign) =>
        {
            let at = "deleted = deleted + redis.call('DEL', KEYS[i])";
            let count = call.call(at, "del", |keyspace, now| Ok(keyspace.remove(key, now)))?;
            *deleted = deleted.saturating_add(count.into());
            Ok(true)
        }
        Ok(Some(_)) => Ok(false),
    }
}

/// Whether the keys were last claimed by this claim, or by none.
fn is_claimed(call: &mut Call<'_>, fence: &[u8], claim: &[u8]) -> bool {
    if claim.is_empty() || planted(Planted::ClaimNotLookedAt) {
        return true;
    }
    let counter = call.get("redis.pcall('GET', KEYS[n + i])", fence).ok().flatten().unwrap_or_default();
    lua::claim_in(&counter).is_none_or(|claimed| claimed == claim)
}
