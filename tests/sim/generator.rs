//! Draws plans from seeds.

use redlatch::{Duration, Policy, memory::Trouble};

use crate::{
    clusters::{clusters, sentinels, several_slots},
    patience::patience,
    plan::{Delay, Fault, Handover, MS, Op, Operation, Plan, SECOND, Settings, Tamper, What},
    rng::Rng,
    scenarios::{bursts, crowd, outage, press},
};

impl Plan {
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::of(seed, 1);
        let calm = rng.chance(8);
        let mut settings = settings(&mut rng, calm);
        let mut ops = ops(&mut rng, &settings);
        let mut faults = if calm { Vec::new() } else { faults(&mut rng, &settings) };
        if seed % 4 == 3 && !calm {
            press(&mut Rng::of(seed, 2), &mut settings, &mut ops, &mut faults);
        }
        let mut rng = Rng::of(seed, 5);
        if settings.servers > 2 && !calm && !settings.rates_broken && rng.chance(30) {
            outage(&mut rng, &mut settings, &mut ops, &mut faults);
        }
        let mut rng = Rng::of(seed, 3);
        if rng.chance(20) {
            settings.old = (0..settings.servers).map(|_| rng.chance(70)).collect();
        }
        if rng.chance(20) {
            hand_over(&mut rng, &settings, &mut ops);
        }
        let mut rng = Rng::of(seed, 6);
        if seed % 8 == 6 && !calm {
            patience(&mut rng, &mut settings, &mut ops, &mut faults);
        } else if !calm && rng.chance(10) {
            // From further away, a lease is over before anybody hears of it, and a connection is never made in time.
            let shortest = ops.iter().map(|op| op.ttl).min().unwrap_or_default().min(1000) * MS / 8;
            let most = shortest.min(settings.policy.connect_timeout.as_micros() / 16);
            settings.distances.fill_with(|| rng.below(most));
        }
        let mut rng = Rng::of(seed, 7);
        if seed % 4 != 3 && settings.patience.is_none() && rng.chance(30) {
            bursts(&mut rng, &mut settings, &mut ops, &mut faults);
        }
        let mut rng = Rng::of(seed, 4);
        if calm && settings.servers == 1 && rng.chance(30) {
            crowd(&mut rng, &mut settings, &mut ops);
        }
        let mut rng = Rng::of(seed, 8);
        if rng.chance(12) {
            settings.policy.replicas = 1;
            let is_calm = calm || settings.patience.is_some();
            settings.replica_away = if is_calm { 0 } else { rng.pick(&[0, 10, 50]) };
        }
        let mut rng = Rng::of(seed, 9);
        let is_small = settings.servers == 1 && settings.patience.is_none() && ops.len() <= 60;
        if is_small && rng.chance(13) {
            clusters(&mut rng, &mut settings, &mut ops, &mut faults);
            let mut rng = Rng::of(seed, 11);
            if rng.chance(50) {
                several_slots(&mut rng, &mut settings, &mut ops);
            }
        } else if is_small && rng.chance(8) {
            sentinels(&mut rng, &mut settings, &mut faults);
        }
        let mut rng = Rng::of(seed, 12);
        let is_few = (2..=3).contains(&settings.servers) && settings.cluster.is_none();
        if is_few && settings.patience.is_none() && ops.len() <= 30 && rng.chance(13) {
            sentinels(&mut rng, &mut settings, &mut faults);
        }
        let mut rng = Rng::of(seed, 10);
        if settings.cluster.is_some() && rng.chance(60) {
            let some = rng.chance(40);
            settings.sharded.fill_with(|| !some || rng.chance(50));
        }
        Self { seed, settings, ops, faults }
    }
}

fn settings(rng: &mut Rng, calm: bool) -> Settings {
    let clients = rng.pick(&[2, 2, 2, 3, 3, 3, 4, 4, 5, 8, 12, 20]);
    let servers = rng.pick(&[1, 1, 1, 1, 1, 2, 3, 3, 4, 5, 7]);
    let rates_broken = !calm && rng.chance(3);
    // Two clocks that each err by this much differ by less than the allowance of 1 %.
    let most = if rates_broken { 60_000 } else { 4_900 };
    let rates = |rng: &mut Rng, n: usize| -> Vec<i64> {
        let steady = rng.chance(30);
        (0..n).map(|_| if steady { 0 } else { rng.between(0, 2 * most) as i64 - most as i64 }).collect()
    };
    let client_rates = rates(rng, clients);
    let server_rates = rates(rng, servers);
    let server_offsets =
        (0..servers).map(|_| rng.between(0, 7200 * SECOND) as i64 - 3600 * SECOND as i64).collect();
    // Without faults, replies arrive well within the shortest `node_timeout`.
    let least = if calm { 200 } else { rng.pick(&[50, 100, 500, 2000]) };
    let tailed = !calm && rng.chance(40);
    // Many clients that retry on many servers in quick succession take long and show nothing new.
    let small = clients * servers <= 6;
    let policy = Policy {
        retry_min: Duration::from_millis(if small { rng.pick(&[50, 50, 10, 1]) } else { 50 }),
        retry_max: Duration::from_millis(if small { rng.pick(&[250, 250, 100, 60]) } else { 250 }),
        node_timeout: rng.chance(20).then(|| Duration::from_millis(rng.pick(&[20, 100, 400]))),
        connect_timeout: Duration::from_millis(rng.pick(&[5000, 1000, 300])),
        ..Policy::default()
    };
    Settings {
        calm,
        patience: None,
        clients,
        servers,
        cluster: None,
        keys: rng.pick(&[1, 1, 1, 2, 3]),
        span: rng.pick(&[2, 5, 10]) * SECOND,
        policy,
        client_rates,
        server_rates,
        server_offsets,
        rates_broken,
        delay: Delay {
            least,
            most: least * rng.pick(&[1, 2, 5]),
            tail_chance: if tailed { rng.pick(&[1, 5, 20]) } else { 0 },
            tail: rng.pick(&[10, 100, 1000, 4000]) * MS,
        },
        distances: vec![0; servers],
        rechunks: rng.chance(30),
        lateness: if calm { MS } else { rng.pick(&[0, MS, 20 * MS]) },
        lands_after_close: rng.pick(&[0, 50, 100]),
        refused: if !calm && rng.chance(20) { rng.pick(&[5, 30]) } else { 0 },
        with_password: rng.chance(20),
        without_channels: rng.chance(15),
        database: if rng.chance(10) { 3 } else { 0 },
        old: vec![false; servers],
        sharded: vec![false; clients],
        replica_away: 0,
        exemptions: true,
    }
}

