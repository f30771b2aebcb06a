//! The connections as the servers' end sees them: which reply belongs to which command, and what must not be written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use redlatch::{ConnectionId, KeyRole};

use super::{
    ledger::{Entry, Ledger, Title, Word},
    reference::{self, Trouble, Value},
    world::{ScriptCall, Verb, split_words},
};

/// As configured; it may be sent to log in, and shown nowhere.
pub const PASSWORD: &str = "canary-password";

#[derive(Clone, Debug)]
pub struct Call {
    pub script: ScriptCall,
    pub title: Title,
    pub lease_ms: u64,
}

#[derive(Clone, Debug)]
pub enum Asked {
    Hello,
    Subscribe,
    Login,
    Select,
    Script(Call),
}

/// A command that was written.
#[derive(Clone, Debug)]
pub struct Sent {
    pub asked: Asked,
    pub seq: u64,
    pub at: u64,
}

#[derive(Debug, Default)]
pub struct Line {
    pub node: u32,
    pub made: bool,
    /// The engine or the server closed it.
    pub over: bool,
    /// The engine said so.
    pub dropped: bool,
    /// Something was received on it after which it cannot be used.
    pub broken: bool,
    pub queue: VecDeque<Sent>,
    pub channel: Vec<u8>,
    /// Of a reply, what is not delivered yet.
    pub late: Vec<u8>,
    input: Vec<u8>,
    greeted: bool,
    nonces: BTreeSet<Vec<u8>>,
    /// Scripts that the server said it does not know.
    unknown: BTreeSet<&'static str>,
    /// Scripts that were sent by their text.
    by_source: BTreeSet<&'static str>,
}

#[derive(Debug, Default)]
pub struct Wire {
    pub lines: BTreeMap<ConnectionId, Line>,
    pub newest: Option<ConnectionId>,
    pub seq: u64,
}

impl Wire {
    /// The connection to this server that can carry bytes.
    pub fn open(&self, node: u32) -> Option<ConnectionId> {
        let open = |line: &Line| line.node == node && line.made && !line.over;
        self.lines.iter().find_map(|(&id, line)| open(line).then_some(id))
    }

    /// Takes down what the engine writes. Answers with the calls of scripts.
    pub fn written(
        &mut self,
        id: ConnectionId,
        bytes: &[u8],
        at: u64,
        ledger: &mut Ledger,
    ) -> Vec<(u64, Call)> {
        let line = self.lines.get_mut(&id).expect("bytes for a connection that was asked for");
        assert!(line.made && !line.over, "bytes for a connection that is not open");
        let mut calls = Vec::new();
        for (_, command) in split_words(bytes) {
            self.seq += 1;
            let asked = line.read(&command);
            if let Asked::Script(call) = &asked {
                calls.push((self.seq, call.clone()));
                if call.script.releases() {
                    ledger.releasing(&call.title, line.node, self.seq);
                }
            }
            line.queue.push_back(Sent { asked, seq: self.seq, at });
        }
        calls
    }

    /// Takes down what the engine receives.
    pub fn received(&mut self, id: ConnectionId, bytes: &[u8], ledger: &mut Ledger) {
        let Some(line) = self.lines.get_mut(&id).filter(|line| line.made && !line.broken) else { return };
        line.input.extend(bytes);
        while !line.broken {
            match reference::read(&line.input) {
                Ok(read) if read.depth <= 8 => {
                    line.input.drain(..read.bytes);
                    line.pair(&read.value, ledger);
                }
                Err(Trouble::Incomplete) => return,
                Ok(_) | Err(Trouble::Malformed | Trouble::TooDeep) => line.broken = true,
            }
        }
    }
}

impl Line {
    /// A connection to this server that is yet to be made.
    pub fn to(node: u32) -> Self {
        Self { node, ..Self::default() }
    }

    /// What holds once everything that was received has been taken down.
    pub fn check(&self) {
        let is_script = |sent: &Sent| matches!(sent.asked, Asked::Script(_));
        assert!(self.over || !self.broken, "a broken connection is kept");
        assert!(self.queue.iter().is_sorted_by_key(is_script), "a script before the handshake is over");
        assert!(self.by_source.is_subset(&self.unknown), "EVAL though the server does not lack the script");
    }

