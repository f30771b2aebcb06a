//! Simulation: the real engine against the memory server, in virtual time, with faults. README.md says what is where.
//!
//! `SEEDS` and `SEED_BASE`: how many worlds, and from which on. `SEED`: that one, told step by step.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    missing_docs,
    reason = "tests may fail"
)]

mod client;
mod clock;
mod contract;
mod driving;
mod faults;
mod line;
mod network;
mod observer;
mod plan;
#[cfg(planted)]
mod planted;
mod rng;
mod server;
mod settling;
mod shrink;
mod trace;
mod world;

use std::collections::BTreeMap;

use plan::Plan;

/// Seeds that found something once.
const REGRESSIONS: &[u64] = &[77, 578, 2096];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Runs a world; a failure is made as small as it gets, and told.
fn hold(seed: u64) -> world::Summary {
    let plan = Plan::draw(seed);
    let (summary, result) = world::run(&plan, false);
    if let Err(violation) = result {
        eprintln!("seed {seed}: {}: {}; making it smaller", violation.rule, violation.text);
        let smallest = shrink::shrink(&plan, violation.rule);
        tell(&smallest);
        panic!(
            "seed {seed}: {}: {}\nAgain: SEED={seed} cargo test --test sim",
            violation.rule, violation.text
        );
    }
    summary
}

/// Of a trace, the last ones.
const MOST_LINES: usize = 1000;

fn tell(plan: &Plan) {
    let (summary, result) = world::run(plan, true);
    println!("{:#?}\n{:#?}\n{:#?}", plan.settings, plan.ops, plan.faults);
    let skipped = summary.lines.len().saturating_sub(MOST_LINES);
    if skipped > 0 {
        println!("({skipped} lines before)");
    }
    for line in &summary.lines[skipped..] {
        println!("{line}");
    }
    println!("{result:?}");
}

/// What many worlds came to.
#[derive(Default)]
struct Total {
    events: u64,
    /// The same in whatever order the worlds ran.
    hash: u64,
    coverage: BTreeMap<&'static str, u64>,
}

impl Total {
    fn add(&mut self, seed: u64, world: world::Summary) {
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
        return;
    }
    let (base, seeds) = (number("SEED_BASE").unwrap_or(0), number("SEEDS").unwrap_or(10_000));
    // Worlds are independent of each other: as many at a time as there are processors.
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let part = |worker: u64| {
        let mut total = Total::default();
        for seed in (base..base + seeds).filter(|seed| seed % workers == worker) {
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
}

#[test]
fn seeds_that_once_failed_hold() {
    for &seed in REGRESSIONS {
        hold(seed);
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in 0..50 {
        let [first, second] = [(), ()].map(|()| world::run(&Plan::draw(seed), false).0);
        assert_eq!((first.hash, first.events), (second.hash, second.events), "seed {seed}");
    }
}
