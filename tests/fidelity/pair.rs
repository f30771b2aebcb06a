//! A real server and its double in memory, which get the same commands.

use std::{fmt::Debug, io::Write};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use redlatch::{
    Instant,
    memory::{Keyspace, Server, SessionId, Trouble, Value},
};

use crate::{
    real::{Connection, RealServer, encode},
    users::Users,
};

/// Where every sequence begins: some day in 2023.
pub const START: u64 = 1_700_000_000_123_456;

/// Both servers, and the connections to them.
pub struct Pair<'a> {
    pub real: &'a mut RealServer,
    pub memory: Server,
    connections: Vec<(Connection, SessionId)>,
    pub now: u64,
}

impl<'a> Pair<'a> {
    /// Empties the real server, and makes an empty one in memory.
    pub fn new(real: &'a mut RealServer, users: Users, connections: usize) -> Self {
        real.set_clock(START);
        for command in ["FLUSHALL", "SCRIPT FLUSH", "CONFIG SET maxmemory 0", "ACL DELUSER bob"] {
            real.command(&command.split(' ').collect::<Vec<_>>());
        }
        let mut memory = Server::new();
        memory.set_version(real.name(), &real.version);
        memory.set_own_pushes_last(real.is_valkey);
        users.install(real, &mut memory);
        let mut pair = Self { real, memory, connections: Vec::new(), now: START };
        for _ in 0..connections {
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

    pub fn reconnect(&mut self, at: usize) {
        let fresh = self.connect();
        let (_, old) = std::mem::replace(&mut self.connections[at], fresh);
        self.memory.disconnect(old);
    }

    pub fn pass_time(&mut self, micros: i64) {
        self.now = self.now.saturating_add_signed(micros);
        self.real.set_clock(self.now);
    }

    pub fn set_out_of_memory(&mut self, out: bool) {
        self.real.command(&["CONFIG", "SET", "maxmemory", if out { "1" } else { "0" }]);
        self.memory.set_trouble(out.then_some(Trouble::OutOfMemory));
    }

    /// The time of both servers.
    pub const fn instant(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    /// Runs commands, given by their words, on that connection to both servers, and returns the replies. `shown` names the
    /// commands if the replies differ.
    pub fn run(
        &mut self,
        at: usize,
        commands: &[Vec<Vec<u8>>],
        shown: &dyn Debug,
    ) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for command in commands {
            bytes.extend(encode(command.iter().map(Vec::as_slice)));
        }
        let now = self.instant();
        // In two parts, split anywhere; the real server gets it in one.
        let (first, second) = bytes.split_at(bytes.len() * 2 / 3);
        let (connection, id) = &mut self.connections[at];
        if self.memory.is_closed(*id) {
            return Ok(Vec::new());
        }
        self.memory.receive(*id, first, now);
        self.memory.receive(*id, second, now);
        connection.write(&bytes);
        self.compare_output(at).map_err(|difference| format!("{shown:?} on connection {at}:\n{difference}"))
    }

    /// Compares the connection on which commands were sent first: by then, what the others receive is written.
    fn compare_output(&mut self, first: usize) -> Result<Vec<u8>, String> {
        let mut replies = Vec::new();
        let others = (0..self.connections.len()).filter(|&at| at != first);
        for at in std::iter::once(first).chain(others) {
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
            if at == first {
                replies = expected;
            }
        }
        Ok(replies)
    }

    /// Checks that no output is left, and that both have the same keys in these databases.
    pub fn compare_state(&mut self, databases: &[u32]) -> Result<(), String> {
        for at in 0..self.connections.len() {
            self.run(at, &[vec![b"PING".to_vec()]], &"PING")?;
        }
        for &number in databases {
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

fn table(keys: &Keyspace, now: u64) -> Vec<(Vec<u8>, Vec<Vec<u8>>, i64)> {
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

/// How many commands to compare, if FIDELITY_COMMANDS does not say.
pub fn commands(default: usize) -> usize {
    std::env::var("FIDELITY_COMMANDS").map_or(default, |number| number.parse().unwrap())
}

/// Draws that many sequences by the seed, whose failures are kept beside that source file.
pub fn runner(cases: usize, source_file: &'static str) -> TestRunner {
    let cases = u32::try_from(cases).unwrap();
    let config =
        Config { cases, source_file: Some(source_file), max_shrink_time: 60_000, ..Config::default() };
    let seed: u64 = std::env::var("FIDELITY_SEED").map_or(0, |seed| seed.parse().unwrap());
    let seed: Vec<u8> = [seed.to_le_bytes(); 4].concat();
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

/// Prints even where the output of passing tests is hidden.
pub fn say(what: std::fmt::Arguments<'_>) {
    std::io::stdout().write_all(format!("fidelity: {what}\n").as_bytes()).unwrap();
}
