//! `lua/exclusive_acquire.lua`, `lua/multi_acquire.lua`, `lua/raise_fence.lua`, `lua/lib/fence.lua`.

use super::{
    call::{Call, Outcome},
    lua,
};
use crate::memory::reply::{ErrorReply, Reply};

/// How long a fence counter is kept after a grant, in ms.
const FENCE_TTL: i64 = 3_600_000;

/// `last_fence` in `lua/lib/fence.lua`.
pub(super) fn last_fence(call: &mut Call<'_>, counter: &[u8]) -> Outcome<i64> {
    let text = call.get("local last = tonumber(redis.call('GET', counter)", counter)?.unwrap_or_default();
    // What Lua reads as another number is far behind the clock.
    let is_plain = text.iter().all(u8::is_ascii_digit);
    Ok(lua::whole(&text).filter(|&last| is_plain && last < 9_007_199_254_740_900).unwrap_or(0))
}

/// `mint` in `lua/lib/fence.lua`: the first of `count` fencing tokens.
pub(super) fn mint(call: &mut Call<'_>, counter: &[u8], last: i64, count: i64) -> Outcome<i64> {
    let micros = i64::try_from(call.now.as_micros()).unwrap_or(i64::MAX);
    mint_from(call, counter, last, micros, count)
}

/// The same with `micros` given.
fn mint_from(call: &mut Call<'_>, counter: &[u8], last: i64, micros: i64, count: i64) -> Outcome<i64> {
    let first = last.saturating_add(1).max(micros);
    let text = first.saturating_add(count).saturating_sub(1).to_string();
    call.set("redis.call('SET', counter,", counter, text.as_bytes(), FENCE_TTL)?;
    Ok(first)
}

/// One lock of a call of `exclusive_acquire`.
#[derive(Clone, Copy)]
struct Item<'a> {
    key: &'a [u8],
    value: &'a [u8],
    /// The set of registered waiters and the waiter id, if the lock waits.
    waiter: Option<(&'a [u8], &'a [u8])>,
}

pub(super) fn exclusive(call: &mut Call<'_>) -> Outcome<Reply> {
    let (lease, registration_ttl) = (call.number(1)?, lua::whole(call.text(2)?));
    let width = width(registration_ttl);
    let items = items(call, width)?;
    let counter = call.keys.get(items.len().saturating_mul(width));
    if counter.is_some() || width > 1 {
        call.time()?;
    }
    let last = counter.map(|counter| last_fence(call, counter)).transpose()?;
    let mut results = vec![Reply::Integer(0); items.len()];
    let mut granted = Vec::new();
    for (i, (item, result)) in items.iter().zip(&mut results).enumerate() {
        if call.set_if_absent("if redis.call('SET', key, value, 'NX'", item.key, item.value, lease)? {
            granted.push(i);
            continue;
        }
        match call.get_in_pcall(item.key) {
            Err(error) => *result = Reply::bulk(error.text()),
            Ok(stored) => {
                let stored = stored.unwrap_or_default();
                if stored == item.value || lua::takes_over(item.value, &stored) {
                    keep(call, *item, &stored, lease)?;
                    granted.push(i);
                } else {
                    *result = deny(call, *item, registration_ttl)?;
                }
            }
        }
    }
    if granted.is_empty() {
        return call.reply(results);
    }
    let count = i64::try_from(granted.len()).unwrap_or(i64::MAX);
    let first = match counter.zip(last) {
        Some((counter, last)) => Some(mint(call, counter, last, count)?),
        None => None,
    };
    for (order, i) in (0..).zip(granted) {
        let fence = first.map_or(1, |first| first.saturating_add(order));
        if let (Some(result), Some(item)) = (results.get_mut(i), items.get(i)) {
            *result = Reply::Integer(fence);
            if let Some((waiters, waiter)) = item.waiter.filter(|_| may_be_registered(registration_ttl)) {
                // Under pcall.
                drop(call.zrem("redis.pcall('ZREM', KEYS[i * 2]", waiters, &[waiter.to_vec()]));
            }
        }
    }
    call.reply(results)
}

/// How many keys belong to each lock key: locks that wait have a set of registered waiters.
const fn width(registration_ttl: Option<i64>) -> usize {
    if registration_ttl.is_some() { 2 } else { 1 }
}

/// A negative registration TTL says that no lock can have registered before.
const fn may_be_registered(registration_ttl: Option<i64>) -> bool {
    matches!(registration_ttl, Some(1..))
}

fn items<'a>(call: &Call<'a>, width: usize) -> Outcome<Vec<Item<'a>>> {
    let odd = || ErrorReply::beyond("a call with so many keys");
    let arguments = call.arguments.get(3..).unwrap_or_default();
    let spare = call.keys.len().checked_sub(arguments.len()).ok_or_else(odd)?;
    if spare > 1 {
        return Err(odd());
    }
    let pairs = call.keys.chunks(width).zip(arguments.chunks(width));
    let item = |(keys, arguments): (&'a [Vec<u8>], &'a [Vec<u8>])| match (keys, arguments) {
        ([key], [value]) => Some(Item { key, value, waiter: None }),
        ([key, waiters], [value, waiter]) => Some(Item { key, value, waiter: Some((waiters, waiter)) }),
        _ => None,
    };
    pairs.map(item).collect::<Option<_>>().ok_or_else(odd)
}

