//! `lua/fair_*.lua`, `lua/lib/queue.lua`.

use super::{
    acquire::{Attempt, grant, look},
    call::{Call, Outcome, PURGE_LIMIT},
    lua,
    release::{self, Next},
};
use crate::{memory::reply::Reply, script::KeyRole};

/// The waiter that calls `fair_acquire`.
#[derive(Clone, Copy)]
struct Waiter<'a> {
    id: &'a [u8],
    position_lease: i64,
    join: bool,
}

impl Waiter<'_> {
    /// How long the queue and its position leases are kept.
    const fn queue_ttl(self) -> i64 {
        self.position_lease.saturating_mul(4)
    }
}

pub(super) fn acquire(call: &mut Call<'_>) -> Outcome<Reply> {
    let (token, lease, id) = (call.text(1)?, call.number(2)?, call.text(3)?);
    let (position_lease, join, claim) = (call.number(4)?, call.text(5)? == b"1", call.text(6)?);
    let n = call.locks()?;
    call.time()?;

    let attempt = Attempt { n, token, lease, waiter: id, waiters: KeyRole::Queue, claim };
    let found = look(call, attempt)?;
    let waiter = Waiter { id, position_lease, join };
    let queues = look_at_queues(call, n, waiter, found.mine < n)?;
    if found.held == 0 && queues.is_first {
        for i in (0..n).filter(|&i| queues.has_head.get(i) == Some(&true)) {
            renew_position(call, i, waiter)?;
        }
        return grant(call, attempt, &found, &queues.dead);
    }

    let (mut joined, mut lapsed) = (false, Vec::new());
    if join {
        for i in 0..n {
            lapsed.push(lapsed_clients(call, i, waiter)?);
            let at = "if joined == 0 and not redis.call('ZSCORE', KEYS[2 * n + i], waiter)";
            joined = joined || call.zscore(at, call.key(KeyRole::Queue, i), id)?.is_none();
        }
    }
    if joined {
        join_queues(call, n, waiter)?;
    }
    for (i, dead) in queues.dead.iter().enumerate() {
        if join {
            renew_position(call, i, waiter)?;
        }
        call.zrem("  if dead[i] then redis.call('ZREM', KEYS[2 * n + i]", call.key(KeyRole::Queue, i), dead)?;
        let lapsed = lapsed.get(i).map(Vec::as_slice).unwrap_or_default();
        call.zrem("if lapsed[i] then redis.call('ZREM'", call.key(KeyRole::Positions, i), lapsed)?;
    }
    let mut wait = found.held;
    if !queues.is_first && wait >= 0 {
        wait = wait.max(if queues.is_second { queues.head_lease } else { position_lease });
    }
    call.reply([0, wait, joined.into(), queues.own_head])
}

/// The queues, and the position of a waiter in them.
struct Queues {
    is_first: bool,
    /// Whether the waiter comes right after the heads.
    is_second: bool,
    /// The remaining ms of the heads' position leases.
    head_lease: i64,
    /// The number of a head of the same client.
    own_head: i64,
    /// For each queue: whether it has a live waiter.
    has_head: Vec<bool>,
    /// For each queue: the dead waiters before the head.
    dead: Vec<Vec<Vec<u8>>>,
}

/// Looks at the queues. The position counts only if `counts`; otherwise the waiter is first.
fn look_at_queues(call: &mut Call<'_>, n: usize, waiter: Waiter<'_>, counts: bool) -> Outcome<Queues> {
    let mut queues = Queues {
        is_first: true,
        is_second: true,
        head_lease: 1,
        own_head: 0,
        has_head: Vec::new(),
        dead: Vec::new(),
    };
    for i in 0..n {
        let Head { live, dead } = live_head(call, i, Caller::Attempts(waiter))?;
        if let Some((head, left)) = live.as_ref().filter(|(head, _)| counts && head != waiter.id) {
            queues.is_first = false;
            queues.head_lease = queues.head_lease.max(*left);
            let (owner, number) = lua::split_waiter(head);
            if owner == lua::split_waiter(waiter.id).0 {
                queues.own_head = lua::whole(number).unwrap_or(0);
            }
            let queue = call.key(KeyRole::Queue, i);
            let at = "local rank = redis.call('ZRANK', queue, waiter)";
            let rank = call.call(at, "zrank", |keyspace, now| {
                Ok(keyspace.sorted_set(queue, now)?.and_then(|set| set.rank(waiter.id)))
            })?;
            queues.is_second &= rank.is_some_and(|rank| rank.saturating_sub(dead.len()) <= 1);
        }
        queues.has_head.push(live.is_some());
        queues.dead.push(dead);
    }
    Ok(queues)
}

