//! `lua/extend.lua`, `lua/adopt.lua`.

use super::{
    call::{Call, Outcome},
    lua,
};
use crate::memory::reply::Reply;

/// How long a verified key is kept that would never expire, in ms.
const UNKNOWN_LEASE: i64 = 3_600_000;

pub(super) fn extend(call: &mut Call<'_>) -> Outcome<Reply> {
    let (lease, keys) = (call.number(1)?, call.keys);
    let values = call.arguments.get(2..).unwrap_or_default();
    let is_one = values.len() == 1;
    let (mut results, mut kept) = (Vec::new(), Vec::new());
    for (i, key) in keys.iter().enumerate() {
        let stored = call.get_in_pcall(key);
        let value = values.get(if is_one { 0 } else { i });
        let is_mine = stored.is_ok_and(|stored| stored.is_some() && stored.as_ref() == value);
        if is_mine {
            kept.push(key);
        }
        results.push(Reply::Integer(is_mine.into()));
    }
    if is_one {
        if kept.len() < keys.len() {
            return call.reply([Reply::Integer(0)]);
        }
        results = vec![Reply::Integer(1)];
    }
    for key in kept {
        let left = call.pttl("local left, ttl = redis.call('PTTL', key)", key)?;
        let ttl = match left {
            left if lease == 0 && left < 0 => UNKNOWN_LEASE,
            left if left >= lease => left.max(1),
            _ => lease,
        };
        call.pexpire("\nredis.call('PEXPIRE', key, ttl)", key, ttl)?;
    }
    call.reply(results)
}

pub(super) fn adopt(call: &mut Call<'_>) -> Outcome<Reply> {
    let (lease, keys) = (call.number(1)?, call.keys);
    let value = [call.text(2)?, b" ", call.text(3)?].concat();
    let mut left = Vec::new();
    for key in keys {
        let stored = call.get("local stored = redis.call('GET', KEYS[i])", key)?;
        if !stored.is_some_and(|stored| lua::takes_over(&value, &stored)) {
            return call.reply([Reply::Integer(0)]);
        }
        left.push(call.pttl("left[i] = redis.call('PTTL', KEYS[i])", key)?);
    }
    for (key, left) in keys.iter().zip(left) {
        call.set("redis.call('SET', KEYS[i], value", key, &value, left.max(lease))?;
    }
    call.reply([Reply::Integer(1)])
}
