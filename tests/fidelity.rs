//! The fidelity gate: the memory server and a real one give the same replies, byte by byte, and end with the same keys.
//!
//! Random sequences of steps are run on both. The wall clock of the real server is ours (`fidelity/clock.c`), so that times,
//! expiries and fencing tokens are equal to the microsecond, and nothing waits. A plain vector of steps is enough: no
//! step needs a state to make sense in, and proptest shrinks a vector by leaving steps out.
//!
//! Runs against `redis-server`, and `valkey-server` where it is installed (Debian has it in bookworm-backports). What Valkey
//! does differently, apart from wording, is in `run_alike` and `Server::set_own_pushes_last`. FIDELITY_COMMANDS: how many
//! commands, 100 000 by default; FIDELITY_SEED: the seed of the random ones, 0 by default.
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

#[path = "fidelity/real.rs"]
mod real;
#[path = "fidelity/steps.rs"]
mod steps;

use std::{cell::Cell, io::Write, process::Command};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use real::{Connection, RealServer, encode};
use redlatch::{
    Instant,
    memory::{Server, SessionId, Trouble, User, Value},
};
use steps::{CONNECTIONS, Step, Users, Word, steps, users};

/// Where every sequence begins: some day in 2023.
const START: u64 = 1_700_000_000_123_456;

/// Both servers, and the connections to them.
struct Pair<'a> {
    real: &'a mut RealServer,
    memory: Server,
    connections: Vec<(Connection, SessionId)>,
    now: u64,
}

impl<'a> Pair<'a> {
    fn new(real: &'a mut RealServer, users: Users) -> Self {
        real.set_clock(START);
        for command in ["FLUSHALL", "SCRIPT FLUSH", "CONFIG SET maxmemory 0", "ACL DELUSER bob"] {
            real.command(&command.split(' ').collect::<Vec<_>>());
        }
        let mut memory = Server::new();
        memory.set_version(real.name(), &real.version);
        memory.set_own_pushes_last(real.is_valkey);

        let (rule, default) = if users.default_needs_password {
            (">secret", User::new().with_password(b"secret"))
        } else {
            ("nopass", User::new())
        };
        real.command(&["ACL", "SETUSER", "default", "reset", "on", rule, "~*", "&*", "+@all"]);
        memory.set_user(b"default", default);
        let mut rules = vec!["ACL", "SETUSER", "bob", "reset", "on", ">builder", "~*", "+@all"];
        let denials: Vec<_> = users.denied.iter().map(|name| format!("-{name}")).collect();
        rules.extend(denials.iter().map(String::as_str));
        let mut bob = User::new().with_password(b"builder");
        for name in users.denied {
            bob = bob.without_command(name);
        }
        if users.no_channels {
            bob = bob.without_channels();
        } else {
            rules.push("&*");
        }
        real.command(&rules);
        memory.set_user(b"bob", bob);

        let mut pair = Self { real, memory, connections: Vec::new(), now: START };
        for _ in 0..CONNECTIONS {
            let connection = pair.connect();
            pair.connections.push(connection);
        }
        pair
    }

    fn connect(&mut self) -> (Connection, SessionId) {
        let (connection, id) = self.real.connect();
        self.memory.connect(SessionId(id));
        (connection, SessionId(id))
    }

    /// Runs one step on both servers; returns how many commands it had.
    fn step(&mut self, step: &Step) -> Result<usize, String> {
        match step {
            Step::Time(micros) => {
                self.now = self.now.saturating_add_signed(*micros);
                self.real.set_clock(self.now);
            }
            Step::OutOfMemory(out) => {
                self.real.command(&["CONFIG", "SET", "maxmemory", if *out { "1" } else { "0" }]);
                self.memory.set_trouble(out.then_some(Trouble::OutOfMemory));
            }
            Step::Reconnect(at) => {
                let fresh = self.connect();
                let (_, old) = std::mem::replace(&mut self.connections[*at], fresh);
                self.memory.disconnect(old);
            }
            Step::Commands(at, commands) => return self.run_alike(*at, commands),
        }
        Ok(0)
    }

    /// Against Valkey 8.0, leaves out two cases that it handles differently. The engine causes neither.
    fn run_alike(&mut self, at: usize, commands: &[Vec<Word>]) -> Result<usize, String> {
        if !self.real.is_valkey {
            return self.run(at, commands).map(|()| commands.len());
        }
        let has = |command: &[Word], word: &str| command.contains(&Word::Text(word.into()));
        // Without a subscription, Valkey answers with an error.
        let commands: Vec<_> =
            commands.iter().filter(|command| !has(command, "UNSUBSCRIBE")).cloned().collect();
        // A refused login behind other commands gets no reply (valkey-io/valkey#2106, and redis/redis#15640 from 7.2 on).
        let alone = commands.iter().any(|command| has(command, "AUTH"));
        commands.chunks(if alone { 1 } else { usize::MAX }).try_for_each(|some| self.run(at, some))?;
        Ok(commands.len())
    }

