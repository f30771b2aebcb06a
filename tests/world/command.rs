//! Commands as a server reads them, the script calls among them, and the replies to these.

use redis_protocol::resp2::{decode::decode, types::OwnedFrame};
use redlatch::{KeyRole, Script};

/// What a script does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Acquire,
    Extend,
    Release,
}

/// A call of a script. `Word` is how its reader keeps the words of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptCall<Word = Vec<u8>> {
    pub script: &'static Script,
    /// By EVAL with the script's source, not by EVALSHA.
    pub by_source: bool,
    pub keys: Vec<Word>,
    /// ARGV: nonce, token, ...
    pub arguments: Vec<Word>,
}

impl<Word: AsRef<[u8]> + Clone> ScriptCall<Word> {
    /// The call that a command is, if it is one of a script of ours.
    pub fn read(words: &[Word]) -> Option<Self> {
        let [name, text, count, rest @ ..] = words else { return None };
        let by_source = match name.as_ref() {
            b"EVAL" => true,
            b"EVALSHA" => false,
            _ => return None,
        };
        let text = text.as_ref();
        let script = if by_source { Script::by_source(text) } else { Script::by_sha1(text) }?;
        let count = core::str::from_utf8(count.as_ref()).ok()?.parse().ok()?;
        let (keys, arguments) = rest.split_at_checked(count)?;
        Some(Self { script, by_source, keys: keys.to_vec(), arguments: arguments.to_vec() })
    }

    pub const fn name(&self) -> &'static str {
        self.script.name
    }

    pub fn verb(&self) -> Verb {
        match self.name().rsplit('_').next() {
            Some("acquire") => Verb::Acquire,
            Some("extend") => Verb::Extend,
            Some("release") => Verb::Release,
            _ => panic!("{}", self.name()),
        }
    }

    pub fn acquires(&self) -> bool {
        self.verb() == Verb::Acquire
    }

    pub fn extends(&self) -> bool {
        self.verb() == Verb::Extend
    }

    pub fn releases(&self) -> bool {
        self.verb() == Verb::Release
    }

    pub fn is_fair(&self) -> bool {
        self.name().starts_with("fair_")
    }

    /// The keys of one role, one for each lock key; none if the script has no keys of that role.
    pub fn keys_of(&self, role: KeyRole) -> &[Word] {
        let layout = self.script.layout;
        assert_eq!(self.keys.len() % layout.len(), 0, "{}: {} keys", self.name(), self.keys.len());
        self.script.keys(&self.keys, role).unwrap_or_default()
    }

    pub fn nonce(&self) -> &Word {
        &self.arguments[0]
    }

    pub fn token(&self) -> &Word {
        &self.arguments[1]
    }

    /// The lease in ms; a release has none, and an extension with a lease of 0 changes nothing.
    pub fn lease(&self) -> Option<u64> {
        if self.releases() {
            return None;
        }
        Some(core::str::from_utf8(self.arguments[2].as_ref()).unwrap().parse().unwrap())
    }

    /// The owner id of the waiter that is registered, has a position in the queue, or gives them up; empty for none.
    pub fn waiter(&self) -> &Word {
        assert!(!self.extends(), "an extension names no waiter");
        &self.arguments[if self.acquires() { 3 } else { 2 }]
    }

    /// Whether a fair acquire joins the queue.
    pub fn joins(&self) -> bool {
        self.is_fair() && self.acquires() && self.arguments[5].as_ref() == b"1"
    }
}

impl ScriptCall {
    /// The call that these bytes begin with, if they do.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Self::read(&next_command(bytes)?.0)
    }
}

/// The words of the first command in some bytes, and its length; `None` if the bytes begin with no whole command.
fn next_command(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let (OwnedFrame::Array(parts), used) = decode(bytes).ok()?? else { return None };
    let word = |part: OwnedFrame| match part {
        OwnedFrame::BulkString(bytes) => Some(bytes),
        _ => None,
    };
    Some((parts.into_iter().map(word).collect::<Option<_>>()?, used))
}

/// The commands in what a client wrote, as words, each with its bytes. Clients write whole commands.
pub fn split_words(mut bytes: &[u8]) -> Vec<(&[u8], Vec<Vec<u8>>)> {
    let mut commands = Vec::new();
    while !bytes.is_empty() {
        let next = next_command(bytes);
        let (words, used) = next.unwrap_or_else(|| panic!("not whole commands: {}", bytes.escape_ascii()));
        let (command, rest) = bytes.split_at(used);
        commands.push((command, words));
        bytes = rest;
    }
    commands
}

/// A command's bytes.
pub fn write_command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes += &format!("${}\r\n{word}\r\n", word.len());
    }
    bytes.into_bytes()
}

/// A command whose words are text, for tests that compare them with literals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub words: Vec<String>,
    call: Option<ScriptCall<String>>,
}

/// The commands in what a client wrote.
pub fn read_commands(bytes: &[u8]) -> Vec<Command> {
    let text = |word: Vec<u8>| String::from_utf8(word).expect("text");
    let command = |(_, words): (&[u8], Vec<Vec<u8>>)| {
        let words: Vec<_> = words.into_iter().map(text).collect();
        Command { call: ScriptCall::read(&words), words }
    };
    split_words(bytes).into_iter().map(command).collect()
}

impl Command {
    /// The script's name, or the command's.
    pub fn name(&self) -> &str {
        self.call.as_ref().map_or(self.words[0].as_str(), |call| call.name())
    }

    pub fn call(&self) -> &ScriptCall<String> {
        self.call.as_ref().unwrap_or_else(|| panic!("no script call: {:?}", self.words))
    }

    pub fn is_call(&self) -> bool {
        self.call.is_some()
    }

    pub fn by_source(&self) -> bool {
        self.call().by_source
    }

    pub fn keys(&self) -> &[String] {
        &self.call().keys
    }

    /// ARGV: nonce, token, ...
    pub fn arguments(&self) -> &[String] {
        &self.call().arguments
    }

    pub fn nonce(&self) -> &str {
        self.call().nonce()
    }

    /// The number in the waiter's owner id, `client:number`.
    pub fn waiter_number(&self) -> &str {
        self.call().waiter().split(':').nth(1).expect("client:number")
    }

    /// The reply that grants the lock.
    pub fn granted(&self, fence: u64) -> String {
        let fence = fence.to_string();
        self.reply(&format!(":1\r\n${}\r\n{fence}\r\n", fence.len()), 3)
    }

    /// The reply that another holds the lock for `pttl` ms; -1 for ever.
    pub fn denied(&self, pttl: i64) -> String {
        self.reply(&format!(":0\r\n:{pttl}\r\n"), 3)
    }

    /// The reply of a fair script that the waiter is in the queue: whether it has joined just now, and which other waiter
    /// of its client is the head, 0 for none.
    pub fn queued(&self, joined: bool, head: u32) -> String {
        self.reply(&format!(":0\r\n:60000\r\n:{}\r\n:{head}\r\n", u8::from(joined)), 5)
    }

    /// The reply with a number: of keys that were deleted, or 1 for a lease that was extended.
    pub fn count(&self, number: u64) -> String {
        self.reply(&format!(":{number}\r\n"), 2)
    }

    fn reply(&self, rest: &str, elements: usize) -> String {
        format!("*{elements}\r\n${}\r\n{}\r\n{rest}", self.nonce().len(), self.nonce())
    }
}
