//! `lua/lib/release.lua`.

use super::{
    call::{Call, Outcome},
    lua,
};
use crate::{memory::reply::Reply, script::KeyRole};

/// The waiter to wake for a key, and the waiters to remove from its set.
#[derive(Default)]
pub(super) struct Next {
    pub waiter: Option<Vec<u8>>,
    pub gone: Vec<Vec<u8>>,
}

/// Frees the keys of `n` locks, wakes waiters, and returns the reply. `waiters` is the role of the keys that store the
/// waiters, and `next_waiter` reads the waiter to wake for a lock.
pub(super) fn release(
    call: &mut Call<'_>,
    n: usize,
    waiters: KeyRole,
    next_waiter: impl Fn(&mut Call<'_>, usize) -> Outcome<Next>,
) -> Outcome<Reply> {
    let waiter = call.text(2)?;
    let (mut mine, mut leaving, mut woken) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..n {
        let owner = owner(call, i);
        let mut next = Next::default();
        if owner != Owner::Other {
            next = next_waiter(call, i)?;
            woken.extend(next.waiter);
        }
        let at = "if waiter ~= '' and redis.call('ZSCORE', waiters, waiter)";
        if !waiter.is_empty() && call.zscore(at, call.key(waiters, i), waiter)?.is_some() {
            next.gone.push(waiter.to_vec());
        }
        mine.push(owner == Owner::Caller);
        leaving.push(next.gone);
    }
    for (i, gone) in leaving.iter().enumerate() {
        call.zrem("if leaving[i] then redis.call('ZREM'", call.key(waiters, i), gone)?;
    }
    let mut deleted = 0_i64;
    for i in mine.into_iter().enumerate().filter_map(|(i, is_mine)| is_mine.then_some(i)) {
        let key = call.key(KeyRole::Lock, i);
        let at = "if mine[i] then deleted = deleted + redis.call('DEL', KEYS[i]) end";
        let count = call.call(at, "del", |keyspace, now| Ok(keyspace.remove(key, now)))?;
        deleted = deleted.saturating_add(count.into());
    }
    call.wake(&woken);
    call.reply([deleted])
}

/// Who holds a lock key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Nobody,
    /// The caller, without a newer claim.
    Caller,
    Other,
}

fn owner(call: &mut Call<'_>, i: usize) -> Owner {
    let token = call.text(1).unwrap_or_default();
    // Under pcall: a key of another type is not a lock.
    match call.get("redis.pcall('GET', KEYS[i])", call.key(KeyRole::Lock, i)) {
        Ok(None) => Owner::Nobody,
        Ok(Some(owner)) if owner == token && is_claimed(call, i) => Owner::Caller,
        Ok(Some(_)) | Err(_) => Owner::Other,
    }
}

/// Whether the last claim of a key is the caller's, or there is none.
fn is_claimed(call: &mut Call<'_>, i: usize) -> bool {
    let claim = call.text(3).unwrap_or_default();
    if claim.is_empty() {
        return true;
    }
    let counter = call.get("redis.pcall('GET', KEYS[n + i])", call.key(KeyRole::Fence, i)).ok().flatten();
    lua::claim_in(&counter.unwrap_or_default()).is_none_or(|claimed| claimed == claim)
}
