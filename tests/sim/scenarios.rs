//! Worlds of a kind that chance alone hardly ever draws: a drawn plan is made into one.

use redlatch::Duration;

use crate::{
    plan::{Delay, Fault, MS, Op, Operation, SECOND, Settings, Tamper, What},
    rng::Rng,
};

/// Makes a world in which everything happens at the very end of leases: a few clients hold one lock for
/// longer than its lease, others retry without pause, clocks differ by as much as the allowance, replies and
/// commands arrive late.
pub fn press(rng: &mut Rng, settings: &mut Settings, ops: &mut Vec<Op>, faults: &mut Vec<Fault>) {
    faults.retain(|_| rng.chance(30));
    let end = if rng.chance(50) { 4_900 } else { -4_900 };
    if !settings.rates_broken {
        settings.client_rates.fill(end);
        settings.server_rates.fill(-end);
    }
    settings.policy.retry_min = Duration::from_millis(1);
    settings.policy.retry_max = Duration::from_millis(250);
    settings.policy.connect_timeout = Duration::from_millis(300);
    settings.delay = Delay {
        least: 100,
        most: 500,
        tail_chance: rng.pick(&[0, 5, 20]),
        tail: rng.pick(&[30, 100, 2000]) * MS,
    };
    settings.rechunks = false;
    settings.lands_after_close = 100;
    let ttl = rng.pick(&[300, 1000, 10_000, 30_000]);
    let (longer, fair) = (ttl <= 1000 && rng.chance(50), settings.servers == 1 && rng.chance(30));
    ops.truncate(4);
    for op in ops {
        op.at = rng.below(SECOND);
        op.client %= 3;
        op.keys = vec![0];
        op.fair = fair;
        op.ttl = ttl;
        op.wait = u64::MAX;
        op.renew = false;
        op.max_hold = None;
        op.hold = (ttl + ttl / 5) * MS;
        op.cancel_after = None;
        op.token = None;
        op.operations = if longer { vec![(10 * MS, Operation::Extend(ttl * 3))] } else { Vec::new() };
        if longer {
            op.hold *= 3;
        }
    }
}

/// Makes a queue in which waiters are served, or give up, in quick succession and for longer than position
/// leases last, while others make single attempts.
pub fn crowd(rng: &mut Rng, settings: &mut Settings, ops: &mut Vec<Op>) {
    settings.policy.retry_max = Duration::from_millis(250);
    settings.delay.least = 4 * MS;
    settings.delay.most = 4 * MS;
    let leave = rng.chance(50);
    // A client that is alone and releases at once is never denied.
    let (clients, hold) = if rng.chance(50) { (1, 0) } else { (rng.between(1, 3), 15 * MS) };
    let count = rng.between(350, 450);
    let tries = rng.pick(&[0, 0, 50]);
    let waiter = Op {
        at: 0,
        client: 0,
        keys: vec![0],
        fair: true,
        ttl: 10_000,
        wait: u64::MAX,
        renew: false,
        max_hold: None,
        hold,
        cancel_after: None,
        token: None,
        operations: Vec::new(),
        handover: None,
    };
    let first = Op { hold: if leave { 6 * SECOND } else { hold }, ..waiter.clone() };
    let waits = |number| if leave && number + 10 < count { 500 + 20 * number } else { u64::MAX };
    *ops = vec![first];
    ops.extend((1..count).map(|number| Op {
        at: number * 100,
        client: (number % clients) as usize % settings.clients,
        wait: waits(number),
        ..waiter.clone()
    }));
    ops.extend((0..tries).map(|number| Op { at: SECOND + number * 100 * MS, wait: 0, ..waiter.clone() }));
}

/// Makes a world in which servers that lose everything stay away until all leases have ended, as Redlock
/// demands, while the other servers renew the locks.
pub fn outage(rng: &mut Rng, settings: &mut Settings, ops: &mut [Op], faults: &mut Vec<Fault>) {
    let ttl = rng.pick(&[300, 1000, 3000]);
    settings.span = 10 * SECOND;
    settings.policy.retry_min = Duration::from_millis(10);
    settings.policy.retry_max = Duration::from_millis(80);
    settings.policy.node_timeout = Some(Duration::from_millis(200));
    settings.delay.tail_chance = rng.pick(&[2, 10, 30]);
    settings.delay.tail = rng.pick(&[250, 600]) * MS;
    for op in ops {
        op.at = rng.below(8 * SECOND);
        op.client %= 5;
        op.keys = vec![0];
        op.ttl = ttl;
        op.wait = 4_000;
        op.renew = rng.chance(70);
        op.hold = rng.below(2 * ttl) * MS;
        op.operations.clear();
    }
    let server_faults = |fault: &Fault| {
        matches!(fault.what, What::Crash { .. } | What::LoseKey { .. } | What::ServerStep { .. })
    };
    faults.retain(|fault| !server_faults(fault));
    let down = 2 * ttl * MS;
    let first = rng.index(settings.servers);
    for number in 0..rng.between(1, 3) as usize {
        let server = (first + number) % settings.servers;
        let what = What::Crash { server, keeps: false, silent: rng.chance(50), down };
        faults.push(Fault { at: rng.below(settings.span - down), what });
    }
}

/// Makes applications ask for several locks in one turn of the event loop, and release, extend or cancel several in one
/// turn, so that clients send runs: of distinct keys and of the same one, between other kinds of lock and other leases.
/// Servers forget the scripts, deny the user one of the keys, or lose or double a reply.
pub fn bursts(rng: &mut Rng, settings: &mut Settings, ops: &mut Vec<Op>, faults: &mut Vec<Fault>) {
    let few = settings.clients * settings.servers <= 6;
    settings.keys = rng.pick(&[2, 4, 8, 40]);
    let ttls: Vec<_> = ops.iter().map(|op| op.ttl).collect();
    let cancels = rng.chance(50);
    ops.truncate(6);
    for first in std::mem::take(ops) {
        let size = rng.pick(if few { &[2, 3, 5, 8, 40] } else { &[2, 3, 3, 5, 8] });
        // Another run of as many locks may follow before the first is answered.
        for round in 0..rng.pick(&[1, 1, 2]) {
            for number in round * size..(round + 1) * size {
                let key = if rng.chance(70) { number } else { rng.index(settings.keys) };
                let (at, keys) = (first.at + 200 * round as u64, vec![key % settings.keys]);
                let mut op = Op { at, keys, ..first.clone() };
                match rng.below(10) {
                    0 => op.keys.push(rng.index(settings.keys)),
                    1 => op.fair ^= settings.servers == 1,
                    2 => op.ttl = rng.pick(&ttls),
                    3 => op.hold = rng.below(2 * op.ttl) * MS,
                    4 => op.operations.push((op.hold, Operation::Extend(op.ttl))),
                    _ => {}
                }
                op.cancel_after = (cancels && rng.chance(30)).then(|| rng.pick(&[0, 0, MS, SECOND]));
                ops.push(op);
            }
        }
    }
    for _ in 0..if settings.calm { 0 } else { rng.below(4) } {
        let Op { at, client, .. } = ops[rng.index(ops.len())];
        let (server, key) = (rng.index(settings.servers), rng.index(settings.keys));
        let what = match rng.below(3) {
            0 => What::DenyKey { server, key, lasts: rng.pick(&[SECOND, 4 * SECOND]) },
            1 => What::FlushScripts { server },
            _ => What::Tamper { client, server, how: rng.pick(&[Tamper::Drop, Tamper::Double]) },
        };
        faults.push(Fault { at, what });
    }
}
