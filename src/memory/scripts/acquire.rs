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
    /// The role of the keys that store the waiters.
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

/// A key of the attempt, before anything is written.
struct Seen {
    is_enlisted: bool,
    left: i64,
    counter_left: i64,
    /// The claim that is kept.
    claimed: Vec<u8>,
}

/// Takes all keys, and returns the reply. `dead` are the dead waiters of each set of waiters.
pub(super) fn grant(
    call: &mut Call<'_>,
    attempt: Attempt<'_>,
    found: &Found,
    dead: &[Vec<Vec<u8>>],
) -> Outcome<Reply> {
    let Attempt { n, token, lease, waiter, waiters, claim } = attempt;
    let is_repeated = found.mine == n;
    let mut seen = Vec::new();
    for i in 0..n {
        seen.push(look_again(call, attempt, i, found)?);
    }
    let fence = fence(call, found.last, is_repeated);
    for (i, Seen { is_enlisted, left, counter_left, claimed }) in seen.into_iter().enumerate() {
        let (lock, counter) = (call.key(KeyRole::Lock, i), call.key(KeyRole::Fence, i));
        let mut ttl = lease.saturating_add(FENCE_MARGIN);
        if is_repeated {
            ttl = ttl.max(counter_left);
        }
        let claimed = if claim.is_empty() { &claimed } else { claim };
        let text = if claimed.is_empty() { fence.clone() } else { [&fence, &b" "[..], claimed].concat() };
        call.set("redis.call('SET', KEYS[n + i], text ..", counter, &text, ttl)?;
        if let Some(dead) = dead.get(i) {
            call.zrem("if dead and dead[i] then redis.call('ZREM'", call.key(waiters, i), dead)?;
        }
        if is_enlisted {
            call.zrem("if enlisted[i] then redis.call('ZREM'", call.key(waiters, i), &[waiter.to_vec()])?;
        }
        if found.mine == 0 || left < lease {
            call.set("redis.call('SET', KEYS[i], token, 'PX', lease)", lock, token, lease)?;
        }
    }
    Ok(Reply::Array(vec![Reply::bulk(call.text(0)?), Reply::Integer(1), Reply::bulk(fence)]))
}

fn look_again(call: &mut Call<'_>, attempt: Attempt<'_>, i: usize, found: &Found) -> Outcome<Seen> {
    let (lock, counter) = (call.key(KeyRole::Lock, i), call.key(KeyRole::Fence, i));
    let mut seen = Seen { is_enlisted: false, left: 0, counter_left: 0, claimed: Vec::new() };
    if !attempt.waiter.is_empty() {
        let at = "enlisted[i] = waiter ~= '' and redis.call('ZSCORE'";
        seen.is_enlisted = call.zscore(at, call.key(attempt.waiters, i), attempt.waiter)?.is_some();
    }
    if found.mine > 0 {
        let at = "left[i], left[n + i] = redis.call('PTTL', KEYS[i]), redis.call('PTTL', KEYS[n + i])";
        seen.left = call.pttl(at, lock)?;
        seen.counter_left = call.pttl(at, counter)?;
        if found.mine == attempt.n && attempt.claim.is_empty() {
            let old = call.get("if mine == n and claim == '' then claimed[i] =", counter)?;
            seen.claimed = lua::claim_in(&old.unwrap_or_default()).unwrap_or_default().to_vec();
        }
    }
    Ok(seen)
}

/// The fencing token: the last one if the token holds all keys already.
fn fence(call: &Call<'_>, last: f64, is_repeated: bool) -> Vec<u8> {
    let micros = call.now.as_micros();
    let part = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let micros = part(micros / 1_000_000) * 1_000_000.0 + part(micros % 1_000_000);
    let fence = if !is_repeated || last == 0.0 { lua::max(last + 1.0, micros) } else { last };
    format!("{fence:.0}").into_bytes()
}
