//! `lua/lib/acquire.lua`, `fence.lua`.

use super::{
    call::{Call, FENCE_MARGIN, Outcome},
    lua,
};
use crate::{memory::reply::Reply, script::KeyRole};

/// The state of the lock keys before an acquire.
pub(super) struct Found {
    /// How many of them the token holds.
    pub mine: usize,
    /// The longest remaining lease of the keys that other owners hold, in ms: 0 if there are none, -1 if one never
    /// expires.
    pub held: i64,
    /// The last fencing token of the others.
    last: f64,
}

/// The arguments of an acquire, of either kind.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub n: usize,
    pub token: &'a [u8],
    pub lease: i64,
    pub waiter: &'a [u8],
    /// The role of the keys that have the waiters.
    pub waiters: KeyRole,
    pub claim: &'a [u8],
}

pub(super) fn look(call: &mut Call<'_>, attempt: Attempt<'_>) -> Outcome<Found> {
    let mut found = Found { mine: 0, held: 0, last: 0.0 };
    for i in 0..attempt.n {
        let owner = call.get("local owner = redis.call('GET', KEYS[i])", call.key(KeyRole::Lock, i))?;
        let mut is_mine = owner.as_deref() == Some(attempt.token);
        if is_mine || owner.is_none() {
            let at = "local counter = redis.call('GET', KEYS[n + i]) or ''";
            let counter = call.get(at, call.key(KeyRole::Fence, i))?.unwrap_or_default();
            found.last = lua::max(found.last, lua::leading_number(&counter));
            is_mine = is_mine && !is_stale(&counter, attempt.claim);
        }
        if is_mine {
            found.mine = found.mine.saturating_add(1);
        } else if owner.is_some() {
            let pttl = call.pttl("local pttl = redis.call('PTTL', KEYS[i])", call.key(KeyRole::Lock, i))?;
            found.held = if pttl < 0 || found.held < 0 { -1 } else { found.held.max(pttl).max(1) };
        }
    }
    Ok(found)
}

/// Whether the counter has a newer claim of the same client.
fn is_stale(counter: &[u8], claim: &[u8]) -> bool {
    let claimed = lua::claim_in(counter).and_then(lua::split_claim);
    match (claimed, lua::split_claim(claim)) {
        (Some((claimant, latest)), Some((client, number))) => claimant == client && latest > number,
        _ => false,
    }
}

/// Takes all keys, and returns the reply.
pub(super) fn grant(call: &mut Call<'_>, attempt: Attempt<'_>, found: &Found) -> Outcome<Reply> {
    let Attempt { n, token, lease, waiter, waiters, claim } = attempt;
    let is_repeated = found.mine == n;
    let fence = fence(call, found.last, is_repeated);
    for i in 0..n {
        let (lock, counter) = (call.key(KeyRole::Lock, i), call.key(KeyRole::Fence, i));
        let (mut claimed, mut ttl) = (claim.to_vec(), lease.saturating_add(FENCE_MARGIN));
        if is_repeated {
            if claim.is_empty() {
                let old = call.get("claimed = string.match(redis.call('GET', KEYS[n + i])", counter)?;
                claimed = lua::claim_in(&old.unwrap_or_default()).unwrap_or_default().to_vec();
            }
            ttl = ttl.max(call.pttl("ttl = math.max(ttl, redis.call('PTTL', KEYS[n + i]))", counter)?);
        }
        let text = if claimed.is_empty() { fence.clone() } else { [&fence, &b" "[..], &claimed].concat() };
        call.set("redis.call('SET', KEYS[n + i], text .. claimed, 'PX', ttl)", counter, &text, ttl)?;
        if found.mine == 0 || call.pttl("if mine == 0 or redis.call('PTTL', KEYS[i]) < lease", lock)? < lease
        {
            call.set("redis.call('SET', KEYS[i], token, 'PX', lease)", lock, token, lease)?;
        }
        if !waiter.is_empty() {
            call.zrem("redis.call('ZREM', KEYS[2 * n + i], waiter)", call.key(waiters, i), &[waiter])?;
        }
    }
    Ok(Reply::Array(vec![Reply::bulk(call.text(0)?), Reply::Integer(1), Reply::bulk(fence)]))
}

/// The fencing token: the last one if the token holds all keys already.
fn fence(call: &Call<'_>, last: f64, is_repeated: bool) -> Vec<u8> {
    let micros = call.now.as_micros();
    let part = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let micros = part(micros / 1_000_000) * 1_000_000.0 + part(micros % 1_000_000);
    let fence = if !is_repeated || last == 0.0 { lua::max(last + 1.0, micros) } else { last };
    format!("{fence:.0}").into_bytes()
}
