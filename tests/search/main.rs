//! The exhaustive search: every order of events in small worlds, with the real engine and memory servers.
//!
//! A world has clients that carry out short plans, servers, and connections between them. Everything that may
//! happen next (bytes arrive, a timer fires or is late, a connection breaks, time advances by a tick) is a
//! branch; states that were seen before are not entered again. Every state is checked against the rules, and
//! from each last state the world must come to rest.
//!
//! Plain `cargo test` runs all worlds in a small size; `make search` runs them in full (SEARCH=full) and
//! prints states, transitions, depth and time. A violation prints the whole path to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::panic,
    clippy::unreachable,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test may panic; the set of states seen is never iterated, and the clock is for the report"
)]

mod action;
mod client;
mod explore;
mod network;
mod queue;
mod quiescence;
mod setup;
mod shared;
mod state;

#[path = "../world/memory.rs"]
mod memory;
#[path = "../world/mod.rs"]
mod world;

use explore::explore;
use setup::{Setup, setups};

fn is_full() -> bool {
    std::env::var("SEARCH").is_ok_and(|size| size == "full")
}

fn search(name: &str) {
    let all = setups(is_full());
    let setup: &Setup = all.iter().find(|setup| setup.name == name).unwrap();
    let report = explore(setup).unwrap_or_else(|violation| panic!("{violation}"));
    println!("search: {report}");
    let expected = setup.expected.iter().filter(|outcome| is_full() || ["granted", "run"].contains(outcome));
    for outcome in expected {
        assert!(
            report.outcomes.contains(outcome),
            "{name}: nothing came to {outcome}: the world is too small"
        );
    }
}

macro_rules! searches {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            search(stringify!($name));
        })*

        #[test]
        fn every_world_is_searched() {
            let names: Vec<_> = setups(true).iter().map(|setup| setup.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

searches! {
    single
    single_with_extension
    single_with_renewal
    single_with_breaks
    single_with_a_slow_clock
    single_with_a_crash
    single_with_a_lost_key
    single_with_aborts
    reentry
    run_with_a_break
    run_with_lost_scripts
    multi_in_opposite_order
    two_slots_in_opposite_order
    fair_with_three_waiters
    fair_with_aborts
    fair_with_two_of_a_client
    fair_with_a_break
    redlock_of_two
    redlock_of_three
    redlock_that_expires
    redlock_with_a_break
}
