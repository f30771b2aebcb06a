//! Many worlds, as many at a time as there are processors.
//!
//! `SEEDS` and `SEED_BASE`: how many, and from which seed on. `SEED`: that seed alone, with a transcript. `CLUSTERS`: only
//! those whose world is a cluster. `SENTINELS`: only those of one master with sentinels. `VOTES`: only those of several.

use std::collections::BTreeMap;

use crate::{
    plan::{Plan, Settings},
    shrink, simulation, transcript,
};

/// Seeds that once found a mistake, of the engine or of the simulation.
const ONCE_FAILED: &[u64] = &[
    27, 77, 204, 215, 578, 1047, 2096, 2226, 2578, 2687, 3871, 5283, 9640, 164_657, 168_160, 11941, 15842,
    16907, 18085, 19002, 21340, 22188, 22469, 32619, 38029, 46718, 54446, 57340, 91803, 97114, 114_525,
    175_109, 216_724, 402_224, 405_651, 405_772, 461_545, 703_941, 825_584, 1_053_969, 5_011_102,
];

/// What happens in any thousand worlds: a rule that never applies proves nothing.
const ALWAYS_COVERED: &[&str] = &[
    "granted",
    "sent early",
    "drained at the end of the turn",
    "replica confirms",
    "replica away",
    "to be confirmed on a new connection",
    "adopted",
    "released",
    "cancelled",
    "failed",
    "handed over",
    "connections in RESP2",
    "lost by time",
    "lost by reply",
    "lost by maxHold",
    "two believers, exempt",
    "cut",
    "mute",
    "reset",
    "far servers",
    "stalls",
    "dead connections",
    "restarts one after the other",
    "votes taken back",
    "tamper",
    "crash",
    "crash without the data",
    "back after all leases",
    "pause",
    "server clock back",
    "server clock forward",
    "client clock",
    "stall",
    "suspend",
    "kill",
    "key lost",
    "scripts flushed",
    "trouble",
    "deny",
    "key denied",
    "runs of acquires",
    "runs of extensions",
    "runs of releases",
    "runs refused for one key",
    "slot move",
    "keys that moved",
    "failover",
    "failover that loses keys",
    "locks that a failover lost",
    "granted by a former master",
    "stale view",
    "cluster down",
    "moved",
    "asked at the target",
    "to be confirmed at another node",
    "switch announced",
    "switches read",
    "wake-ups on shard channels",
    "subscriptions that ended",
    "granted in several slots",
    "fences raised",
];

pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Runs a world; a failure is shrunk and printed.
fn hold(seed: u64) -> simulation::Summary {
    let plan = Plan::draw(seed);
    let (summary, result) = simulation::run(&plan, false);
    if let Err(violation) = result {
        eprintln!("seed {seed}: {}: {}; making it smaller", violation.rule, violation.text);
        let smallest = shrink::shrink(&plan, violation.rule);
        println!("{}", transcript(&smallest));
        panic!(
            "seed {seed}: {}: {}\nAgain: SEED={seed} cargo test --test sim",
            violation.rule, violation.text
        );
    }
    summary
}

/// The sums over many worlds.
#[derive(Default)]
struct Total {
    events: u64,
    /// The same in whatever order the worlds ran.
    hash: u64,
    coverage: BTreeMap<&'static str, u64>,
}

impl Total {
    fn add(&mut self, seed: u64, world: simulation::Summary) {
        self.events += world.events;
        self.hash ^= world.hash.rotate_left((seed % 64) as u32);
        for (what, count) in world.coverage {
            *self.coverage.entry(what).or_default() += count;
        }
    }

    fn plus(mut self, other: Self) -> Self {
        self.events += other.events;
        self.hash ^= other.hash;
        for (what, count) in other.coverage {
            *self.coverage.entry(what).or_default() += count;
        }
        self
    }
}

#[test]
fn seeds_hold() {
    if let Some(seed) = number("SEED") {
        hold(seed);
        println!("{}", transcript(&Plan::draw(seed)));
        return;
    }
    let (base, seeds) = (number("SEED_BASE").unwrap_or(0), number("SEEDS").unwrap_or(2_000));
    // Worlds are independent: as many run at a time as there are processors.
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let [clusters, sentinels, groups] =
        ["CLUSTERS", "SENTINELS", "VOTES"].map(|name| std::env::var_os(name).is_some());
    let is_any = clusters || sentinels || groups;
    let is_wanted = |seed: &u64| {
        let settings = || Plan::draw(*seed).settings;
        let is_wanted = |settings: Settings| match settings.cluster {
            Some(cluster) if !cluster.has_sentinels() => clusters,
            Some(_) => {
                if settings.votes() > 1 {
                    groups
                } else {
                    sentinels
                }
            }
            None => false,
        };
        !is_any || is_wanted(settings())
    };
    let part = |worker: u64| {
        let mut total = Total::default();
        for seed in (base..base + seeds).filter(|seed| seed % workers == worker).filter(is_wanted) {
            total.add(seed, hold(seed));
        }
        total
    };
    let total = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers).map(|worker| scope.spawn(move || part(worker))).collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, Total>| {
            handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        handles.into_iter().map(join).reduce(Total::plus).unwrap_or_default()
    });
    let Total { events, hash, coverage } = total;
    println!("simulation: {seeds} seeds from {base}, {events} events, trace hash {hash:016x}");
    println!("simulation: {coverage:?}");
    if seeds >= 1000 && !is_any {
        let never: Vec<_> = ALWAYS_COVERED.iter().filter(|what| !coverage.contains_key(*what)).collect();
        assert!(never.is_empty(), "were not covered in {seeds} worlds: {never:?}");
    }
}

#[test]
fn seeds_that_once_failed_hold() {
    for &seed in ONCE_FAILED {
        hold(seed);
    }
}