    fn read(&mut self, command: &[Vec<u8>]) -> Asked {
        let name = command[0].as_slice();
        assert!(!self.broken, "{:?} on a connection that must not be used", text(name));
        let logs_in = name == b"HELLO" || name == b"AUTH";
        let shows =
            |argument: &Vec<u8>| argument.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
        assert!(logs_in || !command.iter().any(shows), "the password is sent with {:?}", text(name));
        assert_eq!(name == b"HELLO", !self.greeted, "the first command, and no other, is HELLO");
        self.greeted = true;
        match name {
            b"HELLO" => Asked::Hello,
            b"AUTH" => Asked::Login,
            b"SELECT" => Asked::Select,
            b"SUBSCRIBE" => {
                self.channel = command[1].clone();
                Asked::Subscribe
            }
            b"EVALSHA" | b"EVAL" => Asked::Script(self.read_call(command)),
            _ => panic!("{:?} is no command of ours", text(name)),
        }
    }

    fn read_call(&mut self, command: &[Vec<u8>]) -> Call {
        let script = ScriptCall::read(command).expect("a script of ours");
        if script.by_source {
            self.by_source.insert(script.name());
        }
        let nonce = script.nonce().clone();
        assert!(nonce.len() == 16 && self.nonces.insert(nonce), "a nonce is used twice");
        let lease_ms = script.lease().unwrap_or(0);
        assert!(!script.acquires() || lease_ms >= 100, "a lease of {lease_ms} ms");
        let title = Title { token: script.token().clone(), keys: script.keys_of(KeyRole::Lock).to_vec() };
        Call { script, title, lease_ms }
    }

    /// Sees which command a reply belongs to, and what it says.
    fn pair(&mut self, value: &Value, ledger: &mut Ledger) {
        let head = self.queue.front().cloned();
        if matches!(value, Value::Push(_)) && !matches!(&head, Some(Sent { asked: Asked::Subscribe, .. })) {
            return;
        }
        let Some(Sent { asked, seq, at }) = head else {
            self.broken = true;
            return;
        };
        self.queue.pop_front();
        let error = match value {
            Value::Error(line) | Value::BlobError(line) => Some(line.as_slice()),
            _ => None,
        };
        match asked {
            Asked::Hello => {
                let fine = matches!(value, Value::Array(_) | Value::Other) || error.is_some_and(lacks_hello);
                self.broken |= !fine;
            }
            Asked::Subscribe => self.broken |= error.is_none() && !matches!(value, Value::Push(_)),
            Asked::Login | Asked::Select => self.broken |= *value != Value::Simple(b"OK".to_vec()),
            Asked::Script(call) => match (error, call.word(value)) {
                (Some(line), _) => {
                    if !call.script.by_source && line.starts_with(b"NOSCRIPT") {
                        self.unknown.insert(call.script.name());
                    }
                }
                (None, Some(word)) => {
                    let Call { title, lease_ms, .. } = call;
                    let entry =
                        Entry { title, node: self.node, seq, at, lease_ms, word, sure: !self.dropped };
                    ledger.enter(entry);
                }
                (None, None) => self.broken = true,
            },
        }
    }
}

impl Call {
    /// What a reply says; `None` if it is not one to this call.
    fn word(&self, value: &Value) -> Option<Word> {
        let Value::Array(elements) = value else { return None };
        let (nonce, rest) = elements.split_first()?;
        if *nonce != Value::Bulk(self.script.nonce().clone()) {
            return None;
        }
        match (self.script.verb(), rest) {
            (Verb::Acquire, [Value::Integer(1), Value::Bulk(fence)]) => {
                let digits = !fence.is_empty() && fence.iter().all(u8::is_ascii_digit);
                let fence = core::str::from_utf8(fence).ok()?.parse().ok()?;
                (digits && fence > 0).then_some(Word::Granted(fence))
            }
            (Verb::Acquire, [Value::Integer(0), Value::Integer(-1..)]) => Some(Word::Taken),
            (
                Verb::Acquire,
                [Value::Integer(0), Value::Integer(-1..), Value::Integer(_), Value::Integer(ahead)],
            ) => u32::try_from(*ahead).ok().map(|_| Word::Taken),
            (Verb::Extend, [Value::Integer(1)]) => Some(Word::Ours),
            (Verb::Extend, [Value::Integer(0)]) => Some(Word::NotOurs),
            (Verb::Release, [Value::Integer(count)]) => u64::try_from(*count).ok().map(Word::Released),
            _ => None,
        }
    }
}

fn lacks_hello(line: &[u8]) -> bool {
    let line = line.to_ascii_lowercase();
    ["noproto", "err unknown command", "err unknown subcommand", "err wrong number of arguments"]
        .iter()
        .any(|text| line.starts_with(text.as_bytes()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