    fn run(&mut self, at: usize, commands: &[Vec<Word>]) -> Result<(), String> {
        let mut bytes = Vec::new();
        for command in commands {
            let words: Vec<_> = command.iter().map(|word| word.render(self.now)).collect();
            bytes.extend(encode(words.iter().map(Vec::as_slice)));
        }
        let now = Instant::from_micros(self.now);
        // In two parts, split anywhere; the real server gets it in one.
        let (first, second) = bytes.split_at(bytes.len() * 2 / 3);
        let (connection, id) = &mut self.connections[at];
        if self.memory.is_closed(*id) {
            return Ok(());
        }
        self.memory.receive(*id, first, now);
        self.memory.receive(*id, second, now);
        connection.write(&bytes);
        self.compare_output(at)
            .map_err(|difference| format!("{commands:?} on connection {at}:\n{difference}"))
    }

    /// Compares the connection on which commands were sent first: by then, what the others receive is written.
    fn compare_output(&mut self, first: usize) -> Result<(), String> {
        for at in std::iter::once(first).chain((0..CONNECTIONS).filter(|&at| at != first)) {
            let (connection, id) = &mut self.connections[at];
            let expected = self.memory.take_output(*id);
            let got = connection.read_as_many(&expected);
            if got != expected {
                let (memory, real) = (expected.escape_ascii(), got.escape_ascii());
                return Err(format!("connection {at}\n  memory: {memory}\n  real:   {real}"));
            }
            if self.memory.is_closed(*id) && !connection.is_over() {
                return Err(format!("connection {at} goes on"));
            }
        }
        Ok(())
    }

    /// Checks that no output is left, and that both have the same keys.
    fn compare_state(&mut self) -> Result<(), String> {
        for at in 0..CONNECTIONS {
            self.run(at, &[vec![Word::Text(b"PING".to_vec())]])?;
        }
        for number in [0, 1] {
            let real = self.real.table(number);
            let memory =
                self.memory.database(number).map(|keys| table(keys, self.now / 1000)).unwrap_or_default();
            if real != memory {
                return Err(format!("keys of database {number}\n  memory: {memory:?}\n  real:   {real:?}"));
            }
        }
        Ok(())
    }
}

fn table(keys: &redlatch::memory::Keyspace, now: u64) -> Vec<(Vec<u8>, Vec<Vec<u8>>, i64)> {
    let value = |value: &Value| match value {
        Value::String(text) => vec![text.clone()],
        Value::SortedSet(set) => {
            let pairs = set.entries().iter();
            pairs.flat_map(|(score, member)| [member.clone(), score.to_string().into_bytes()]).collect()
        }
    };
    keys.live(now)
        .map(|(key, content, expiry)| (key.to_vec(), value(content), expiry.map_or(-1, |at| at as i64)))
        .collect()
}

/// Compares the memory server with `program`, by at least that many commands.
fn hold_against(program: &str, commands: usize) {
    let mut real = RealServer::start(program, START);
    let (sequences, run) = (Cell::new(0_usize), Cell::new(0_usize));
    // A sequence has 230 commands on average. They are counted, and too few fail the test.
    let cases = u32::try_from(commands / 200 + 1).unwrap();
    let config = Config { cases, source_file: Some(file!()), max_shrink_time: 60_000, ..Config::default() };
    let seed: u64 = std::env::var("FIDELITY_SEED").map_or(0, |seed| seed.parse().unwrap());
    let seed: Vec<u8> = [seed.to_le_bytes(); 4].concat();
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let shared = std::cell::RefCell::new(&mut real);
    let result = runner.run(&(users(), steps()), |(users, steps)| {
        let mut real = shared.borrow_mut();
        let mut pair = Pair::new(&mut real, users);
        for step in &steps {
            let count = pair.step(step).map_err(TestCaseError::fail)?;
            run.set(run.get() + count);
        }
        sequences.set(sequences.get() + 1);
        pair.compare_state().map_err(TestCaseError::fail)
    });
    if let Err(error) = result {
        panic!("{program} {}: {error}", real.version);
    }
    say(format_args!("{program} {}: {} commands in {} sequences", real.version, run.get(), sequences.get()));
    assert!(run.get() >= commands, "too few commands in a sequence");
}

/// Prints even where the output of passing tests is hidden.
fn say(what: std::fmt::Arguments<'_>) {
    std::io::stdout().write_all(format!("fidelity: {what}\n").as_bytes()).unwrap();
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn the_memory_server_and_real_servers_reply_alike() {
    let commands = std::env::var("FIDELITY_COMMANDS").map_or(100_000, |number| number.parse().unwrap());
    hold_against("redis-server", commands);
    if is_installed("valkey-server") {
        hold_against("valkey-server", commands);
    } else {
        say(format_args!("valkey-server is not installed: nothing was compared with it"));
    }
}
