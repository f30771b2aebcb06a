//! The search notices broken rules: planted bugs, each in a world of the small size. Compiled only with
//! `--cfg planted`. The simulation hunts all planted bugs: `tests/sim/planted.rs`.

use redlatch::planted::{Planted, plant};

use crate::{explore::explore, setup::setups};

const FOUND: &[(Planted, &str)] = &[
    (Planted::ValidityFromReply, "single"),
    (Planted::NoAllowance, "single_with_a_slow_clock"),
    (Planted::LossNotTimed, "single"),
    (Planted::QuestionsForgotten, "reentry"),
    (Planted::LeavesForAll, "reentry"),
    (Planted::QuorumOfHalf, "redlock_of_two"),
    (Planted::VoteNeverFails, "redlock_with_a_break"),
    (Planted::DeletesForeign, "fair_with_aborts"),
    (Planted::Barging, "fair_with_aborts"),
    (Planted::TicketByTime, "fair_with_three_waiters"),
    (Planted::TakesForeignKeys, "multi_in_opposite_order"),
    (Planted::FenceFromClock, "single"),
];

#[test]
fn planted_bugs_are_found() {
    let worlds = setups(false);
    let mut missed = Vec::new();
    for &(bug, name) in FOUND {
        let world = worlds.iter().find(|world| world.name == name).unwrap();
        plant(Some(bug));
        let result = explore(world);
        plant(None);
        match result {
            Ok(_) => missed.push((bug, name)),
            Err(violation) => println!("search: {}: {}", bug.describe(), violation.lines().next().unwrap()),
        }
    }
    assert!(missed.is_empty(), "nobody noticed {missed:?}");
}
