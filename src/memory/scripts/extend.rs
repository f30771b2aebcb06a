//! `lua/extend.lua`.

use super::{
    call::{Call, FENCE_MARGIN, Outcome},
    lua,
};
use crate::{memory::reply::Reply, script::KeyRole};

/// The line on which the times to live are read.
const LEFT: &str = "left[i], left[n + i] = redis.call('PTTL', KEYS[i]), redis.call('PTTL', KEYS[n + i])";

/// What is known about a lock key and its counter before anything is written.
struct Seen<'a> {
    lock: &'a [u8],
    counter: &'a [u8],
    left: i64,
    counter_left: i64,
    fence: Vec<u8>,
}

pub(super) fn extend(call: &mut Call<'_>) -> Outcome<Reply> {
    let (token, lease, claim) = (call.text(1)?, call.number(2)?, call.text(3)?);
    let n = call.locks()?;
    for i in 0..n {
        if call.get("if redis.call('GET', KEYS[i]) ~= token", call.key(KeyRole::Lock, i))?.as_deref()
            != Some(token)
        {
            return call.reply([0]);
        }
    }
    let mut locks = Vec::new();
    for i in 0..n {
        let (lock, counter) = (call.key(KeyRole::Lock, i), call.key(KeyRole::Fence, i));
        let (left, counter_left) = (call.pttl(LEFT, lock)?, call.pttl(LEFT, counter)?);
        let mut fence = Vec::new();
        if !claim.is_empty() {
            let text = call
                .get("fence[i] = string.match(redis.call('GET', KEYS[n + i])", counter)?
                .unwrap_or_default();
            fence = lua::leading_digits(&text).unwrap_or(b"0").to_vec();
        }
        locks.push(Seen { lock, counter, left, counter_left, fence });
    }

    let counter_ttl = lease.saturating_add(FENCE_MARGIN);
    for Seen { lock, counter, left, counter_left, fence } in locks {
        let ttl = if lease == 0 && left < 0 { FENCE_MARGIN } else { lease.max(left).max(1) };
        if !claim.is_empty() {
            let text = [&fence, b" ".as_slice(), claim].concat();
            let at = "redis.call('SET', KEYS[n + i], fence[i] .. ' ' .. claim";
            call.set(at, counter, &text, counter_ttl.max(counter_left))?;
            call.set("redis.call('SET', KEYS[i], token, 'PX', ttl)", lock, token, ttl)?;
            continue;
        }
        call.pexpire("redis.call('PEXPIRE', KEYS[i], ttl)", lock, ttl)?;
        if lease > 0 && counter_left < counter_ttl {
            call.pexpire("redis.call('PEXPIRE', KEYS[n + i], counter_ttl)", counter, counter_ttl)?;
        }
    }
    call.reply([1])
}
