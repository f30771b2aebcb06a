//! Depth first through all states, each entered once.

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
    hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use crate::{action::Action, setup::Setup, state::State};

pub struct Report {
    name: &'static str,
    states: usize,
    transitions: u64,
    depth: usize,
    ends: u64,
    time: Duration,
    pub outcomes: BTreeSet<&'static str>,
}

/// A state on the path, and the branches that are not taken yet.
struct Visit {
    world: State,
    actions: Vec<Action>,
    taken: Option<Action>,
}

/// States are remembered by their fingerprint: 64 bits of SipHash over the fingerprints of their parts. With
/// ten million states, the odds that two share one, so that a branch is missed, are about 1 : 100 000.
type Seen = HashSet<u64, BuildHasherDefault<Identity>>;

/// The report, or the rule that is broken and the path to it.
pub fn explore(setup: &Setup) -> Result<Report, String> {
    let begun = Instant::now();
    let mut report = Report {
        name: setup.name,
        states: 0,
        transitions: 0,
        depth: 0,
        ends: 0,
        time: Duration::ZERO,
        outcomes: BTreeSet::new(),
    };
    let mut seen = Seen::default();
    let first = State::new(setup);
    seen.insert(fingerprint(&first));
    let mut path = vec![visit(first, setup, None)];
    while let Some(here) = path.last_mut() {
        let Some(action) = here.actions.pop() else {
            path.pop();
            continue;
        };
        let mut world = here.world.clone();
        report.transitions += 1;
        if let Err(violation) = world.act(action, setup) {
            return Err(violation_report(setup, &path, Some(action), &violation));
        }
        let print = fingerprint(&world);
        if matches!(action, Action::Timer(_)) && print == fingerprint(&here.world) {
            return Err(violation_report(
                setup,
                &path,
                Some(action),
                "a timer that changes nothing stays due",
            ));
        }
        if !seen.insert(print) {
            continue;
        }
        let next = visit(world, setup, Some(action));
        // Where only another fault can happen, the world must come to rest without one.
        if next.actions.iter().all(|action| action.is_fault()) {
            report.ends += 1;
            if let Err(violation) = next.world.clone().settle(setup) {
                path.push(next);
                return Err(violation_report(setup, &path, None, &violation));
            }
        }
        report.outcomes.extend(&next.world.news.0);
        if seen.len().is_multiple_of(1_000_000) {
            println!("search: {} is at {} million states", setup.name, seen.len() / 1_000_000);
        }
        path.push(next);
        report.depth = report.depth.max(path.len());
    }
    report.states = seen.len();
    report.time = begun.elapsed();
    Ok(report)
}

fn visit(world: State, setup: &Setup, taken: Option<Action>) -> Visit {
    Visit { actions: world.actions(setup), world, taken }
}

fn fingerprint(world: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

fn violation_report(setup: &Setup, path: &[Visit], last: Option<Action>, violation: &str) -> String {
    let taken = path.iter().filter_map(|visit| visit.taken).chain(last);
    let way: Vec<_> = taken.map(|action| format!("{action:?}")).collect();
    format!("{}: {violation}\nthe way there: {}", setup.name, way.join(", "))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, states, transitions, depth, ends, time, .. } = self;
        write!(
            f,
            "{name:32} {states:>10} states {transitions:>11} transitions, depth {depth:>3}, {ends:>8} ends, {:>6.1} s",
            time.as_secs_f64()
        )
    }
}

/// Fingerprints are hashes already.
#[derive(Default)]
pub struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only for u64");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
