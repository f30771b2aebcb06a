//! `lua/fair_*.lua`, `lua/lib/queue.lua`.

use super::{
    acquire::{last_fence, longest, mint},
    call::{Call, Outcome, PURGE_LIMIT},
    lua,
    release::{self, Next},
};
use crate::memory::reply::{ErrorReply, Reply};

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

/// The keys of one lock: the lock key, its queue, and its position leases.
#[derive(Clone, Copy)]
struct Place<'a> {
    lock: &'a [u8],
    queue: &'a [u8],
    leases: &'a [u8],
}

pub(super) fn acquire(call: &mut Call<'_>) -> Outcome<Reply> {
    let (lease, value, id) = (call.number(1)?, call.text(2)?, call.text(3)?);
    let (position_lease, join) = (call.number(4)?, call.text(5)? == b"1");
    let waiter = Waiter { id, position_lease, join };
    let beyond = || ErrorReply::beyond("a call with so many keys");
    let (counter, keys) = call.keys.split_last().ok_or_else(beyond)?;
    let places = places(keys).ok_or_else(beyond)?;
    call.time()?;

    let (mut mine, mut left, mut held) = (0_usize, Vec::new(), None);
    let last = last_fence(call, counter)?;
    for place in &places {
        let mut kept = 0;
        if let Some(stored) = call.get("local stored = redis.call('GET', key)", place.lock)? {
            kept = call.pttl("left[i] = redis.call('PTTL', key)", place.lock)?;
            if stored == value || lua::takes_over(value, &stored) {
                mine = mine.saturating_add(1);
            } else {
                held = longest(held, kept);
            }
        }
        left.push(kept);
    }
    let mut queues = look_at_queues(call, &places, waiter, mine < places.len())?;
    let is_granted = held.is_none() && queues.is_first;
    let (mut joined, mut lapsed, mut others) = (false, Vec::new(), Vec::new());
    for (place, dead) in places.iter().zip(&mut queues.dead) {
        let ticket = call.zscore("local ticket = redis.call('ZSCORE', queue, waiter)", place.queue, id)?;
        if is_granted {
            dead.extend(ticket.map(|_| id.to_vec()));
            others.push(call.zcard("others[i] = redis.call('ZCARD', queue)", place.queue)? > dead.len());
        } else if join {
            lapsed.push(lapsed_clients(call, *place, waiter)?);
            joined |= ticket.is_none();
        }
    }

    if is_granted {
        let fence = mint(call, counter, last, 1)?;
        for (place, _) in places.iter().zip(&others).filter(|(_, has_others)| **has_others) {
            renew_position(call, *place, waiter)?;
        }
        for ((place, dead), has_others) in places.iter().zip(&queues.dead).zip(others) {
            drop_members(call, place.queue, dead)?;
            if !has_others && !dead.is_empty() {
                let at = "if not others[i] and #dead[i] > 0 then redis.call('DEL'";
                call.del(at, &[place.leases])?;
            }
        }
        for (place, left) in places.iter().zip(left) {
            let at = "redis.call('SET', KEYS[3 * i - 2], value";
            call.set(at, place.lock, value, left.max(lease))?;
        }
        return call.reply([Reply::Integer(fence)]);
    }
    if joined {
        join_queues(call, &places, waiter)?;
    }
    for (i, place) in places.iter().enumerate() {
        if join {
            renew_position(call, *place, waiter)?;
        }
        drop_members(call, place.queue, queues.dead.get(i).map(Vec::as_slice).unwrap_or_default())?;
        drop_members(call, place.leases, lapsed.get(i).map(Vec::as_slice).unwrap_or_default())?;
    }
    let mut wait = held.unwrap_or(-1);
    if !queues.is_first && wait < 0 {
        wait = wait.min(if queues.is_second { queues.head_lease } else { position_lease }.saturating_neg());
    }
    call.reply([wait, joined.into(), queues.own_head].map(Reply::Integer))
}

fn places(keys: &[Vec<u8>]) -> Option<Vec<Place<'_>>> {
    keys.chunks(3).map(place).collect()
}

fn place(keys: &[Vec<u8>]) -> Option<Place<'_>> {
    match keys {
        [lock, queue, leases] => Some(Place { lock, queue, leases }),
        _ => None,
    }
}

/// `drop` in the script.
fn drop_members(call: &mut Call<'_>, key: &[u8], members: &[Vec<u8>]) -> Outcome<()> {
    call.zrem("if members and #members > 0 then redis.call('ZREM'", key, members)
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
    /// For each queue: the dead waiters before the head.
    dead: Vec<Vec<Vec<u8>>>,
}

