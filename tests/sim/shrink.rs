//! Shrinks a failing plan: leaves out operations and faults as long as the same rule is broken.

use crate::{plan::Plan, simulation};

/// How many events it may take: less than a minute.
const MOST_EVENTS: u64 = 10_000_000;

pub fn shrink(plan: &Plan, rule: &str) -> Plan {
    let mut smallest = plan.clone();
    let mut events = 0;
    let mut fails = |plan: &Plan| {
        if events > MOST_EVENTS {
            return false;
        }
        let (summary, result) = simulation::run(plan, false);
        events += summary.events;
        result.is_err_and(|violation| violation.rule == rule)
    };
    loop {
        let before = smallest.ops.len() + smallest.faults.len();
        leave_out(&mut smallest, &mut fails, |plan| &mut plan.faults);
        leave_out(&mut smallest, &mut fails, |plan| &mut plan.ops);
        simplify(&mut smallest, &mut fails);
        if smallest.ops.len() + smallest.faults.len() == before {
            return smallest;
        }
    }
}

/// Leaves out ever smaller parts of a list (Zeller's delta debugging).
fn leave_out<T: Clone>(
    plan: &mut Plan,
    fails: &mut impl FnMut(&Plan) -> bool,
    list: fn(&mut Plan) -> &mut Vec<T>,
) {
    let mut size = list(plan).len();
    while size > 0 {
        let mut from = 0;
        while from < list(plan).len() {
            let mut smaller = plan.clone();
            let items = list(&mut smaller);
            items.drain(from..(from + size).min(items.len()));
            if fails(&smaller) {
                *plan = smaller;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
}

fn simplify(plan: &mut Plan, fails: &mut impl FnMut(&Plan) -> bool) {
    let changes: [fn(&mut Plan); 8] = [
        |plan| plan.settings.rechunks = false,
        |plan| plan.settings.delay.tail_chance = 0,
        |plan| plan.settings.refused = 0,
        |plan| plan.settings.lateness = 0,
        |plan| plan.settings.old.fill(false),
        |plan| plan.settings.sharded.fill(false),
        |plan| plan.ops.iter_mut().for_each(|op| op.operations.clear()),
        |plan| plan.ops.iter_mut().for_each(|op| op.handover = None),
    ];
    for change in changes {
        let mut simpler = plan.clone();
        change(&mut simpler);
        if fails(&simpler) {
            *plan = simpler;
        }
    }
}
