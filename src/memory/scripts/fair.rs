//! `lua/fair_*.lua`.

use super::{
    Call, MOST_DEAD, Outcome, Reply,
    exclusive::{COUNTER, counter, granted, is_late, keep_fence, mint, release_key},
    lua,
};
use crate::planted::{Planted, planted};

pub(super) fn acquire(call: &mut Call<'_>) -> Outcome<Reply> {
    let (token, lease, waiter) = (call.text(1)?, call.number(2)?, call.text(3)?);
    let (place_lease, join, claim) = (call.number(4)?, call.text(5)? == b"1", call.text(6)?);
    let n = call.locks(4)?;
    let (locks, fences) = (call.keys_of(0, n), call.keys_of(1, n));
    let (queues, places) = (call.keys_of(2, n), call.keys_of(3, n));
    call.time()?;

    let (mut mine, mut held, mut forever) = (0_usize, 0, false);
    let (mut absent, mut claims, mut last) = (vec![false; n], vec![None; n], 0.0);
    for (((key, fence), absent), claimed) in locks.iter().zip(fences).zip(&mut absent).zip(&mut claims) {
        let owner = call.get("local owner = redis.call('GET', KEYS[i])", key)?;
        let counter = call.get(COUNTER, fence)?.unwrap_or_default();
        last = lua::max(last, lua::leading_number(&counter));
        *claimed = lua::claim_in(&counter).map(<[u8]>::to_vec);
        match owner {
            Some(owner) if owner == token && !is_late(&counter, claim) => mine = mine.saturating_add(1),
            Some(_) => {
                let pttl = call.pttl("local pttl = redis.call('PTTL', KEYS[i])", key)?;
                forever |= pttl < 0;
                held = held.max(pttl).max(1);
            }
            None => *absent = true,
        }
    }

    let turn = if mine < n { look_at_queues(call, queues, places, waiter, join)? } else { Turn::default() };
    if held == 0 && !forever && (turn.first || planted(Planted::Barging)) {
        let text = mint(call, last, mine == n);
        for (queue, places) in queues.iter().zip(places) {
            let others = head_of(call, "if redis.call('ZRANGE', queue, 0, 0)[1] then", queue)?.is_some();
            if others && !planted(Planted::ServedUnheard) {
                keep_places(call, queue, places, waiter, place_lease)?;
            }
        }
        for ((((key, fence), queue), absent), claimed) in
            locks.iter().zip(fences).zip(queues).zip(absent).zip(claims)
        {
            keep_fence(call, fence, &counter(&text, claim, claimed, mine == n), lease, mine == n)?;
            if absent || call.pttl("if absent[i] or redis.call('PTTL', KEYS[i]) < lease", key)? < lease {
                call.set("redis.call('SET', KEYS[i], token, 'PX', lease)", key, token, lease)?;
            }
            call.zrem("redis.call('ZREM', KEYS[2 * n + i], waiter)", queue, &[waiter])?;
        }
        return granted(call, &text);
    }

    let join = join || planted(Planted::TryStandsInLine);
    let placed = !join || stand_in_line(call, queues, places, waiter, place_lease)?;
    let mut wait = held;
    if !turn.first {
        wait = held.max(if turn.behind_next { place_lease } else { turn.ahead });
    }
    if planted(Planted::HintOfZero) {
        wait = 0;
    }
    if forever {
        wait = -1;
    }
    call.reply([0, wait, (!placed).into(), turn.own])
}

/// Whose turn it is.
struct Turn {
    first: bool,
    /// ms that the places of those ahead are kept.
    ahead: i64,
    /// Whether there is somebody between the head and the waiter.
    behind_next: bool,
    /// The number of a head that is the same client's.
    own: i64,
}

impl Default for Turn {
    fn default() -> Self {
        Self { first: true, ahead: 1, behind_next: false, own: 0 }
    }
}

fn look_at_queues(
    call: &mut Call<'_>,
    queues: &[Vec<u8>],
    places: &[Vec<u8>],
    waiter: &[u8],
    join: bool,
) -> Outcome<Turn> {
    let mut turn = Turn::default();
    for (queue, places) in queues.iter().zip(places) {
        let Some((head, left)) = live_head(call, queue, places, waiter, join)? else { continue };
        if head == waiter {
            continue;
        }
        turn.first = false;
        turn.ahead = turn.ahead.max(left);
        let (whose, number) = lua::split_waiter(&head);
        if whose == lua::split_waiter(waiter).0 {
            turn.own = lua::whole(number).unwrap_or(0);
        }
        let rank =
            call.call("local rank = redis.call('ZRANK', queue, waiter)", "zrank", |keyspace, now| {
                Ok(keyspace.sorted_set(queue, now)?.and_then(|set| set.rank(waiter)))
            })?;
        turn.behind_next |= rank.is_none_or(|rank| rank > 1);
    }
    Ok(turn)
}

/// The head of a queue, dead ones taken out, and the ms that its place is kept.
fn live_head(
    call: &mut Call<'_>,
    queue: &[u8],
    places: &[u8],
    waiter: &[u8],
    join: bool,
) -> Outcome<Option<(Vec<u8>, i64)>> {
    let client = lua::split_waiter(waiter).0;
    for _ in 0..MOST_DEAD {
        let Some(head) = first(call, queue)? else { return Ok(None) };
        let left = kept(call, places, &head)?.saturating_sub(call.now());
        let is_ours = head == waiter || join && lua::split_waiter(&head).0 == client;
        if is_ours || left > 0 && !planted(Planted::PurgesLive) {
            return Ok(Some((head, left)));
        }
        call.zrem("redis.call('ZREM', queue, head)", queue, &[&head])?;
    }
    Ok(Some((Vec::new(), 1)))
}

