//! Worlds in which the server is a Redis Cluster of two to four masters, most of them with a replica each. Clients know one
//! or two of the nodes. Slots move, replicas take over, and nodes hear of it late. Or the server is a master with a replica
//! and sentinels, which hear late that the replica took over. Or each of several servers is, and has one vote of a Redlock.

use std::collections::BTreeSet;

use redis_protocol::redis_keyslot;

use crate::{
    plan::{Fault, MS, Micros, Op, SECOND, Settings, What, key_name},
    rng::Rng,
};

/// Keys from this number on have one hash tag, and so one slot.
pub const TAGGED: usize = 1000;

/// What the plan says of a cluster. Its masters are the first servers; each shard's replica follows in the same order. If it is
/// none but masters with sentinels, those of each shard follow.
#[derive(Clone, Copy, Debug)]
pub struct ClusterSettings {
    pub masters: usize,
    /// How many sentinels each master has; 0 in a cluster.
    pub sentinels: usize,
    /// How many nodes each client knows at first.
    pub seeds: usize,
    /// Whether nodes announce no host: a client takes that of the node which it asked.
    pub is_nameless: bool,
}

impl ClusterSettings {
    /// The nodes that a client knows at first, of so many.
    pub fn seeds_of(self, client: usize, nodes: usize) -> impl Iterator<Item = usize> {
        (client..client + self.seeds).map(move |seed| seed % nodes)
    }

    /// Whether it is masters with sentinels, and no cluster.
    pub const fn has_sentinels(self) -> bool {
        self.sentinels > 0
    }

    /// How many sentinels there are.
    pub const fn all_sentinels(self) -> usize {
        self.masters * self.sentinels
    }

    /// The shard of a node, of so many.
    pub const fn shard_of(self, node: usize, nodes: usize) -> usize {
        match (node + self.all_sentinels()).checked_sub(nodes) {
            Some(sentinel) if self.has_sentinels() => sentinel / self.sentinels,
            _ => node % self.masters,
        }
    }
}

/// A change of a cluster.
#[derive(Clone, Copy, Debug)]
pub enum Upheaval {
    /// The key's slot moves to another shard, step by step: both ends prepare, each key moves, the target owns the slot,
    /// then the source knows it, then the other nodes one by one.
    SlotMove {
        key: usize,
        to: usize,
        /// Between two keys.
        pace: Micros,
        /// Before the first key moves, after the last one, and between two nodes that hear of the owner.
        rest: Micros,
    },
    /// The replica of a shard takes over.
    Failover {
        shard: usize,
        former: Former,
        /// How long before the master stopped the replica got its last keys: 0 if it has all of them.
        lag: Micros,
        /// How long nobody serves the shard.
        takes: Micros,
        /// Between two nodes that hear of it.
        pace: Micros,
        /// How long the former master believes that it is one, from the failover on, or since it went on.
        stale: Micros,
    },
    /// A node hears of no change for a while.
    StaleView { node: usize, lasts: Micros },
    /// All nodes refuse commands with keys.
    ClusterDown { lasts: Micros },
}

/// What becomes of the former master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Former {
    /// It ended, and is started again as a replica.
    Down,
    /// It stood still. When it goes on, it answers what has arrived meanwhile, and believes for a while that it is a master.
    Stopped,
    /// It is cut off from the other nodes, and serves the clients that it has.
    CutOff,
}

impl Upheaval {
    /// The name under which it is counted.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SlotMove { .. } => "slot move",
            Self::Failover { lag: 0, .. } => "failover",
            Self::Failover { .. } => "failover that loses keys",
            Self::StaleView { .. } => "stale view",
            Self::ClusterDown { .. } => "cluster down",
        }
    }
}

/// The slot of a key of the plan.
pub fn slot_of(key: usize) -> u16 {
    redis_keyslot(&key_name(key))
}

/// The slots of keys of the plan.
pub fn slots_of<'a>(keys: impl IntoIterator<Item = &'a usize>) -> BTreeSet<u16> {
    keys.into_iter().map(|&key| slot_of(key)).collect()
}

