//! Bugs that are planted one at a time, each of which some seed must find. Compiled only with `--cfg
//! planted`.
//!
//! `PLANTED`: one bug alone, by its name in `src/planted.rs`. `PLANTED_SEEDS`: after how many seeds to give
//! up.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use redlatch::planted::{Planted, plant};

use crate::{plan::Plan, seeds::number, simulation};

/// How many seeds it may take to find a bug.
const MOST_SEEDS: u64 = 20_000;

struct Find {
    bug: Planted,
    /// By which rule and at which seed.
    found: Option<(&'static str, u64)>,
    time: Duration,
}

/// The rule that a world breaks, if it does.
fn broken(seed: u64) -> Option<&'static str> {
    let result = std::panic::catch_unwind(|| simulation::run(&Plan::draw(seed), false).1);
    match result {
        Ok(result) => result.err().map(|violation| violation.rule),
        Err(_) => Some("panic"),
    }
}

#[allow(clippy::disallowed_methods, reason = "how long it took is told to people")]
fn hunt(bug: Planted, seeds: u64) -> Find {
    let begun = Instant::now();
    plant(Some(bug));
    let found = (0..seeds).find_map(|seed| broken(seed).map(|rule| (rule, seed)));
    plant(None);
    Find { bug, found, time: begun.elapsed() }
}

/// Calls `work` for every number below `count`, on as many threads as there are processors; the results in
/// order.
fn for_each<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&index| index < count);
        std::iter::from_fn(take).map(|index| (index, work(index))).collect::<Vec<_>>()
    };
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut results: Vec<_> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        handles.into_iter().flat_map(|handle| handle.join().expect("a worker")).collect()
    });
    results.sort_by_key(|&(index, _)| index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[test]
fn every_planted_bug_is_found() {
    let seeds = number("PLANTED_SEEDS").unwrap_or(MOST_SEEDS);
    let chosen = std::env::var("PLANTED").ok();
    let is_chosen = |bug: &Planted| chosen.as_ref().is_none_or(|name| *name == format!("{bug:?}"));
    let bugs: Vec<_> = Planted::ALL.iter().copied().filter(is_chosen).collect();
    let finds = for_each(bugs.len(), |index| hunt(bugs[index], seeds));
    println!("\n| planted bug | found by | at seed | after |\n|---|---|---|---|");
    for Find { bug, found, time } in &finds {
        let (rule, seed) = found.map_or(("-", "-".to_owned()), |(rule, seed)| (rule, seed.to_string()));
        println!("| {} | {rule} | {seed} | {:.1} s |", bug.describe(), time.as_secs_f64());
    }
    let missed: Vec<_> = finds.iter().filter(|find| find.found.is_none()).map(|find| find.bug).collect();
    assert!(missed.is_empty(), "nobody noticed {missed:?}");

    // The seeds found the bugs and nothing else: without a bug, the same worlds hold.
    let last = finds.iter().filter_map(|find| find.found).map(|(_, seed)| seed).max().unwrap_or(0);
    let worlds = usize::try_from(last).expect("a small number") + 1;
    let broken: Vec<_> = for_each(worlds, |seed| broken(seed as u64)).into_iter().flatten().collect();
    assert!(broken.is_empty(), "without a bug, too: {broken:?}");
    println!("\nplanted: {} bugs, all found; without one, the first {worlds} worlds hold", finds.len());
}
