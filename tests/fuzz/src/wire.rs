//! The connections from the servers' end: which reply belongs to which command, and what must not be written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use redlatch::ConnectionId;

use super::{
    call::{Call, concerns_one},
    ledger::{Entry, Ledger},
    reference::{self, Trouble, Value},
    world::{ScriptCall, split_words},
};

/// The configured password: it may be sent to log in, and must never be shown.
pub const PASSWORD: &str = "canary-password";

#[derive(Clone, Debug)]
pub enum Command {
    Hello,
    Subscribe,
    Login,
    Ping,
    Select,
    Script(Call),
}

/// A command that was written.
#[derive(Clone, Debug)]
pub struct Sent {
    pub command: Command,
    pub seq: u64,
    pub at: u64,
}

#[derive(Debug, Default)]
pub struct Connection {
    pub node: u32,
    pub made: bool,
    /// The engine or the server closed it.
    pub over: bool,
    /// The engine closed it.
    pub dropped: bool,
    /// Something arrived on it after which it must not be used.
    pub broken: bool,
    pub queue: VecDeque<Sent>,
    pub channel: Vec<u8>,
    /// The part of a reply that is not delivered yet.
    pub late: Vec<u8>,
    input: Vec<u8>,
    /// The last command that was written before what arrives now.
    answered: u64,
    greeted: bool,
    nonces: BTreeSet<Vec<u8>>,
    /// Scripts that the server does not know, as it said, or may not know because it refused the source.
    unknown: BTreeSet<&'static str>,
    /// Scripts that were sent by source.
    by_source: BTreeSet<&'static str>,
    /// Scripts that were sent by source once, because it was not known whether the server has them.
    ahead: BTreeSet<&'static str>,
    known: BTreeSet<&'static str>,
}

#[derive(Debug, Default)]
pub struct Wire {
    pub connections: BTreeMap<ConnectionId, Connection>,
    pub newest: Option<ConnectionId>,
    pub seq: u64,
}

impl Wire {
    /// The connection to this server that can carry bytes.
    pub fn open(&self, node: u32) -> Option<ConnectionId> {
        let open = |connection: &Connection| connection.node == node && connection.made && !connection.over;
        self.connections.iter().find_map(|(&id, connection)| open(connection).then_some(id))
    }

    /// Records what the engine writes. Returns the script calls.
    pub fn written(
        &mut self,
        id: ConnectionId,
        bytes: &[u8],
        at: u64,
        ledger: &mut Ledger,
    ) -> Vec<(u64, Call)> {
        let connection = self.connections.get_mut(&id).expect("bytes for a connection that was dialed");
        assert!(connection.made && !connection.over, "bytes for a connection that is not open");
        let mut calls = Vec::new();
        for (_, words) in split_words(bytes) {
            self.seq += 1;
            let command = connection.read(&words);
            if let Command::Script(call) = &command {
                calls.push((self.seq, call.clone()));
                for owned in call.locks.iter().filter(|_| call.script.releases()) {
                    ledger.releasing(owned, connection.node, self.seq);
                }
            }
            connection.queue.push_back(Sent { command, seq: self.seq, at });
        }
        calls
    }

    /// Records what the engine receives, after what it wrote then. `answered` is the last command that was written before.
    pub fn received(&mut self, id: ConnectionId, bytes: &[u8], answered: u64, ledger: &mut Ledger) {
        let Some(connection) =
            self.connections.get_mut(&id).filter(|connection| connection.made && !connection.broken)
        else {
            return;
        };
        connection.input.extend(bytes);
        connection.answered = answered;
        while !connection.broken {
            match reference::read(&connection.input) {
                Ok(read) if read.depth <= 8 => {
                    connection.input.drain(..read.bytes);
                    connection.pair(&read.value, ledger);
                }
                Err(Trouble::Incomplete) => return,
                Ok(_) | Err(Trouble::Malformed | Trouble::TooDeep) => connection.broken = true,
            }
        }
    }
}

impl Connection {
    /// A connection to this server that is not made yet.
    pub fn to(node: u32) -> Self {
        Self { node, ..Self::default() }
    }

    /// What holds once everything that was received is recorded.
    pub fn check(&self) {
        let is_script = |sent: &Sent| matches!(sent.command, Command::Script(_));
        assert!(self.over || !self.broken, "a broken connection is kept");
        assert!(self.queue.iter().is_sorted_by_key(is_script), "a script before the handshake is over");
        assert!(self.by_source.is_subset(&self.unknown), "EVAL though the server does not lack the script");
    }