fn first(call: &mut Call<'_>, queue: &[u8]) -> Outcome<Option<Vec<u8>>> {
    head_of(call, "local head = redis.call('ZRANGE', queue, 0, 0)[1]", queue)
}

fn head_of(call: &mut Call<'_>, at: &str, queue: &[u8]) -> Outcome<Option<Vec<u8>>> {
    call.call(at, "zrange", |keyspace, now| {
        let set = keyspace.sorted_set(queue, now)?;
        Ok(set.and_then(|set| set.entries().first()).map(|(_, head)| head.clone()))
    })
}

/// Until when the place of a waiter is kept: as long as its client's.
fn kept(call: &mut Call<'_>, places: &[u8], waiter: &[u8]) -> Outcome<i64> {
    let client = lua::split_waiter(waiter).0;
    call.call("local kept = tonumber(redis.call('ZSCORE', places,", "zscore", |keyspace, now| {
        Ok(keyspace.sorted_set(places, now)?.and_then(|set| set.score(client)).unwrap_or(0))
    })
}

/// Joins the queues that the waiter is not in, all or none, and keeps its client's places; whether it was in all.
fn stand_in_line(
    call: &mut Call<'_>,
    queues: &[Vec<u8>],
    places: &[Vec<u8>],
    waiter: &[u8],
    place_lease: i64,
) -> Outcome<bool> {
    let mut placed = true;
    for queue in queues {
        // Lua's `and` does not ask further once one was not.
        placed = placed
            && call.call("redis.call('ZSCORE', KEYS[2 * n + i], waiter)", "zscore", |keyspace, now| {
                Ok(keyspace.sorted_set(queue, now)?.is_some_and(|set| set.score(waiter).is_some()))
            })?;
    }
    for (queue, places) in queues.iter().zip(places) {
        if !placed {
            let tail = call.call("redis.call('ZRANGE', queue, -1, -1,", "zrange", |keyspace, now| {
                let set = keyspace.sorted_set(queue, now)?;
                Ok(set.and_then(|set| set.entries().last()).map_or(0, |&(ticket, _)| ticket))
            })?;
            let ticket = if planted(Planted::TicketByTime) { call.now() } else { tail.saturating_add(1) };
            call.zadd("redis.call('ZADD', queue, (tonumber(tail[2])", queue, ticket, waiter)?;
        }
        let now = call.now();
        let gone: Vec<Vec<u8>> =
            call.call("redis.call('ZRANGEBYSCORE', places,", "zrangebyscore", |keyspace, millis| {
                let set = keyspace.sorted_set(places, millis)?;
                let entries = set.map(|set| set.entries()).unwrap_or_default();
                let gone = entries.iter().take_while(|&&(kept, _)| kept <= now).take(MOST_DEAD);
                Ok(gone.map(|(_, client)| client.clone()).collect())
            })?;
        if !gone.is_empty() {
            let gone: Vec<&[u8]> = gone.iter().map(Vec::as_slice).collect();
            call.zrem("redis.call('ZREM', places, unpack(gone))", places, &gone)?;
        }
        keep_places(call, queue, places, waiter, place_lease)?;
    }
    Ok(placed)
}

/// Keeps the places of all waiters of this one's client in a queue.
fn keep_places(
    call: &mut Call<'_>,
    queue: &[u8],
    places: &[u8],
    waiter: &[u8],
    place_lease: i64,
) -> Outcome<()> {
    let client = lua::split_waiter(waiter).0;
    let until = call.now().saturating_add(place_lease);
    call.zadd("redis.call('ZADD', places, now + place_lease, client)", places, until, client)?;
    for key in [queue, places] {
        call.lengthen("redis.call('PEXPIRE', key, place_lease * 4)", key, place_lease.saturating_mul(4))?;
    }
    Ok(())
}

pub(super) fn release(call: &mut Call<'_>) -> Outcome<Reply> {
    let (token, waiter, claim) = (call.text(1)?, call.text(2)?, call.text(3)?);
    let n = call.locks(4)?;
    let (locks, fences) = (call.keys_of(0, n), call.keys_of(1, n));
    let (queues, places) = (call.keys_of(2, n), call.keys_of(3, n));
    call.time()?;
    let (mut deleted, mut wakes) = (0_i64, Vec::new());
    for (((key, fence), queue), places) in locks.iter().zip(fences).zip(queues).zip(places) {
        if !waiter.is_empty() && !planted(Planted::StaysInLine) {
            call.zrem("redis.call('ZREM', queue, waiter)", queue, &[waiter])?;
        }
        if !release_key(call, [key, fence], token, claim, &mut deleted)? {
            continue;
        }
        for _ in 0..MOST_DEAD {
            let Some(head) = first(call, queue)? else { break };
            if kept(call, places, &head)? > call.now() {
                if !planted(Planted::WakesNobody) {
                    wakes.push(head);
                }
                break;
            }
            call.zrem("redis.call('ZREM', queue, head)", queue, &[&head])?;
        }
    }
    call.wake(&wakes);
    call.reply([deleted])
}
