//! The worlds that are searched: the plans of their clients, and how many faults of which kind may happen.

use redlatch::Policy;

use crate::world::ms;

/// Milliseconds in which only what is searched happens: more than the shortest lease (100 ms), so that a
/// lease of one tick is possible.
pub const TICK: u64 = 120;

/// A lease of that many ticks: it has ended on the server when they have passed.
pub const fn lease(ticks: u64) -> redlatch::Duration {
    ms(ticks * TICK - 1)
}

/// A step of a client's plan. Slots are numbered by the acquisitions of that client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Acquires these keys and waits for that many ticks.
    Acquire { keys: &'static [&'static str], wait: u64 },
    /// Acquires each of these keys as a lock of its own, in one turn of the event loop.
    AcquireEach { keys: &'static [&'static str], wait: u64 },
    /// Acquires this key with a token of the application.
    Enter { key: &'static str, token: &'static str },
    /// Once the slot is granted; does nothing if the acquire failed.
    Release(usize),
    /// Releases the locks of the first two slots that are granted, in one turn, once neither is pending.
    ReleaseBoth,
    /// As soon as the slot is granted, or never.
    Extend(usize),
    /// At any time from here on, in any state of the slot.
    Cancel(usize),
}

/// How many faults of each kind may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// A connection ends; bytes in flight are lost, or still arrive.
    pub breaks: u8,
    /// A server ends, and starts again with its keys.
    pub crashes: u8,
    /// A server forgets its scripts.
    pub flushes: u8,
    /// A key vanishes.
    pub key_losses: u8,
    /// A client's clock stands still for a tick.
    pub lags: u8,
    /// Time advances though a client's timer is due.
    pub stalls: u8,
}

pub struct Setup {
    pub name: &'static str,
    pub servers: usize,
    /// Whether the servers are one cluster, with equal shares of the slots: `b` is on the first of two, `a` on the second.
    pub is_cluster: bool,
    /// The plan of each client.
    pub plans: Vec<Vec<Op>>,
    /// Ticks until the end.
    pub horizon: u64,
    /// Ticks of the lease.
    pub ttl: u64,
    pub renew: bool,
    pub fair: bool,
    pub policy: Policy,
    pub budget: Budget,
    /// Outcomes that must occur in full size, or the search has proved nothing. Grants and runs must occur in any size.
    pub expected: Vec<&'static str>,
}

fn policy() -> Policy {
    Policy {
        replicas: 0,
        sharded: false,
        prefix: Policy::default().prefix,
        drift: 10_000,
        retry_min: ms(TICK),
        retry_max: ms(TICK),
        node_timeout: Some(ms(2 * TICK)),
        connect_timeout: ms(10 * TICK),
        label: "".into(),
    }
}

fn plan(keys: &'static [&'static str], wait: u64) -> Vec<Op> {
    vec![Op::Acquire { keys, wait }, Op::Release(0)]
}

fn setup(name: &'static str, plans: Vec<Vec<Op>>, horizon: u64, expected: &[&'static str]) -> Setup {
    Setup {
        name,
        servers: 1,
        is_cluster: false,
        plans,
        horizon,
        ttl: 2,
        renew: false,
        fair: false,
        policy: policy(),
        budget: Budget::default(),
        expected: expected.to_vec(),
    }
}