/// The front of a queue.
struct Head {
    /// The first live waiter, and the remaining ms of its position lease.
    live: Option<(Vec<u8>, i64)>,
    /// The dead waiters before it.
    dead: Vec<Vec<u8>>,
}

/// Who looks at a queue.
#[derive(Clone, Copy)]
enum Caller<'a> {
    /// This waiter counts as alive. If it joins, so do the others of its client.
    Attempts(Waiter<'a>),
    /// This waiter does not count as alive.
    Leaves(&'a [u8]),
}

fn live_head(call: &mut Call<'_>, i: usize, caller: Caller<'_>) -> Outcome<Head> {
    let (queue, leases) = (call.key(KeyRole::Queue, i), call.key(KeyRole::Positions, i));
    let mut dead = Vec::new();
    for rank in 0..PURGE_LIMIT {
        let head = call.ranked("local head = redis.call('ZRANGE', queue, rank, rank)[1]", queue, rank)?;
        let Some((_, head)) = head else { return Ok(Head { live: None, dead }) };
        let owner = lua::split_waiter(&head).0;
        let at = "local lease_end = tonumber(redis.call('ZSCORE', leases,";
        let lease_end = call.zscore(at, leases, owner)?.unwrap_or(0);
        let left = lease_end.saturating_sub(call.now());
        let is_alive = match caller {
            Caller::Attempts(waiter) => {
                left > 0 || head == waiter.id || waiter.join && owner == lua::split_waiter(waiter.id).0
            }
            Caller::Leaves(leaver) => left > 0 && head != leaver,
        };
        if is_alive {
            return Ok(Head { live: Some((head, left)), dead });
        }
        dead.push(head);
    }
    Ok(Head { live: Some((Vec::new(), 1)), dead })
}

/// The other clients whose position lease in a queue has ended.
fn lapsed_clients(call: &mut Call<'_>, i: usize, waiter: Waiter<'_>) -> Outcome<Vec<Vec<u8>>> {
    let (leases, end) = (call.key(KeyRole::Positions, i), call.now());
    let at = "local others = redis.call('ZRANGEBYSCORE',";
    let mut lapsed: Vec<Vec<u8>> = call.call(at, "zrangebyscore", |keyspace, now| {
        let set = keyspace.sorted_set(leases, now)?;
        let entries = set.map(|set| set.entries()).unwrap_or_default();
        let lapsed = entries.iter().take_while(|&&(lease_end, _)| lease_end <= end).take(PURGE_LIMIT);
        Ok(lapsed.map(|(_, client)| client.clone()).collect())
    })?;
    lapsed.retain(|client| client != lua::split_waiter(waiter.id).0);
    Ok(lapsed)
}

/// Joins all queues, each at its end.
fn join_queues(call: &mut Call<'_>, n: usize, waiter: Waiter<'_>) -> Outcome<()> {
    for i in 0..n {
        let queue = call.key(KeyRole::Queue, i);
        let at = "local tail = redis.call('ZRANGE', KEYS[2 * n + i], -1, -1,";
        let tail = call.call(at, "zrange", |keyspace, now| {
            let set = keyspace.sorted_set(queue, now)?;
            Ok(set.and_then(|set| set.entries().last()).map_or(0, |&(ticket, _)| ticket))
        })?;
        call.enter(queue, tail.saturating_add(1), waiter.id, waiter.queue_ttl())?;
    }
    Ok(())
}

/// Refreshes the position lease of the waiter's client in a queue.
fn renew_position(call: &mut Call<'_>, i: usize, waiter: Waiter<'_>) -> Outcome<()> {
    let client = lua::split_waiter(waiter.id).0;
    let lease_end = call.now().saturating_add(waiter.position_lease);
    call.enter(call.key(KeyRole::Positions, i), lease_end, client, waiter.queue_ttl())?;
    call.lengthen(call.key(KeyRole::Queue, i), waiter.queue_ttl())
}

pub(super) fn release(call: &mut Call<'_>) -> Outcome<Reply> {
    let n = call.locks()?;
    call.time()?;
    let leaver = call.text(2)?;
    release::release(call, n, KeyRole::Queue, |call, i| {
        let Head { live, dead } = live_head(call, i, Caller::Leaves(leaver))?;
        Ok(Next { waiter: live.map(|(head, _)| head), gone: dead })
    })
}
