//! What `tests/planted/run.js` runs where a bug is planted: worlds until one breaks a rule.
//!
//! `SEED_BASE`: the first seed. `SEEDS`: how many seeds at most.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{plan::Plan, seeds::number, simulation};

/// The rule that this world breaks, if it breaks one.
fn broken_rule(seed: u64) -> Option<&'static str> {
    match catch_unwind(AssertUnwindSafe(|| simulation::run(&Plan::draw(seed), false).1)) {
        Ok(result) => result.err().map(|violation| violation.rule),
        Err(_) => Some("panic"),
    }
}

#[test]
#[ignore = "runs where a bug is planted, by tests/planted/run.js"]
fn first_violation() {
    let first = number("SEED_BASE").unwrap_or(0);
    let end = first + number("SEEDS").unwrap_or(20_000);
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
    let (next, stop) = (AtomicU64::new(first), AtomicU64::new(end));
    // Seeds are begun in order, and all before the first violation are run to their end.
    let work = || {
        let mut found = None;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= stop.load(Ordering::Relaxed) {
                return found;
            }
            if let Some(rule) = broken_rule(seed) {
                stop.fetch_min(seed, Ordering::Relaxed);
                found = Some((seed, rule));
            }
        }
    };
    let found = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        handles.into_iter().filter_map(|handle| handle.join().expect("a worker")).min()
    });
    if let Some((seed, rule)) = found {
        panic!("violation of \"{rule}\" at seed {seed}");
    }
    println!("{} worlds hold", end - first);
}