/// All worlds; the small ones take seconds, the others minutes.
pub fn setups(full: bool) -> Vec<Setup> {
    let size = |small: u64, large: u64| if full { large } else { small };
    let a: &[&str] = &["a"];
    let two = || vec![plan(a, 3), plan(a, 3)];
    let runs = || vec![vec![Op::AcquireEach { keys: &["a", "b"], wait: 3 }, Op::ReleaseBoth], plan(a, 3)];
    // Without releases: with three servers, releases alone make fifty times as many states.
    let tries = || vec![vec![Op::Acquire { keys: a, wait: 0 }]; 2];
    let budget = Budget::default();
    vec![
        setup("single", two(), size(2, 3), &["granted", "timed out", "lost", "released"]),
        setup(
            "single_with_extension",
            vec![vec![Op::Acquire { keys: a, wait: 3 }, Op::Extend(0), Op::Release(0)], plan(a, 3)],
            size(2, 3),
            &["granted", "timed out", "lost", "released"],
        ),
        Setup {
            renew: true,
            budget: Budget { stalls: 1, ..budget },
            ..setup("single_with_renewal", two(), size(2, 3), &["granted", "lost", "released"])
        },
        Setup {
            budget: Budget { breaks: 1, ..budget },
            ..setup("single_with_breaks", two(), size(1, 2), &["granted", "lost", "unknown"])
        },
        Setup {
            // Allows for more than the one tick, of two, by which the clock is wrong.
            policy: Policy { drift: 510_000, ..policy() },
            budget: Budget { lags: 1, ..budget },
            ..setup("single_with_a_slow_clock", two(), size(2, 3), &["granted", "lost"])
        },
        Setup {
            budget: Budget { crashes: 1, ..budget },
            ..setup("single_with_a_crash", two(), size(1, 2), &["granted", "lost"])
        },
        Setup {
            renew: true,
            budget: Budget { key_losses: 1, ..budget },
            ..setup("single_with_a_lost_key", two(), size(1, 2), &["granted", "not ours"])
        },
        setup(
            "single_with_aborts",
            vec![vec![Op::Acquire { keys: a, wait: 3 }, Op::Cancel(0)], plan(a, 3)],
            size(2, 3),
            &["granted", "timed out"],
        ),
        setup(
            "reentry",
            vec![
                vec![
                    Op::Enter { key: "a", token: "me" },
                    Op::Enter { key: "a", token: "me" },
                    Op::Release(0),
                    Op::Release(1),
                ],
                plan(a, 2),
            ],
            size(2, 3),
            &["granted", "lost", "released"],
        ),
        Setup {
            budget: Budget { breaks: 1, ..budget },
            ..setup("run_with_a_break", runs(), size(1, 2), &["run", "granted", "unknown", "released"])
        },
        Setup {
            budget: Budget { flushes: 1, ..budget },
            ..setup("run_with_lost_scripts", runs(), size(1, 2), &["run", "granted", "released"])
        },
        setup(
            "multi_in_opposite_order",
            vec![plan(&["a", "b"], 3), plan(&["b", "a"], 3)],
            size(2, 3),
            &["granted", "timed out", "lost"],
        ),
        Setup {
            servers: 2,
            is_cluster: true,
            budget: Budget { breaks: size(0, 1) as u8, ..budget },
            ..setup(
                "two_slots_in_opposite_order",
                vec![plan(&["a", "b"], 3), plan(&["b", "a"], 3)],
                1,
                &["granted", "released", "unknown"],
            )
        },
        Setup {
            fair: true,
            ..setup(
                "fair_with_three_waiters",
                vec![plan(a, 6), plan(a, 6), plan(a, 6)],
                size(0, 1),
                &["granted", "released"],
            )
        },
        Setup {
            fair: true,
            ..setup(
                "fair_with_aborts",
                vec![plan(a, 6), vec![Op::Acquire { keys: a, wait: 6 }, Op::Cancel(0)], plan(a, 6)],
                size(0, 1),
                &["granted", "released"],
            )
        },
        Setup {
            fair: true,
            ..setup(
                "fair_with_two_of_a_client",
                vec![
                    vec![
                        Op::Acquire { keys: a, wait: 6 },
                        Op::Acquire { keys: a, wait: 6 },
                        Op::Cancel(0),
                        Op::Release(1),
                    ],
                    plan(a, 6),
                ],
                size(0, 2),
                &["granted", "released"],
            )
        },
        Setup {
            fair: true,
            budget: Budget { breaks: 1, ..budget },
            ..setup("fair_with_a_break", two(), size(1, 2), &["granted", "released"])
        },
        Setup {
            servers: 2,
            ttl: 1,
            ..setup("redlock_of_two", two(), size(0, 1), &["granted", "lost", "released"])
        },
        Setup {
            servers: 3,
            ..setup(
                "redlock_of_three",
                if full { vec![plan(a, 0), plan(a, 0)] } else { tries() },
                0,
                &["granted", "timed out", "released"],
            )
        },
        Setup {
            servers: 2,
            ttl: 1,
            ..setup("redlock_that_expires", tries(), size(1, 2), &["granted", "timed out", "lost"])
        },
        Setup {
            servers: if full { 3 } else { 2 },
            budget: Budget { breaks: 1, ..budget },
            ..setup("redlock_with_a_break", tries(), 0, &["granted", "timed out"])
        },
    ]
}

/// A world without plans.
pub fn warm_up() -> Setup {
    setup("warm_up", vec![Vec::new(); 8], 0, &[])
}

/// The same, with a horizon of its own.
pub fn like(other: &Setup) -> Setup {
    Setup {
        name: other.name,
        servers: other.servers,
        plans: other.plans.clone(),
        policy: other.policy.clone(),
        expected: Vec::new(),
        ..*other
    }
}
