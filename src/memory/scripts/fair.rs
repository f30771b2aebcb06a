//! `lua/fair_*.lua`, `lua/lib/queue.lua`.

use super::{
    acquire::{Attempt, grant, look},
    call::{Call, Outcome, PURGE_LIMIT},
    lua, release,
};
use crate::{memory::reply::Reply, script::KeyRole};

/// The waiter that calls `fair_acquire`.
#[derive(Clone, Copy)]
struct Waiter<'a> {
    id: &'a [u8],
    position_lease: i64,
    join: bool,
}

pub(super) fn acquire(call: &mut Call<'_>) -> Outcome<Reply> {
    let (token, lease, id) = (call.text(1)?, call.number(2)?, call.text(3)?);
    let (position_lease, join, claim) = (call.number(4)?, call.text(5)? == b"1", call.text(6)?);
    let n = call.locks()?;
    call.time()?;

    let attempt = Attempt { n, token, lease, waiter: id, waiters: KeyRole::Queue, claim };
    let found = look(call, attempt)?;
    let waiter = Waiter { id, position_lease, join };
    let position = if found.mine < n { look_at_queues(call, n, waiter)? } else { Position::FIRST };
    if found.held == 0 && position.is_first {
        for i in 0..n {
            let at = "if redis.call('ZRANGE', queue, 0, 0)[1] then";
            let is_empty = head_of(call, at, call.key(KeyRole::Queue, i))?.is_none();
            if !is_empty {
                renew_position(call, i, waiter)?;
            }
        }
        return grant(call, attempt, &found);
    }

    let joined = waiter.join && join_queues(call, n, waiter)?;
    let mut wait = found.held;
    if !position.is_first && wait >= 0 {
        wait = wait.max(if position.is_second { position.head_lease } else { position_lease });
    }
    call.reply([0, wait, joined.into(), position.own_head])
}

/// The position of a waiter in its queues.
struct Position {
    is_first: bool,
    /// Whether nobody stands between it and the heads.
    is_second: bool,
    /// The remaining ms of the heads' position leases.
    head_lease: i64,
    /// The number of a head of the same client.
    own_head: i64,
}

impl Position {
    const FIRST: Self = Self { is_first: true, is_second: true, head_lease: 1, own_head: 0 };
}

fn look_at_queues(call: &mut Call<'_>, n: usize, waiter: Waiter<'_>) -> Outcome<Position> {
    let mut position = Position::FIRST;
    for i in 0..n {
        let Some((head, left)) = live_head(call, i, Some(waiter))? else { continue };
        if head == waiter.id {
            continue;
        }
        position.is_first = false;
        position.head_lease = position.head_lease.max(left);
        let (owner, number) = lua::split_waiter(&head);
        if owner == lua::split_waiter(waiter.id).0 {
            position.own_head = lua::whole(number).unwrap_or(0);
        }
        let queue = call.key(KeyRole::Queue, i);
        let rank =
            call.call("local rank = redis.call('ZRANK', queue, waiter)", "zrank", |keyspace, now| {
                Ok(keyspace.sorted_set(queue, now)?.and_then(|set| set.rank(waiter.id)))
            })?;
        position.is_second &= rank.is_some_and(|rank| rank <= 1);
    }
    Ok(position)
}

/// The first live waiter, and the remaining ms of its position lease. Removes the dead waiters ahead of it.
fn live_head(call: &mut Call<'_>, i: usize, caller: Option<Waiter<'_>>) -> Outcome<Option<(Vec<u8>, i64)>> {
    let (queue, leases) = (call.key(KeyRole::Queue, i), call.key(KeyRole::Positions, i));
    for _ in 0..PURGE_LIMIT {
        let head = head_of(call, "local head = redis.call('ZRANGE', queue, 0, 0)[1]", queue)?;
        let Some(head) = head else { return Ok(None) };
        let owner = lua::split_waiter(&head).0;
        let at = "local lease_end = tonumber(redis.call('ZSCORE', leases,";
        let lease_end = call.call(at, "zscore", |keyspace, now| {
            Ok(keyspace.sorted_set(leases, now)?.and_then(|set| set.score(owner)).unwrap_or(0))
        })?;
        let is_caller = caller.is_some_and(|waiter| {
            head == waiter.id || waiter.join && owner == lua::split_waiter(waiter.id).0
        });
        let left = lease_end.saturating_sub(call.now());
        if is_caller || left > 0 {
            return Ok(Some((head, left)));
        }
        call.zrem("redis.call('ZREM', queue, head)", queue, &[&head])?;
    }
    Ok(Some((Vec::new(), 1)))
}