/// `keep` in the script.
fn keep(call: &mut Call<'_>, item: Item<'_>, stored: &[u8], lease: i64) -> Outcome<()> {
    let left = call.pttl("local left = redis.call('PTTL', key)\nif stored", item.key)?;
    if stored != item.value {
        call.set("redis.call('SET', key, value, 'PX', math.max", item.key, item.value, left.max(lease))?;
    } else if left < lease {
        call.pexpire("redis.call('PEXPIRE', key, lease)", item.key, lease)?;
    }
    Ok(())
}

/// `deny` in the script.
fn deny(call: &mut Call<'_>, item: Item<'_>, registration_ttl: Option<i64>) -> Outcome<Reply> {
    let left = call.pttl("local left = redis.call('PTTL', key)\nif waiters", item.key)?;
    if let (Some((waiters, waiter)), Some(ttl)) = (item.waiter, registration_ttl) {
        let ttl = ttl.saturating_abs();
        let end = call.now().saturating_add(ttl);
        if let Err(error) = call.in_pcall(|call| call.enter(waiters, end, waiter, ttl)) {
            return Ok(Reply::bulk(error.text()));
        }
    }
    Ok(Reply::Integer(hint(left)))
}

/// The result for a lock that another holds for so many ms, -1 for ever.
pub(super) fn hint(left: i64) -> i64 {
    if left < 0 { 0 } else { left.max(1).saturating_neg() }
}

/// The longest of the remaining leases of keys that others hold, as a result. `None` if there are none.
pub(super) fn longest(held: Option<i64>, left: i64) -> Option<i64> {
    let hint = hint(left);
    Some(match held {
        Some(0) => 0,
        Some(held) if hint < 0 => held.min(hint),
        _ => hint,
    })
}

pub(super) fn multi(call: &mut Call<'_>) -> Outcome<Reply> {
    let (n, lease) = (call.number(1)?, call.number(2)?);
    let (registration_ttl, value, waiter) = (lua::whole(call.text(3)?), call.text(4)?, call.text(5)?);
    let n = usize::try_from(n).unwrap_or(0);
    let width = width(registration_ttl);
    let (locks, counter) = call
        .keys
        .split_at_checked(n.saturating_mul(width))
        .filter(|(_, rest)| rest.len() <= 1)
        .ok_or_else(|| ErrorReply::beyond("a call with so many keys"))?;
    if !counter.is_empty() || width > 1 {
        call.time()?;
    }
    let (mut left, mut held) = (Vec::new(), None);
    let last = counter.first().map(|counter| last_fence(call, counter)).transpose()?;
    for keys in locks.chunks(width) {
        let [key, waiters @ ..] = keys else { continue };
        let mut kept = 0;
        if let Some(stored) = call.get("local stored = redis.call('GET', KEYS[at])", key)? {
            kept = call.pttl("left[at] = redis.call('PTTL', KEYS[at])", key)?;
            if stored != value && !lua::takes_over(value, &stored) {
                held = longest(held, kept);
            }
        }
        left.push(kept);
        if let [waiters] = waiters {
            call.zscore("if width > 1 then redis.call('ZSCORE'", waiters, waiter)?;
        }
    }
    let sets = || locks.chunks(width).filter_map(|keys| keys.get(1));
    if let Some(held) = held {
        if let Some(ttl) = registration_ttl {
            let ttl = ttl.saturating_abs();
            let end = call.now().saturating_add(ttl);
            for waiters in sets() {
                call.enter(waiters, end, waiter, ttl)?;
            }
        }
        return call.reply([Reply::Integer(held)]);
    }
    let fence = match counter.first().zip(last) {
        Some((counter, last)) => mint(call, counter, last, 1)?,
        None => 1,
    };
    for waiters in sets().filter(|_| may_be_registered(registration_ttl)) {
        call.zrem(
            "if width > 1 and registration_ttl > 0 then redis.call('ZREM'",
            waiters,
            &[waiter.to_vec()],
        )?;
    }
    for (keys, left) in locks.chunks(width).zip(left) {
        let [key, ..] = keys else { continue };
        call.set("redis.call('SET', KEYS[at], value", key, value, left.max(lease))?;
    }
    call.reply([Reply::Integer(fence)])
}

pub(super) fn raise_fence(call: &mut Call<'_>) -> Outcome<Reply> {
    let (value, fence) = (call.text(1)?, call.number(2)?);
    let odd = || ErrorReply::beyond("a call without a counter");
    let (counter, locks) = call.keys.split_last().ok_or_else(odd)?;
    for key in locks {
        if call.get("if redis.call('GET', KEYS[i]) ~= value", key)?.as_deref() != Some(value) {
            return call.reply([Reply::Integer(0)]);
        }
    }
    let last = last_fence(call, counter)?;
    mint_from(call, counter, last.saturating_sub(1), fence, 1)?;
    call.reply([Reply::Integer(1)])
}
