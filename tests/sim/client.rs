//! A client: the engine under test, its clock, and the applications that use it.

use std::collections::BTreeMap;

use redlatch::{ConnectionId, Duration, Endpoint, Engine, HandleId, Instant, OperationId, Policy, Request};

use crate::{
    clock::ClientClock,
    cluster::{MASTER, address},
    network::LinkId,
    plan::{Micros, Op, Plan, key_name},
    rng::Rng,
    server::PASSWORD,
    simulation::Happening,
    world::Listening,
};

pub struct SimClient {
    pub engine: Engine<Rng>,
    pub clock: ClientClock,
    pub listening: Listening,
    pub alive: bool,
    /// Until when its event loop is stalled, and the happenings that arrived meanwhile.
    pub stalled: Option<Micros>,
    pub inbox: Vec<Happening>,
    pub links: BTreeMap<ConnectionId, LinkId>,
    /// The number of the timer that was set last, and its deadline, until it fires; earlier timers do not count.
    pub timer: u64,
    pub deadline: Option<Instant>,
    pub tasks: BTreeMap<HandleId, Task>,
    /// Whether the application has called since the engine was drained.
    pub has_called: bool,
    /// The drawn tokens of the locks that were released in this turn of the event loop.
    pub releasing: Vec<Vec<u8>>,
}

/// An acquire of an application, from the request to its end.
#[derive(Debug)]
pub struct Task {
    pub op: usize,
    pub asked: Micros,
    /// How long the client had listened then, at most.
    pub listened: Duration,
    /// When it has to be settled: for how long the client has listened by then, at least.
    pub settles: Duration,
    pub stage: Stage,
    pub owner: Vec<u8>,
    /// Whether the engine drew the token: then it is never used again after the release.
    pub minted: bool,
    /// Whether another process held the lock before.
    pub adopted: bool,
    /// Whether the connection died while the release was on its way: then its answer may be lost.
    pub cut: bool,
    /// The pending operations, and how many calls for locks had been written before each.
    pub operations: BTreeMap<OperationId, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Waiting,
    Held,
    Releasing,
    /// Released, lost, failed or cancelled: no further event may name it.
    Over,
}

impl SimClient {
    pub fn new(plan: &Plan, index: usize) -> Self {
        let settings = &plan.settings;
        let policy = Policy { sharded: settings.sharded[index], ..settings.policy.clone() };
        let mut engine = Engine::new(policy, Rng::of(plan.seed, 1000 + index as u64));
        let endpoint = || {
            let password = if settings.with_password { PASSWORD.to_owned() } else { String::new() };
            Endpoint { password, database: settings.database, ..Endpoint::default() }
        };
        let known = match settings.cluster {
            None => settings.servers,
            Some(cluster) if cluster.has_sentinels() => 0,
            Some(cluster) => cluster.seeds,
        };
        for _ in 0..known {
            engine.add_node(endpoint());
        }
        match settings.cluster {
            None => {}
            Some(cluster) if cluster.has_sentinels() => {
                for _ in 0..cluster.masters {
                    for _ in 0..cluster.sentinels {
                        engine.add_node(endpoint());
                    }
                    assert!(engine.follow_sentinels(MASTER, cluster.sentinels as u32, endpoint()));
                }
            }
            Some(cluster) => {
                let seeds: Vec<_> = cluster.seeds_of(index, settings.servers).map(address).collect();
                assert!(engine.form_cluster(&seeds.join("\n")), "{seeds:?}");
            }
        }
        Self {
            engine,
            clock: ClientClock::new(settings.client_rates[index]),
            listening: Listening::default(),
            alive: true,
            stalled: None,
            inbox: Vec::new(),
            links: BTreeMap::new(),
            timer: 0,
            deadline: None,
            tasks: BTreeMap::new(),
            has_called: false,
            releasing: Vec::new(),
        }
    }

    /// Whether the application still believes that it holds a lock.
    pub fn believes(&self, lock: HandleId, time: Micros) -> bool {
        let held = self.tasks.get(&lock).is_some_and(|task| task.stage == Stage::Held);
        held && self.alive && self.engine.remaining(lock, self.clock.peek(time)) > Duration::ZERO
    }
}

/// The request of an operation; `adopted` is the token that another process handed over.
pub fn request(op: &Op, adopted: Option<&[u8]>) -> Request {
    let millis = |n: u64| if n == u64::MAX { Duration::MAX } else { Duration::from_millis(n) };
    Request {
        keys: op.keys.iter().map(|&key| key_name(key)).collect(),
        token: adopted.map(<[u8]>::to_vec).or_else(|| op.token.map(token_text)),
        ttl: millis(op.ttl),
        wait: millis(op.wait),
        renew: op.renew,
        max_hold: op.max_hold.map_or(Duration::MAX, millis),
        fair: op.fair,
        adopt: adopted.map(|_| 0),
    }
}

pub fn token_text(number: u64) -> Vec<u8> {
    format!("token-{number}").into_bytes()
}
