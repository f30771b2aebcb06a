//! The fidelity gate: the memory server and a real one give the same replies, byte by byte, and end with the same keys.
//!
//! Random sequences of steps are run on both. The wall clock of the real server is ours (`fidelity/clock.c`), so that times,
//! expiries and fencing tokens are equal to the microsecond, and nothing waits. A plain vector of steps is enough: no
//! step needs a state to make sense in, and proptest shrinks a vector by leaving steps out.
//!
//! Runs against `redis-server`, and `valkey-server` where it is installed (Debian has it in bookworm-backports). What Valkey
//! does differently, apart from wording, is in `run_alike` and `Server::set_own_pushes_last`. Two nodes of a cluster are
//! compared with `redis-server` alone. FIDELITY_COMMANDS: how many commands each test runs, by default 100 000, and 50 000
//! for the cluster; FIDELITY_SEED: the seed of the random ones, 0 by default.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "fidelity/cluster.rs"]
mod cluster;
#[path = "fidelity/moves.rs"]
mod moves;
#[path = "fidelity/nodes.rs"]
mod nodes;
#[path = "fidelity/pair.rs"]
mod pair;
#[path = "fidelity/real.rs"]
mod real;
#[path = "fidelity/steps.rs"]
mod steps;
#[path = "fidelity/users.rs"]
mod users;

use std::{
    cell::{Cell, RefCell},
    process::Command,
};

use proptest::test_runner::TestCaseError;

use pair::{Pair, START, commands, runner, say};
use real::RealServer;
use steps::{CONNECTIONS, Step, Word, steps};
use users::users;

impl Pair<'_> {
    /// Runs one step on both servers; returns how many commands it had.
    fn step(&mut self, step: &Step) -> Result<usize, String> {
        match step {
            Step::Time(micros) => self.pass_time(*micros),
            Step::OutOfMemory(out) => self.set_out_of_memory(*out),
            Step::Reconnect(at) => self.reconnect(*at),
            Step::Commands(at, commands) => return self.run_alike(*at, commands),
        }
        Ok(0)
    }

    /// Against Valkey 8.0, leaves out two cases that it handles differently. The engine causes neither.
    fn run_alike(&mut self, at: usize, commands: &[Vec<Word>]) -> Result<usize, String> {
        if !self.real.is_valkey {
            return self.run_words(at, commands).map(|()| commands.len());
        }
        let has = |command: &[Word], word: &str| command.contains(&Word::Text(word.into()));
        // Without a subscription, Valkey answers with an error.
        let commands: Vec<_> = commands
            .iter()
            .filter(|command| !has(command, "UNSUBSCRIBE") && !has(command, "SUNSUBSCRIBE"))
            .cloned()
            .collect();
        // A refused login behind other commands gets no reply (valkey-io/valkey#2106, and redis/redis#15640 from 7.2 on).
        let alone = commands.iter().any(|command| has(command, "AUTH"));
        commands.chunks(if alone { 1 } else { usize::MAX }).try_for_each(|some| self.run_words(at, some))?;
        Ok(commands.len())
    }

    fn run_words(&mut self, at: usize, commands: &[Vec<Word>]) -> Result<(), String> {
        let render = |command: &Vec<Word>| command.iter().map(|word| word.render(self.now, "")).collect();
        let rendered: Vec<Vec<Vec<u8>>> = commands.iter().map(render).collect();
        self.run(at, &rendered, &commands).map(drop)
    }
}

/// Compares the memory server with `program`, by at least that many commands.
fn hold_against(program: &str, commands: usize) {
    let mut real = RealServer::start(program, START);
    let (sequences, run) = (Cell::new(0_usize), Cell::new(0_usize));
    // A sequence has 230 commands on average. They are counted, and too few fail the test.
    let mut runner = runner(commands / 200 + 1, file!());
    let shared = RefCell::new(&mut real);
    let result = runner.run(&(users(), steps()), |(users, steps)| {
        let mut real = shared.borrow_mut();
        let mut pair = Pair::new(&mut real, users, CONNECTIONS);
        for step in &steps {
            let count = pair.step(step).map_err(TestCaseError::fail)?;
            run.set(run.get() + count);
        }
        sequences.set(sequences.get() + 1);
        pair.compare_state(&[0, 1]).map_err(TestCaseError::fail)
    });
    if let Err(error) = result {
        panic!("{program} {}: {error}", real.version);
    }
    say(format_args!("{program} {}: {} commands in {} sequences", real.version, run.get(), sequences.get()));
    assert!(run.get() >= commands, "too few commands in a sequence");
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn the_memory_server_and_real_servers_reply_alike() {
    let commands = commands(100_000);
    hold_against("redis-server", commands);
    if is_installed("valkey-server") {
        hold_against("valkey-server", commands);
    } else {
        say(format_args!("valkey-server is not installed: nothing was compared with it"));
    }
}

#[test]
fn memory_servers_and_the_nodes_of_a_cluster_reply_alike() {
    cluster::hold_against("redis-server", commands(50_000));
}
