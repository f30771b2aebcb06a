//! The connections from the servers' end: which reply belongs to which command, and what must not be written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use redlatch::{ConnectionId, KeyRole};

use super::{
    ledger::{Answer, Entry, Ledger, OwnedLock},
    reference::{self, Trouble, Value},
    world::{ScriptCall, Verb, split_words},
};

/// The configured password: it may be sent to log in, and must never be shown.
pub const PASSWORD: &str = "canary-password";

/// What a script call does for one of its locks.
#[derive(Clone, Debug)]
pub struct Call {
    pub script: ScriptCall,
    pub owned: OwnedLock,
    pub lease_ms: u64,
}

#[derive(Clone, Debug)]
pub enum Command {
    Hello,
    Subscribe,
    Login,
    Ping,
    Select,
    /// A script call: a run, or the call of one lock.
    Script(Vec<Call>),
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

    /// Records what the engine writes. Returns the script calls, lock by lock.
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
            let locks: &[Call] = if let Command::Script(locks) = &command { locks } else { &[] };
            for call in locks {
                calls.push((self.seq, call.clone()));
                if call.script.releases() {
                    ledger.releasing(&call.owned, connection.node, self.seq);
                }
            }
            connection.queue.push_back(Sent { command, seq: self.seq, at });
        }
        calls
    }

    /// Records what the engine receives.
    pub fn received(&mut self, id: ConnectionId, bytes: &[u8], ledger: &mut Ledger) {
        let Some(connection) =
            self.connections.get_mut(&id).filter(|connection| connection.made && !connection.broken)
        else {
            return;
        };
        connection.input.extend(bytes);
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

    fn read_call(&mut self, words: &[Vec<u8>]) -> Vec<Call> {
        let script = ScriptCall::read(words).expect("a script of ours");
        let name = script.name();
        if script.by_source && (self.known.contains(name) || !self.ahead.insert(name)) {
            self.by_source.insert(name);
        }
        let nonce = script.nonce().clone();
        assert!(nonce.len() == 16 && self.nonces.insert(nonce), "a nonce is used twice");
        let lease_ms = script.lease().unwrap_or(0);
        assert!(!script.acquires() || lease_ms >= 100, "a lease of {lease_ms} ms");
        assert!(script.locks() <= 32, "a run of {} locks", script.locks());
        let call = |script: ScriptCall| {
            let owned = OwnedLock { token: script.token(), keys: script.keys_of(KeyRole::Lock) };
            Call { script, owned, lease_ms }
        };
        script.split().into_iter().map(call).collect()
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
            Command::Script(calls) => match (error, answers(&calls, value)) {
                (Some(line), _) => {
                    let script = &calls[0].script;
                    if script.by_source || line.starts_with(b"NOSCRIPT") {
                        self.unknown.insert(script.name());
                    }
                }
                (None, Some(answers)) => {
                    self.known.insert(calls[0].script.name());
                    for (Call { owned, lease_ms, .. }, answer) in calls.into_iter().zip(answers) {
                        let Some(answer) = answer else { continue };
                        let sure = !self.dropped;
                        ledger.enter(Entry { owned, node: self.node, seq, at, lease_ms, answer, sure });
                    }
                }
                (None, None) => self.broken = true,
            },
        }
    }
}

/// The meaning of a reply for each lock, `None` for an error that concerns it alone; `None` if it is no reply to this call.
fn answers(calls: &[Call], value: &Value) -> Option<Vec<Option<Answer>>> {
    let Value::Array(elements) = value else { return None };
    let (nonce, results) = elements.split_first()?;
    // A lock alone may have several results.
    let size = if calls.len() == 1 { results.len().max(1) } else { 1 };
    if *nonce != Value::Bulk(calls[0].script.nonce().clone()) || results.len() != size * calls.len() {
        return None;
    }
    let answer = |(call, result): (&Call, &[Value])| match call.has_own_error(result) {
        true => Some(None),
        false => call.answer(result).map(Some),
    };
    calls.iter().zip(results.chunks(size)).map(answer).collect()
}

impl Call {
    /// Whether the result is the text of an error that concerns this lock alone.
    fn has_own_error(&self, result: &[Value]) -> bool {
        let [Value::Bulk(text) | Value::Simple(text)] = result else { return false };
        self.script.acquires() && text.first().is_some_and(u8::is_ascii_uppercase)
    }

    /// The meaning of a result; `None` if it has another form.
    fn answer(&self, result: &[Value]) -> Option<Answer> {
        let numbers: Vec<_> = result.iter().map(Value::integer).collect::<Option<_>>()?;
        let is_flag = |number: &i64| (0..=1).contains(number);
        match (self.script.verb(), numbers.as_slice()) {
            (Verb::Acquire, &[fence]) if fence > 0 => u64::try_from(fence).ok().map(Answer::Granted),
            (Verb::Acquire, &[_]) => Some(Answer::Taken),
            (Verb::Acquire, &[hint, 0 | 1, ahead]) if hint <= 0 => {
                u32::try_from(ahead).ok().map(|_| Answer::Taken)
            }
            (Verb::Extend, [1]) => Some(Answer::Ours),
            (Verb::Extend, [0]) => Some(Answer::NotOurs),
            (Verb::Release, [_, ..]) if numbers.iter().all(is_flag) => {
                Some(Answer::Released(numbers.iter().filter(|&&number| number == 1).count() as u64))
            }
            _ => None,
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
