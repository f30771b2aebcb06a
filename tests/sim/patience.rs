//! Worlds in which nothing goes wrong that a patient client cannot wait out (rules 16 and 17): servers are far, event loops
//! stall while answers arrive, idle connections die, and servers lose their data one after the other. Every lock that is
//! free is granted there, and no lock is lost while it is renewed.

use redlatch::Duration;

use crate::{
    plan::{Delay, Fault, MS, Micros, Op, Operation, SECOND, Settings, What},
    rng::Rng,
};

const FAR: &str = "far servers";
const STALLS: &str = "stalls";
const DEAD: &str = "dead connections";
const RESTARTS: &str = "restarts one after the other";
const KINDS: [&str; 4] = [FAR, STALLS, DEAD, RESTARTS];

/// Makes a world of one of the four kinds.
pub fn patience(rng: &mut Rng, settings: &mut Settings, ops: &mut Vec<Op>, faults: &mut Vec<Fault>) {
    settings.calm = false;
    if settings.rates_broken {
        settings.rates_broken = false;
        settings.client_rates.fill(4_900);
        settings.server_rates.fill(-4_900);
    }
    settings.policy.retry_min = Duration::from_millis(50);
    settings.policy.retry_max = Duration::from_millis(250);
    settings.policy.connect_timeout = Duration::from_millis(5000);
    settings.policy.node_timeout = None;
    settings.delay = Delay { least: 200, most: rng.pick(&[200, MS]), tail_chance: 0, tail: 0 };
    settings.lateness = rng.pick(&[0, MS, 20 * MS]);
    settings.refused = 0;
    faults.clear();
    settings.patience = Some(rng.pick(&KINDS));
    match settings.patience {
        Some(FAR) => far(rng, settings, ops),
        Some(STALLS) => stalling(rng, settings, ops, faults),
        Some(DEAD) => dying(rng, settings, ops, faults),
        _ => rolling(rng, settings, ops, faults),
    }
    settings.keys = ops.iter().flat_map(|op| &op.keys).max().map_or(1, |last| last + 1);
}

/// A request for a lock of its own, or for one that others want too and for which it waits however long it takes.
fn request(rng: &mut Rng, settings: &Settings, number: usize, at: Micros, ttl: u64) -> Op {
    let shared = rng.chance(20);
    let renew = rng.chance(50);
    let operation = |rng: &mut Rng| {
        let operation = if rng.chance(50) { Operation::Verify } else { Operation::Extend(ttl) };
        (rng.below(ttl / 2) * MS, operation)
    };
    Op {
        at,
        client: rng.index(settings.clients),
        keys: vec![if shared { 0 } else { number + 1 }],
        fair: settings.servers == 1 && rng.chance(30),
        ttl,
        wait: if shared { u64::MAX } else { rng.pick(&[0, 5000, u64::MAX]) },
        renew,
        max_hold: None,
        hold: if renew { rng.below(4 * ttl) * MS } else { rng.below(ttl / 2) * MS },
        cancel_after: None,
        token: None,
        operations: (0..rng.pick(&[0, 0, 1])).map(|_| operation(rng)).collect(),
        handover: None,
    }
}

/// Round trips take longer than `nodeTimeout`.
fn far(rng: &mut Rng, settings: &mut Settings, ops: &mut Vec<Op>) {
    let ttl = rng.pick(&[2000, 4000]);
    settings.span = 10 * SECOND;
    settings.policy.node_timeout = rng.chance(50).then(|| Duration::from_millis(rng.pick(&[20, 50, 100])));
    let most = if settings.servers == 1 { 150 * MS } else { 75 * MS };
    settings.distances.fill_with(|| rng.between(20 * MS, most));
    let at = |rng: &mut Rng| rng.below(8 * SECOND);
    *ops = (0..ops.len().min(12))
        .map(|number| {
            let at = at(rng);
            request(rng, settings, number, at, ttl)
        })
        .collect();
}

