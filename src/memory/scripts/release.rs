//! `lua/exclusive_release.lua`, `lua/lib/release.lua`.

use super::{
    call::{Call, Outcome, PURGE_LIMIT},
    lua,
};
use crate::memory::reply::{ErrorReply, Reply};

/// The waiter to wake for a key, and the waiters to remove from its set.
#[derive(Default)]
pub(super) struct Next {
    pub waiter: Option<Vec<u8>>,
    pub gone: Vec<Vec<u8>>,
}

/// Frees lock keys, wakes waiters, and returns the reply. `sets` is what the names of the waiters' sets have behind the
/// prefix, and `next_waiter` reads the waiter to wake for a lock, of whose sets it gets the names.
pub(super) fn release(
    call: &mut Call<'_>,
    sets: &[u8],
    has_sets: bool,
    next_waiter: impl Fn(&mut Call<'_>, &[Vec<u8>]) -> Outcome<Next>,
) -> Outcome<Reply> {
    let leaver = call.text(1)?;
    let values = call.arguments.get(2..).unwrap_or_default();
    let width = call.keys.len().checked_div(values.len()).filter(|&width| width > 0);
    let width = width
        .filter(|width| width.checked_mul(values.len()) == Some(call.keys.len()))
        .ok_or_else(|| ErrorReply::beyond("a call with so many keys"))?;
    let (mut results, mut freed, mut leaving, mut woken) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (keys, value) in call.keys.chunks(width).zip(values) {
        let Some((key, own_sets)) = keys.split_first() else { continue };
        // Under pcall: a key of another type is not a lock.
        let stored = call.get_in_pcall(key);
        let is_free = matches!(stored, Ok(None));
        let is_mine = stored.is_ok_and(|stored| {
            stored.is_some_and(|stored| stored == *value || lua::token_of(value) == Some(&stored))
        });
        results.push(Reply::Integer(is_mine.into()));
        if is_mine {
            freed.push(key.as_slice());
        }
        let Some(waiters) = own_sets.first().filter(|_| has_sets) else { continue };
        let mut next = Next::default();
        if is_mine || is_free {
            next = next_waiter(call, own_sets)?;
            woken.extend(next.waiter.map(|waiter| (waiters, waiter)));
        }
        let at = "if leaver ~= '' and redis.call('ZSCORE', waiters, leaver)";
        if !leaver.is_empty() && call.zscore(at, waiters, leaver)?.is_some() {
            next.gone.push(leaver.to_vec());
        }
        if let Some(leases) = own_sets.get(1) {
            let at = "if width > 2 and redis.call('ZCARD', waiters)";
            if call.zcard(at, waiters)? == next.gone.len() {
                freed.push(leases);
            }
        }
        leaving.push((waiters, next.gone));
    }
    for (waiters, gone) in leaving {
        call.zrem("for _, each in ipairs(leaving) do redis.call('ZREM'", waiters, &gone)?;
    }
    if !freed.is_empty() {
        call.del("if #freed > 0 then redis.call('DEL'", &freed)?;
    }
    for (set, waiter) in woken {
        let prefix = set.windows(sets.len()).position(|part| part == sets).unwrap_or_default();
        call.wake(set.get(..prefix).unwrap_or_default(), &waiter);
    }
    call.reply(results)
}

pub(super) fn exclusive(call: &mut Call<'_>) -> Outcome<Reply> {
    let values = call.arguments.len().saturating_sub(2);
    let mut has_waiters = false;
    if call.keys.len() > values {
        let sets: Vec<_> = call.keys.iter().skip(1).step_by(2).map(Vec::as_slice).collect();
        has_waiters = call.any_exists("return redis.call('EXISTS', unpack(sets))", &sets)?;
    }
    release(call, b"redlatch:waiters:", has_waiters, first_waiter)
}

/// The first registration that has not expired, but for the one of the waiter that leaves.
fn first_waiter(call: &mut Call<'_>, sets: &[Vec<u8>]) -> Outcome<Next> {
    let (leaver, mut next) = (call.text(1)?, Next::default());
    let Some(waiters) = sets.first() else { return Ok(next) };
    let at = "if redis.call('EXISTS', waiters) == 0";
    if !call.any_exists(at, &[waiters])? {
        return Ok(next);
    }
    call.time()?;
    for rank in 0..PURGE_LIMIT {
        // Under pcall: a key of another type is no set of waiters.
        let Ok(Some((expiry, first))) = call.ranked("redis.pcall('ZRANGE'", waiters, rank) else { break };
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