/// Gives plain locks of a cluster keys in several slots.
pub fn several_slots(rng: &mut Rng, settings: &mut Settings, ops: &mut [Op]) {
    if ops.iter().flat_map(|op| &op.keys).any(|&key| key >= TAGGED) {
        return;
    }
    settings.keys = settings.keys.max(2);
    // Each slot takes a round trip, and all together must take less than a lease.
    settings.distances.iter_mut().for_each(|distance| *distance /= 4);
    for op in ops.iter_mut().filter(|op| !op.fair) {
        for _ in 0..rng.pick(&[0, 1, 1, 2]) {
            op.keys.push(rng.index(settings.keys));
        }
    }
}

/// Makes the one server of a world a cluster.
pub fn clusters(rng: &mut Rng, settings: &mut Settings, ops: &mut [Op], faults: &mut Vec<Fault>) {
    let masters = rng.pick(&[2, 2, 3, 4]);
    let with_replicas = !settings.calm && rng.chance(80);
    form(rng, settings, masters, with_replicas);
    spread_keys(rng, settings, ops, faults);
    for fault in faults.iter_mut() {
        if let Some(server) = fault.what.server_mut() {
            *server = rng.index(settings.servers);
        }
    }
    let shortest = ops.iter().map(|op| op.ttl).min().unwrap_or(100);
    for _ in 0..rng.pick(&[1, 2, 4, 8]) {
        // In a calm world, a slot has some keys here and some there, so that nobody can extend anything, for a fraction of a
        // lease only. With all keys at one end, it may take as long as it likes.
        let (pace, rest) = match settings.calm {
            true => (
                shortest * MS / 100,
                rng.pick(&[MS, shortest * MS / 20, (2 * shortest * MS).min(SECOND / 2)]),
            ),
            false => (rng.pick(&[0, MS, 20 * MS]), rng.pick(&[MS, 20 * MS, 300 * MS])),
        };
        let key = keys_of(ops)[rng.index(keys_of(ops).len())];
        let what = Upheaval::SlotMove { key, to: rng.index(masters), pace, rest };
        faults.push(Fault { at: rng.below(settings.span), what: What::Cluster(what) });
    }
    if settings.calm {
        return;
    }
    for _ in 0..if with_replicas { rng.pick(&[0, 1, 2, 4]) } else { 0 } {
        let what = failover(rng, masters);
        faults.push(Fault { at: rng.below(settings.span), what: What::Cluster(what) });
    }
    for _ in 0..rng.pick(&[0, 0, 1, 3]) {
        let (node, lasts) = (rng.index(settings.servers), rng.pick(&[50 * MS, 500 * MS, 3 * SECOND]));
        let what = Upheaval::StaleView { node, lasts };
        faults.push(Fault { at: rng.below(settings.span), what: What::Cluster(what) });
    }
    for _ in 0..rng.pick(&[0, 0, 0, 1]) {
        let what = Upheaval::ClusterDown { lasts: rng.pick(&[20 * MS, 500 * MS, 2 * SECOND]) };
        faults.push(Fault { at: rng.below(settings.span), what: What::Cluster(what) });
    }
}

/// A replica is like its master: if it is promoted, it goes on with its leases, by its own clock. So are the masters of a
/// cluster, which take the place of one server.
pub fn form(rng: &mut Rng, settings: &mut Settings, masters: usize, with_replicas: bool) {
    let servers = if with_replicas { 2 * masters } else { masters };
    let votes = settings.servers;
    settings.servers = servers;
    settings.server_rates = alike(&settings.server_rates, votes, masters, servers);
    settings.server_offsets = alike(&settings.server_offsets, votes, masters, servers);
    settings.distances = alike(&settings.distances, votes, masters, servers);
    settings.old = alike(&settings.old, votes, masters, servers);
    settings.database = 0;
    settings.cluster = Some(ClusterSettings {
        masters,
        sentinels: 0,
        seeds: rng.pick(&[1, 2]),
        is_nameless: rng.chance(20),
    });
}

/// For each of so many servers what its master has.
fn alike<T: Copy>(all: &[T], votes: usize, masters: usize, servers: usize) -> Vec<T> {
    (0..servers).map(|server| all[(server % masters).min(votes - 1)]).collect()
}