/// Event loops stall, some just after a command was written: the answer waits in the socket's buffer, and the timers run
/// before it is read. Or the clock jumps.
fn stalling(rng: &mut Rng, settings: &mut Settings, ops: &mut Vec<Op>, faults: &mut Vec<Fault>) {
    let ttl = rng.pick(&[300, 1000, 4000]);
    settings.span = 10 * SECOND;
    settings.policy.node_timeout = rng.chance(70).then(|| Duration::from_millis(rng.pick(&[20, 50, 100])));
    settings.policy.connect_timeout = Duration::from_millis(rng.pick(&[300, 1000, 5000]));
    ops.clear();
    for client in 0..settings.clients.min(4) {
        let mut at = rng.below(ttl) * MS;
        while at < 8 * SECOND {
            let lasts = rng.between(ttl / 10, ttl * 3 / 10) * MS;
            let what = match rng.below(5) {
                0 => What::Suspend { client, lasts },
                1 => What::ClientStep { client, by: lasts as i64 },
                _ => What::Stall { client, lasts },
            };
            faults.push(Fault { at, what });
            if rng.chance(50) && ops.len() < 24 {
                let just_before = at.saturating_sub(rng.below(3 * MS));
                let op = request(rng, settings, ops.len(), just_before, ttl);
                ops.push(Op { client, ..op });
            }
            at += (ttl + ttl / 4 + rng.below(2 * ttl)) * MS;
        }
    }
}

/// Connections die while nobody looks: the flow is forgotten without a word, or answered with RST.
fn dying(rng: &mut Rng, settings: &mut Settings, ops: &mut Vec<Op>, faults: &mut Vec<Fault>) {
    let ttl = rng.pick(&[2000, 4000]);
    settings.span = 20 * SECOND;
    settings.clients = settings.clients.min(3);
    let silent = rng.chance(50);
    ops.clear();
    for client in 0..settings.clients {
        let mut at = rng.below(2 * SECOND);
        while at < 16 * SECOND {
            for number in 0..rng.between(1, 2) {
                let before = at + number * rng.below(2 * SECOND);
                let mut op = request(rng, settings, ops.len(), before, ttl);
                if silent && settings.servers > 1 {
                    // With several servers, no single round waits until a silent connection counts as dead.
                    op.operations.clear();
                    op.wait = op.wait.max(5000);
                }
                ops.push(Op { client, ..op });
            }
            at += 6 * SECOND + rng.below(SECOND);
            for server in 0..settings.servers {
                faults.push(Fault {
                    at: at - rng.below(3 * SECOND),
                    what: if silent {
                        What::Mute { client, server, up: true, down: true }
                    } else {
                        What::Reset { client, server }
                    },
                });
            }
        }
    }
}

/// The servers of a Redlock restart without their data, one after the other, twice, with time for a renewal in between. A
/// lock is held all the time, and others try to get it.
fn rolling(rng: &mut Rng, settings: &mut Settings, ops: &mut Vec<Op>, faults: &mut Vec<Fault>) {
    settings.clients = settings.clients.clamp(2, 4);
    settings.client_rates.resize(settings.clients, 0);
    settings.servers = rng.pick(&[3, 3, 5]);
    settings.server_rates = vec![0; settings.servers];
    settings.server_offsets.resize(settings.servers, 0);
    settings.distances.resize(settings.servers, 0);
    settings.old.resize(settings.servers, false);
    settings.exemptions = false;
    let ttl = rng.pick(&[1000, 2000]);
    let gap = (2 * ttl + 1000) * MS;
    let restarts = 2 * settings.servers as u64;
    settings.span = (restarts + 2) * gap;
    let holder = Op {
        client: 0,
        keys: vec![0],
        fair: false,
        wait: u64::MAX,
        renew: true,
        hold: settings.span - gap,
        operations: Vec::new(),
        ..request(rng, settings, 0, 0, ttl)
    };
    *ops = vec![holder];
    for number in 0..restarts {
        let (at, server) = (gap + number * gap, number as usize % settings.servers);
        let down = rng.pick(&[5 * MS, 50 * MS, ttl * MS / 4]);
        faults.push(Fault { at, what: What::Crash { server, keeps: false, silent: rng.chance(20), down } });
        let client = 1 + rng.index(settings.clients - 1);
        let at = at + down + rng.below(gap - down);
        ops.push(Op { at, client, wait: 0, renew: false, hold: 0, ..ops[0].clone() });
    }
}