fn head_of(call: &mut Call<'_>, at: &str, queue: &[u8]) -> Outcome<Option<Vec<u8>>> {
    call.call(at, "zrange", |keyspace, now| {
        let set = keyspace.sorted_set(queue, now)?;
        Ok(set.and_then(|set| set.entries().first()).map(|(_, head)| head.clone()))
    })
}

/// Joins all queues unless the waiter is in all of them, and refreshes its client's position leases. Returns whether it
/// joined.
fn join_queues(call: &mut Call<'_>, n: usize, waiter: Waiter<'_>) -> Outcome<bool> {
    let mut joined = false;
    for i in 0..n {
        let (at, queue) = ("redis.call('ZSCORE', KEYS[2 * n + i], waiter)", call.key(KeyRole::Queue, i));
        joined = joined
            || call.call(at, "zscore", |keyspace, now| {
                Ok(keyspace.sorted_set(queue, now)?.is_none_or(|set| set.score(waiter.id).is_none()))
            })?;
    }
    for i in 0..n {
        let (queue, leases) = (call.key(KeyRole::Queue, i), call.key(KeyRole::Positions, i));
        if joined {
            let tail = call.call("redis.call('ZRANGE', queue, -1, -1,", "zrange", |keyspace, now| {
                let set = keyspace.sorted_set(queue, now)?;
                Ok(set.and_then(|set| set.entries().last()).map_or(0, |&(ticket, _)| ticket))
            })?;
            let ticket = tail.saturating_add(1);
            call.zadd("redis.call('ZADD', queue, (tonumber(tail[2])", queue, ticket, waiter.id)?;
        }
        let now = call.now();
        let lapsed: Vec<Vec<u8>> =
            call.call("redis.call('ZRANGEBYSCORE', leases,", "zrangebyscore", |keyspace, millis| {
                let set = keyspace.sorted_set(leases, millis)?;
                let entries = set.map(|set| set.entries()).unwrap_or_default();
                let lapsed = entries.iter().take_while(|&&(end, _)| end <= now).take(PURGE_LIMIT);
                Ok(lapsed.map(|(_, client)| client.clone()).collect())
            })?;
        if !lapsed.is_empty() {
            let lapsed: Vec<&[u8]> = lapsed.iter().map(Vec::as_slice).collect();
            call.zrem("redis.call('ZREM', leases, unpack(lapsed))", leases, &lapsed)?;
        }
        renew_position(call, i, waiter)?;
    }
    Ok(joined)
}

/// Refreshes the position lease of the waiter's client in a queue.
fn renew_position(call: &mut Call<'_>, i: usize, waiter: Waiter<'_>) -> Outcome<()> {
    let (queue, leases, client) =
        (call.key(KeyRole::Queue, i), call.key(KeyRole::Positions, i), lua::split_waiter(waiter.id).0);
    let lease_end = call.now().saturating_add(waiter.position_lease);
    call.zadd("redis.call('ZADD', leases, now + position_lease, client)", leases, lease_end, client)?;
    for key in [queue, leases] {
        call.lengthen(key, waiter.position_lease.saturating_mul(4))?;
    }
    Ok(())
}

pub(super) fn release(call: &mut Call<'_>) -> Outcome<Reply> {
    let n = call.locks()?;
    call.time()?;
    release::release(call, n, KeyRole::Queue, |call, i| {
        let head = live_head(call, i, None)?;
        Ok(head.map(|(head, _)| head))
    })
}