fn ops(rng: &mut Rng, settings: &Settings) -> Vec<Op> {
    let fair_chance = if settings.servers == 1 { rng.pick(&[0, 0, 50, 100, 100]) } else { 0 };
    let tokens = rng.chance(10);
    let ttls = rng.pick(&[&[100, 150, 200][..], &[300, 1000], &[100, 1000, 5000], &[2000]]);
    let cancels = rng.chance(40);
    let count =
        settings.clients as u64 * if settings.clients > 5 { rng.between(1, 2) } else { rng.between(2, 6) };
    let op = |rng: &mut Rng| {
        let client = rng.index(settings.clients);
        let mut keys = vec![rng.index(settings.keys)];
        while settings.keys > 1 && rng.chance(30) && keys.len() < 3 {
            keys.push(rng.index(settings.keys));
        }
        let ttl = rng.pick(ttls);
        let operations = (0..rng.pick(&[0, 0, 0, 1, 3])).map(|_| {
            let operation =
                if rng.chance(50) { Operation::Verify } else { Operation::Extend(rng.pick(ttls)) };
            (rng.below(2 * ttl * MS), operation)
        });
        let operations = operations.collect();
        Op {
            at: rng.below(settings.span),
            client,
            keys,
            fair: rng.chance(fair_chance),
            ttl,
            wait: rng.pick(&[0, 50, 500, 3000, 10_000, u64::MAX]),
            renew: rng.chance(50),
            max_hold: rng.chance(10).then(|| rng.between(1, 2 * ttl)),
            hold: rng.pick(&[0, MS, 20 * MS, ttl * MS / 2, ttl * MS, (3 * ttl * MS).min(4 * SECOND)]),
            cancel_after: (cancels && rng.chance(30)).then(|| rng.below(2 * SECOND)),
            token: (tokens && rng.chance(60)).then(|| client as u64 * 10 + rng.below(2)),
            operations,
            handover: None,
        }
    };
    (0..count).map(|_| op(rng)).collect()
}

/// Makes other processes adopt some locks: soon after the grant, or at about the end of the lease.
fn hand_over(rng: &mut Rng, settings: &Settings, ops: &mut [Op]) {
    for op in ops {
        if rng.chance(50) {
            op.handover = Some(Handover {
                to: (op.client + 1 + rng.index(settings.clients - 1)) % settings.clients,
                after: rng.below(op.ttl * MS),
                travels: rng.pick(&[MS, 50 * MS, 500 * MS]),
                dies: !settings.calm && rng.chance(50),
            });
        }
    }
}

/// Some kinds of fault, each at its own rate.
fn faults(rng: &mut Rng, settings: &Settings) -> Vec<Fault> {
    let mut faults = Vec::new();
    let steps_back_in_time = rng.chance(50);
    for kind in 0..15 {
        if !rng.chance(30) {
            continue;
        }
        for _ in 0..rng.pick(&[1, 1, 2, 5, 15]) {
            let (client, server) = (rng.index(settings.clients), rng.index(settings.servers));
            let lasts = rng.pick(&[5, 50, 200, 1000, 4000]) * MS;
            let step = rng.pick(&[50 * MS, SECOND, 31 * SECOND]) as i64;
            let what = match kind {
                0 => What::Cut { client, server },
                1 => What::Mute { client, server, up: rng.chance(70), down: rng.chance(70) },
                2 => What::Tamper {
                    client,
                    server,
                    how: rng.pick(&[Tamper::Drop, Tamper::Double, Tamper::Inject]),
                },
                3 => What::Crash { server, keeps: true, silent: rng.chance(30), down: lasts },
                4 => What::Crash { server, keeps: rng.chance(50), silent: rng.chance(30), down: lasts },
                5 => What::Pause { server, lasts },
                6 => What::ServerStep { server, by: if steps_back_in_time { -step } else { step } },
                // A wall clock that is set back during a suspend cannot be distinguished from no suspend.
                7 if client % 2 == 0 => {
                    What::ClientStep { client, by: if rng.chance(50) { step } else { -step } }
                }
                7 => What::Suspend { client, lasts },
                8 => What::Stall { client, lasts },
                9 => What::Kill { client },
                10 => What::LoseKey { server, key: rng.index(settings.keys), which: rng.index(5) },
                11 => What::FlushScripts { server },
                12 => What::Trouble { server, which: rng.pick(&Trouble::ALL), lasts },
                13 => What::Deny {
                    server,
                    command: rng.pick(&["publish", "subscribe", "evalsha", "select", "zadd"]),
                    lasts,
                },
                _ => What::Reset { client, server },
            };
            faults.push(Fault { at: rng.below(settings.span), what });
        }
    }
    faults
}
