//! `lua/extend.lua`.

use super::{
    call::{Call, FENCE_MARGIN, Outcome},
    lua,
};
use crate::{memory::reply::Reply, script::KeyRole};

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
    let counter_ttl = lease.saturating_add(FENCE_MARGIN);
    if !claim.is_empty() {
        for i in 0..n {
            let key = call.key(KeyRole::Fence, i);
            let counter = call.get("local fence = string.match(redis.call('GET', KEYS[n + i])", key)?;
            let counter = counter.unwrap_or_default();
            let fence = lua::leading_digits(&counter).unwrap_or(b"0");
            let left = call.pttl("local ttl = math.max(lease + fence_margin, redis.call('PTTL'", key)?;
            let text = [fence, b" ", claim].concat();
            let at = "redis.call('SET', KEYS[n + i], fence .. ' ' .. claim, 'PX', ttl)";
            call.set(at, key, &text, counter_ttl.max(left))?;
        }
    }
    if lease > 0 {
        for i in 0..n {
            call.lengthen(call.key(KeyRole::Lock, i), lease)?;
            call.lengthen(call.key(KeyRole::Fence, i), counter_ttl)?;
        }
    }
    call.reply([1])
}