/// Makes each server of a world a master with a replica, and with sentinels.
pub fn sentinels(rng: &mut Rng, settings: &mut Settings, faults: &mut Vec<Fault>) {
    let masters = settings.servers;
    form(rng, settings, masters, true);
    let sentinels = if masters > 1 { rng.pick(&[1, 1, 3]) } else { rng.pick(&[1, 2, 3, 3, 3, 5]) };
    let servers = settings.servers + masters * sentinels;
    settings.cluster = settings.cluster.map(|cluster| ClusterSettings { sentinels, ..cluster });
    settings.servers = servers;
    settings.server_rates.resize(servers, 0);
    settings.server_offsets.resize(servers, 0);
    settings.distances.resize(servers, settings.distances[0]);
    let old = |server| server < 2 * masters && settings.old[server] || rng.chance(5);
    settings.old = (0..servers).map(old).collect();
    if settings.calm {
        return;
    }
    for fault in faults.iter_mut() {
        if let Some(server) = fault.what.server_mut() {
            *server = rng.index(servers);
        }
    }
    for _ in 0..rng.pick(&[1, 1, 2, 4]) {
        let what = failover(rng, masters);
        faults.push(Fault { at: rng.below(settings.span), what: What::Cluster(what) });
    }
    for _ in 0..rng.pick(&[0, 1, 2]) {
        let (node, lasts) =
            (2 * masters + rng.index(masters * sentinels), rng.pick(&[500 * MS, 3 * SECOND, 15 * SECOND]));
        let what = Upheaval::StaleView { node, lasts };
        faults.push(Fault { at: rng.below(settings.span), what: What::Cluster(what) });
    }
}

fn failover(rng: &mut Rng, masters: usize) -> Upheaval {
    Upheaval::Failover {
        shard: rng.index(masters),
        former: rng.pick(&[Former::Down, Former::Stopped, Former::CutOff]),
        lag: rng.pick(&[0, 0, 5 * MS, 100 * MS, SECOND]),
        takes: rng.pick(&[0, 50 * MS, SECOND]),
        pace: rng.pick(&[0, 10 * MS, 200 * MS]),
        stale: rng.pick(&[MS, 50 * MS, 500 * MS, 2 * SECOND]),
    }
}

/// Locks of one key have any slots, or all keys have one hash tag.
fn spread_keys(rng: &mut Rng, settings: &mut Settings, ops: &mut [Op], faults: &mut [Fault]) {
    let is_tagged = ops.iter().any(|op| op.keys.len() > 1) && rng.chance(50);
    let more = rng.pick(&[0, 0, 2, 5]);
    settings.keys += more;
    for op in ops {
        if is_tagged {
            op.keys.iter_mut().for_each(|key| *key += TAGGED);
            continue;
        }
        op.keys.truncate(1);
        if more > 0 && rng.chance(50) {
            op.keys = vec![rng.index(settings.keys)];
        }
    }
    for fault in faults {
        if let What::LoseKey { key, .. } | What::DenyKey { key, .. } = &mut fault.what
            && is_tagged
        {
            *key += TAGGED;
        }
    }
}

fn keys_of(ops: &[Op]) -> Vec<usize> {
    ops.iter().flat_map(|op| op.keys.iter().copied()).collect()
}

impl What {
    /// The server that a fault is about.
    pub fn server_mut(&mut self) -> Option<&mut usize> {
        match self {
            Self::Cut { server, .. }
            | Self::Mute { server, .. }
            | Self::Reset { server, .. }
            | Self::Tamper { server, .. }
            | Self::Crash { server, .. }
            | Self::Pause { server, .. }
            | Self::ServerStep { server, .. }
            | Self::LoseKey { server, .. }
            | Self::FlushScripts { server }
            | Self::Trouble { server, .. }
            | Self::Deny { server, .. }
            | Self::DenyKey { server, .. } => Some(server),
            Self::ClientStep { .. }
            | Self::Stall { .. }
            | Self::Suspend { .. }
            | Self::Kill { .. }
            | Self::Cluster(_) => None,
        }
    }
}
