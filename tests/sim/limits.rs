//! What no client can promise is noticed when it happens. These worlds break one assumption and nothing else,
//! and do not exempt from the rules: the observer reports the rule as broken. So exemptions are needed, and
//! the observer would notice a client that breaks the rule. And one promise holds without any exemption:
//! servers that stay away for long enough harm no lock.

use crate::{
    clusters::{Former, Upheaval, form},
    plan::{Fault, MS, Micros, Plan, SECOND, What},
    rng::Rng,
    simulation,
};

/// Looks for a world in which `spoil`, and nothing else, breaks `rule`.
fn sees(rule: &str, spoil: fn(&mut Plan, &mut Rng)) {
    sees_in(rule, |_| true, spoil);
}

/// The same in clusters of two masters with a replica each.
fn sees_in_cluster(rule: &str, spoil: fn(&mut Plan, &mut Rng)) {
    let form = |plan: &mut Plan| {
        if plan.settings.votes() == 1 {
            form(&mut Rng::of(plan.seed, 9), &mut plan.settings, 2, true);
        }
        plan.settings.cluster.is_some() && plan.settings.votes() == 1
    };
    sees_in(rule, form, spoil);
}

/// The same in the worlds that `choose` chooses, or makes.
fn sees_in(rule: &str, choose: fn(&mut Plan) -> bool, spoil: fn(&mut Plan, &mut Rng)) {
    // Every fourth world is under pressure: `scenarios.rs`, `press`.
    let seen = (3..4000).step_by(4).find(|&seed| {
        let mut sound = Plan::draw(seed);
        sound.faults.clear();
        sound.settings.rates_broken = false;
        for rate in sound.settings.client_rates.iter_mut().chain(&mut sound.settings.server_rates) {
            *rate = (*rate).clamp(-4_900, 4_900);
        }
        sound.settings.exemptions = false;
        if !choose(&mut sound) {
            return false;
        }
        let mut spoilt = sound.clone();
        spoil(&mut spoilt, &mut Rng::of(seed, 4));
        if simulation::run(&spoilt, false).1.is_err_and(|violation| violation.rule == rule) {
            assert!(simulation::run(&sound, false).1.is_ok(), "seed {seed} has more wrong with it");
            spoilt.settings.exemptions = true;
            let exempt = simulation::run(&spoilt, false).1;
            assert!(exempt.is_ok(), "seed {seed} is not exempt: {exempt:?}");
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
fn restarts_without_the_data_break_exclusion() {
    sees("exclusion", |plan, rng| {
        on_all_servers(plan, rng, |server| What::Crash { server, keeps: false, silent: false, down: 5 * MS });
    });
}

/// The servers of a Redlock crash without their data, one after the other.
fn crash_one_after_the_other(plan: &mut Plan, down: Micros) {
    let servers = plan.settings.servers;
    if servers > 2 {
        plan.faults.extend((0..servers).map(|server| Fault {
            at: SECOND + server as u64 * 100 * MS,
            what: What::Crash { server, keeps: false, silent: false, down },
        }));
    }
}

#[test]
fn redlock_servers_that_return_too_soon_without_their_keys_break_exclusion() {
    sees("exclusion", |plan, _| crash_one_after_the_other(plan, 5 * MS));
}

#[test]
fn redlock_servers_that_stay_away_until_all_leases_end_break_nothing() {
    let mut stayed_away = 0;
    // Under pressure, as above.
    for seed in (3..2000).step_by(4) {
        let mut plan = Plan::draw(seed);
        let lease = plan.longest_lease();
        // Longer leases only make longer worlds.
        let wanted = plan.settings.servers > 2 && lease < 4 * SECOND;
        if !wanted || plan.settings.calm || plan.settings.rates_broken {
            continue;
        }
        plan.faults.clear();
        plan.settings.exemptions = false;
        plan.settings.span = plan.settings.span.max(2 * SECOND + lease);
        crash_one_after_the_other(&mut plan, lease);
        let (summary, result) = simulation::run(&plan, false);
        assert!(result.is_ok(), "seed {seed}: {result:?}");
        stayed_away += summary.coverage.get("back after all leases").unwrap_or(&0);
    }
    assert!(stayed_away > 100, "{stayed_away} servers stayed away");
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

/// The replicas of all shards take over.
fn fail_over(plan: &mut Plan, at: Micros, former: Former, (lag, stale): (Micros, Micros)) {
    for shard in 0..2 {
        let what = Upheaval::Failover { shard, former, lag, takes: 0, pace: 0, stale };
        plan.faults.push(Fault { at, what: What::Cluster(what) });
    }
}

#[test]
fn a_failover_that_loses_keys_breaks_exclusion() {
    sees_in_cluster("exclusion", |plan, rng| {
        let at = SECOND + rng.below(2 * SECOND);
        fail_over(plan, at, Former::Down, (500 * MS, MS));
    });
}

#[test]
fn a_former_master_that_serves_on_breaks_exclusion() {
    sees_in_cluster("exclusion", |plan, rng| {
        fail_over(plan, rng.below(SECOND), Former::CutOff, (0, 10 * SECOND));
    });
}

#[test]
fn a_failover_that_loses_nothing_breaks_nothing() {
    let mut failovers = 0;
    // Under pressure, as above.
    for seed in (3..2000).step_by(4) {
        let mut plan = Plan::draw(seed);
        if plan.settings.votes() > 1 || plan.settings.calm || plan.settings.rates_broken {
            continue;
        }
        form(&mut Rng::of(seed, 9), &mut plan.settings, 2, true);
        plan.faults.clear();
        plan.settings.exemptions = false;
        fail_over(&mut plan, SECOND + seed * MS, Former::Down, (0, 500 * MS));
        let (summary, result) = simulation::run(&plan, false);
        assert!(result.is_ok(), "seed {seed}: {result:?}");
        failovers += summary.coverage.get("failover").unwrap_or(&0);
    }
    assert!(failovers > 100, "{failovers} failovers");
}
