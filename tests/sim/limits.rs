//! What no client can promise is seen. In worlds where nothing goes wrong but one assumption, and that is not excused, the
//! observer finds the rule broken: so its excuses are not empty, and it would find a client that breaks the rule.

use crate::{
    plan::{Fault, MS, Plan, SECOND, What},
    rng::Rng,
    world,
};

/// Looks for a world in which `rule` is broken by what `spoil` does to it, and only by that.
fn sees(rule: &str, spoil: fn(&mut Plan, &mut Rng)) {
    // Every fourth is under pressure: `drawing.rs`, `press`.
    let seen = (3..4000).step_by(4).find(|&seed| {
        let mut sound = Plan::draw(seed);
        sound.faults.clear();
        sound.settings.rates_broken = false;
        for rate in sound.settings.client_rates.iter_mut().chain(&mut sound.settings.server_rates) {
            *rate = (*rate).clamp(-4_900, 4_900);
        }
        sound.settings.excuses = false;
        let mut spoilt = sound.clone();
        spoil(&mut spoilt, &mut Rng::of(seed, 4));
        if world::run(&spoilt, false).1.is_err_and(|violation| violation.rule == rule) {
            assert!(world::run(&sound, false).1.is_ok(), "seed {seed} has more wrong with it");
            spoilt.settings.excuses = true;
            let excused = world::run(&spoilt, false).1;
            assert!(excused.is_ok(), "seed {seed} is not excused: {excused:?}");
            return true;
        }
        false
    });
    println!("{rule}, seen at seed {seen:?}");
    assert!(seen.is_some(), "nobody notices");
}

fn on_all_servers(plan: &mut Plan, rng: &mut Rng, what: fn(usize) -> What) {
    let at = SECOND + rng.below(2 * SECOND);
    let servers = 0..plan.settings.servers;
    plan.faults.extend(servers.map(|server| Fault { at, what: what(server) }));
}

#[test]
fn clocks_that_err_by_more_than_the_allowance_break_exclusion() {
    sees("exclusion", |plan, _| {
        plan.settings.client_rates.fill(-60_000);
        plan.settings.server_rates.fill(60_000);
        plan.settings.rates_broken = true;
    });
}

#[test]
fn server_clocks_set_forward_break_exclusion() {
    sees("exclusion", |plan, rng| {
        on_all_servers(plan, rng, |server| What::ServerStep { server, by: 31 * SECOND as i64 });
    });
}

#[test]
fn restarts_without_the_keys_break_exclusion() {
    sees("exclusion", |plan, rng| {
        on_all_servers(plan, rng, |server| What::Crash { server, keeps: false, silent: false, down: 5 * MS });
    });
}

#[test]
fn servers_of_a_redlock_that_are_back_too_soon_without_the_keys_break_exclusion() {
    sees("exclusion", |plan, _| {
        // One after the other; the worlds in which they stay away for long enough are those of `outage` in `drawing.rs`.
        let servers = plan.settings.servers;
        plan.faults.extend((0..servers).filter(|_| servers > 2).map(|server| Fault {
            at: SECOND + server as u64 * 100 * MS,
            what: What::Crash { server, keeps: false, silent: false, down: 5 * MS },
        }));
    });
}

#[test]
fn keys_that_are_deleted_or_evicted_break_exclusion() {
    sees("exclusion", |plan, rng| {
        on_all_servers(plan, rng, |server| What::LoseKey { server, key: 0, which: 0 });
    });
}

#[test]
fn counters_lost_while_clocks_are_set_back_break_the_fence() {
    sees("fence", |plan, rng| {
        on_all_servers(plan, rng, |server| What::ServerStep { server, by: -31 * SECOND as i64 });
        on_all_servers(plan, rng, |server| What::LoseKey { server, key: 0, which: 1 });
    });
}