/// Looks at the queues. The position counts only if `counts`; otherwise the waiter is first.
fn look_at_queues(
    call: &mut Call<'_>,
    places: &[Place<'_>],
    waiter: Waiter<'_>,
    counts: bool,
) -> Outcome<Queues> {
    let mut queues = Queues { is_first: true, is_second: true, head_lease: 1, own_head: 0, dead: Vec::new() };
    for &Place { queue, leases, .. } in places {
        let Head { live, dead } = live_head(call, queue, leases, Caller::Attempts(waiter))?;
        if let Some((head, left)) = live.as_ref().filter(|(head, _)| counts && head != waiter.id) {
            queues.is_first = false;
            queues.head_lease = queues.head_lease.max(*left);
            let (owner, number) = lua::split_waiter(head);
            if owner == lua::split_waiter(waiter.id).0 {
                queues.own_head = lua::whole(number).unwrap_or(0);
            }
            let at = "local rank = redis.call('ZRANK', queue, waiter)";
            let rank = call.call(at, "zrank", &[queue], |keyspace, now| {
                Ok(keyspace.sorted_set(queue, now)?.and_then(|set| set.rank(waiter.id)))
            })?;
            queues.is_second &= rank.is_some_and(|rank| rank.saturating_sub(dead.len()) <= 1);
        }
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

fn live_head(call: &mut Call<'_>, queue: &[u8], leases: &[u8], caller: Caller<'_>) -> Outcome<Head> {
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
        if !matches!(caller, Caller::Leaves(leaver) if head == leaver) {
            dead.push(head);
        }
    }
    Ok(Head { live: Some((Vec::new(), 1)), dead })
}

/// The other clients whose position lease in a queue has ended.
fn lapsed_clients(call: &mut Call<'_>, place: Place<'_>, waiter: Waiter<'_>) -> Outcome<Vec<Vec<u8>>> {
    let (leases, end) = (place.leases, call.now());
    let at = "lapsed[i] = redis.call('ZRANGEBYSCORE',";
    let mut lapsed: Vec<Vec<u8>> = call.call(at, "zrangebyscore", &[leases], |keyspace, now| {
        let set = keyspace.sorted_set(leases, now)?;
        let entries = set.map(|set| set.entries()).unwrap_or_default();
        let lapsed = entries.iter().take_while(|&&(lease_end, _)| lease_end <= end).take(PURGE_LIMIT);
        Ok(lapsed.map(|(_, client)| client.clone()).collect())
    })?;
    lapsed.retain(|client| client != lua::split_waiter(waiter.id).0);
    Ok(lapsed)
}

/// Joins all queues, each at its end.
fn join_queues(call: &mut Call<'_>, places: &[Place<'_>], waiter: Waiter<'_>) -> Outcome<()> {
    for &Place { queue, .. } in places {
        let at = "local tail = redis.call('ZRANGE', KEYS[3 * i - 1], -1, -1,";
        let tail = call.call(at, "zrange", &[queue], |keyspace, now| {
            let set = keyspace.sorted_set(queue, now)?;
            Ok(set.and_then(|set| set.entries().last()).map_or(0, |&(ticket, _)| ticket))
        })?;
        call.enter(queue, tail.saturating_add(1), waiter.id, waiter.queue_ttl())?;
    }
    Ok(())
}

/// Refreshes the position lease of the waiter's client in a queue.
fn renew_position(call: &mut Call<'_>, place: Place<'_>, waiter: Waiter<'_>) -> Outcome<()> {
    let client = lua::split_waiter(waiter.id).0;
    let lease_end = call.now().saturating_add(waiter.position_lease);
    call.enter(place.leases, lease_end, client, waiter.queue_ttl())?;
    call.lengthen(place.queue, waiter.queue_ttl())
}

pub(super) fn release(call: &mut Call<'_>) -> Outcome<Reply> {
    call.time()?;
    let leaver = call.text(1)?;
    release::release(call, b"redlatch:queue:", true, |call, sets| {
        let [queue, leases] = sets else { return Err(ErrorReply::beyond("a call with so many keys")) };
        let Head { live, dead } = live_head(call, queue, leases, Caller::Leaves(leaver))?;
        Ok(Next { waiter: live.map(|(head, _)| head), gone: dead })
    })
}