    fn read(&mut self, words: &[Vec<u8>]) -> Command {
        let name = words[0].as_slice();
        assert!(!self.broken, "{:?} on a connection that must not be used", text(name));
        let logs_in = name == b"HELLO" || name == b"AUTH";
        let shows = |word: &Vec<u8>| word.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
        assert!(logs_in || !words.iter().any(shows), "the password is sent with {:?}", text(name));
        assert!(name != b"HELLO" || !self.greeted, "HELLO is the first command or none");
        self.greeted = true;
        match name {
            b"HELLO" => Command::Hello,
            b"AUTH" => Command::Login,
            b"SELECT" => Command::Select,
            b"PING" => Command::Ping,
            b"SUBSCRIBE" => {
                self.channel = words[1].clone();
                Command::Subscribe
            }
            b"EVALSHA" | b"EVAL" => Command::Script(self.read_call(words)),
            _ => panic!("{:?} is no command of ours", text(name)),
        }
    }

    fn read_call(&mut self, words: &[Vec<u8>]) -> Call {
        let script = ScriptCall::read(words).expect("a script of ours");
        let name = script.name();
        if script.by_source && (self.known.contains(name) || !self.ahead.insert(name)) {
            self.by_source.insert(name);
        }
        let nonce = script.nonce().clone();
        assert!(nonce.len() == 16 && self.nonces.insert(nonce), "a nonce is used twice");
        Call::of(script)
    }

    /// Pairs a reply with its command, and records it.
    fn pair(&mut self, value: &Value, ledger: &mut Ledger) {
        let head = self.queue.front().cloned();
        if matches!(value, Value::Push(_)) && !matches!(&head, Some(Sent { command: Command::Subscribe, .. }))
        {
            return;
        }
        let Some(Sent { command, seq, at }) = head else {
            self.broken = true;
            return;
        };
        self.queue.pop_front();
        let error = match value {
            Value::Error(line) | Value::BlobError(line) => Some(line.as_slice()),
            _ => None,
        };
        match command {
            Command::Hello => {
                let fine = matches!(value, Value::Array(_) | Value::Other)
                    || error.is_some_and(|line| !refuses_client(line));
                self.broken |= !fine;
            }
            Command::Subscribe => self.broken |= error.is_none() && !matches!(value, Value::Push(_)),
            Command::Ping => self.broken |= error.is_none() && !matches!(value, Value::Simple(_)),
            Command::Login | Command::Select => self.broken |= *value != Value::Simple(b"OK".to_vec()),
            Command::Script(call) => match (error, call.answers(value)) {
                (Some(line), _) => {
                    if call.script.by_source || line.starts_with(b"NOSCRIPT") {
                        self.unknown.insert(call.script.name());
                    }
                    if concerns_one(line) {
                        self.check_alone(&call);
                    }
                }
                (None, Some(answers)) => {
                    self.known.insert(call.script.name());
                    let (node, lease_ms, sure) = (self.node, call.lease_ms, !self.dropped);
                    for (owned, answer) in call.locks.into_iter().zip(answers) {
                        let Some(answer) = answer else { continue };
                        ledger.enter(Entry { owned, node, seq, at, lease_ms, answer, sure });
                    }
                }
                (None, None) => self.broken = true,
            },
        }
    }

    /// The server refused a run for the sake of one lock, perhaps: each that asks again goes alone.
    fn check_alone(&self, refused: &Call) {
        for owned in &refused.locks {
            let again = self.queue.iter().filter(|sent| sent.seq > self.answered).find_map(|sent| {
                let Command::Script(call) = &sent.command else { return None };
                (call.script.name() == refused.script.name() && call.locks.contains(owned)).then_some(call)
            });
            let shared = again.map_or(1, |call| call.locks.len());
            assert!(refused.locks.len() == 1 || shared == 1, "asked again together with {shared}");
        }
    }
}

/// Whether a refusal of HELLO certainly means the client, so that nothing may follow on the connection.
fn refuses_client(line: &[u8]) -> bool {
    ["WRONGPASS ", "NOPERM ", "DENIED ", "LOADING "].iter().any(|prefix| line.starts_with(prefix.as_bytes()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
