//! Commands as a server reads them, the script calls among them, and the replies to these.

use redis_protocol::resp2::{decode::decode, types::OwnedFrame};
use redlatch::{KeyRole, Script};

/// What a script does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Acquire,
    Raise,
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
            Some("fence") => Verb::Raise,
            Some("extend" | "adopt") => Verb::Extend,
            Some("release") => Verb::Release,
            _ => panic!("{}", self.name()),
        }
    }

    pub fn acquires(&self) -> bool {
        self.verb() == Verb::Acquire
    }

    /// Whether it raises the fence counter to a lock's fence.
    pub fn raises(&self) -> bool {
        self.verb() == Verb::Raise
    }

    /// Whether it extends a lock, or adopts it.
    pub fn extends(&self) -> bool {
        self.verb() == Verb::Extend
    }

    pub fn adopts(&self) -> bool {
        self.name() == "adopt"
    }

    pub fn releases(&self) -> bool {
        self.verb() == Verb::Release
    }

    pub fn is_fair(&self) -> bool {
        self.name().starts_with("fair_")
    }

    /// How many lock keys there are, and how many keys belong to each.
    fn shape(&self) -> (usize, usize) {
        let (keys, arguments) = (self.keys.len(), self.arguments.len());
        let number = |at: usize| core::str::from_utf8(self.arguments[at].as_ref()).unwrap().parse().unwrap();
        let width = |at: usize| if self.arguments[at].as_ref().is_empty() { 1 } else { 2 };
        match self.name() {
            "exclusive_acquire" => ((arguments - 3) / width(2), width(2)),
            "multi_acquire" => (number(1), width(3)),
            "fair_acquire" => ((keys - 1) / 3, 3),
            "extend" | "adopt" => (keys, 1),
            "raise_fence" => (keys - 1, 1),
            _ => (arguments - 2, keys / (arguments - 2)),
        }
    }

    /// How many independent locks share the call. A release of several keys that hold one value is that of one lock.
    pub fn locks(&self) -> usize {
        let values = self.arguments.get(2..).unwrap_or_default();
        let is_one = values.windows(2).all(|pair| pair[0].as_ref() == pair[1].as_ref());
        match self.name() {
            "exclusive_acquire" => self.shape().0,
            "exclusive_release" if !is_one => values.len(),
            "extend" => self.arguments.len() - 2,
            _ => 1,
        }
    }

    /// The call as the locks that share it would make it alone, in the order of the results.
    pub fn split(&self) -> Vec<Self> {
        let (locks, width) = (self.locks(), self.shape().1);
        if locks == 1 {
            return vec![self.clone()];
        }
        let (common, own) = self.arguments.split_at(if self.acquires() { 3 } else { 2 });
        let counter = &self.keys[locks * width..];
        let each = self.keys.chunks(width).zip(own.chunks(own.len() / locks));
        let alone = |(keys, own): (&[Word], &[Word])| Self {
            keys: [keys, counter].concat(),
            arguments: [common, own].concat(),
            ..self.clone()
        };
        each.map(alone).collect()
    }

    /// The keys of one role, one for each lock key; none if the call has no keys of that role.
    pub fn keys_of(&self, role: KeyRole) -> Vec<Word> {
        let (locks, width) = self.shape();
        let place = self.script.layout[..width].iter().position(|each| *each == role);
        place
            .map_or_else(Vec::new, |at| (0..locks).map(|lock| self.keys[lock * width + at].clone()).collect())
    }

    /// The fence counter.
    pub fn counter(&self) -> Option<&Word> {
        let (locks, width) = self.shape();
        self.keys.get(locks * width)
    }

    pub fn nonce(&self) -> &Word {
        &self.arguments[0]
    }

    /// What the lock keys hold, without the claim of an adoption.
    pub fn value(&self) -> &Word {
        let at = match self.name() {
            "exclusive_acquire" => 3,
            "multi_acquire" => 4,
            "raise_fence" => 1,
            _ => 2,
        };
        &self.arguments[at]
    }

    /// The token in the value.
    pub fn token(&self) -> Vec<u8> {
        token_of(self.value().as_ref()).to_vec()
    }

    /// The claim in the value, or of an adoption; empty for none.
    pub fn claim(&self) -> Vec<u8> {
        if self.adopts() {
            return self.arguments[3].as_ref().to_vec();
        }
        self.value().as_ref()[self.token().len()..].strip_prefix(b" ").unwrap_or_default().to_vec()
    }

    /// The lease in ms; a release and a raised fence have none, and an extension with a lease of 0 changes nothing.
    pub fn lease(&self) -> Option<u64> {
        let at = match self.name() {
            _ if self.releases() || self.raises() => return None,
            "multi_acquire" => 2,
            _ => 1,
        };
        Some(core::str::from_utf8(self.arguments[at].as_ref()).unwrap().parse().unwrap())
    }

    /// The owner id of the waiter that is registered, has a position in the queue, or gives them up. `None` for none.
    pub fn waiter(&self) -> Option<&Word> {
        assert!(!self.extends() && !self.raises(), "it names no waiter");
        let at = match self.name() {
            "exclusive_acquire" => 4,
            "multi_acquire" => 5,
            "fair_acquire" => 3,
            _ => 1,
        };
        self.arguments.get(at).filter(|waiter| !waiter.as_ref().is_empty())
    }

    /// The fence to which the counter is raised.
    pub fn fence(&self) -> u64 {
        core::str::from_utf8(self.arguments[2].as_ref()).unwrap().parse().unwrap()
    }

    /// Whether a fair acquire joins the queue.
    pub fn joins(&self) -> bool {
        self.is_fair() && self.acquires() && self.arguments[5].as_ref() == b"1"
    }
}

/// The token in the value of a lock key, before the claim if there is one.
pub fn token_of(value: &[u8]) -> &[u8] {
    let space = value.iter().rposition(|&byte| byte == b' ');
    let is_claim = |at: usize| {
        let mut parts = value[at + 1..].splitn(2, |&byte| byte == b':');
        let (client, number) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        !client.is_empty() && !number.is_empty() && number.iter().all(u8::is_ascii_digit)
    };
    space.filter(|&at| is_claim(at)).map_or(value, |at| &value[..at])
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

    /// What the lock keys hold.
    pub fn value(&self) -> &str {
        self.call().value()
    }

    pub fn token(&self) -> String {
        String::from_utf8(self.call().token()).expect("text")
    }

    /// The claim in the value; empty for none.
    pub fn claim(&self) -> String {
        String::from_utf8(self.call().claim()).expect("text")
    }

    /// The lease in ms.
    pub fn lease(&self) -> u64 {
        self.call().lease().expect("a lease")
    }

    /// The owner id of the waiter; empty for none.
    pub fn waiter(&self) -> &str {
        self.call().waiter().map_or("", String::as_str)
    }

    /// The number in the waiter's owner id, `client:number`.
    pub fn waiter_number(&self) -> &str {
        self.call().waiter().and_then(|waiter| waiter.split(':').nth(1)).expect("client:number")
    }

    /// The reply that grants the lock; of a run all locks, with fences from this one on.
    pub fn granted(&self, fence: u64) -> String {
        self.results((fence..).take(self.call().locks()).map(|fence| format!(":{fence}")))
    }

    /// The reply that another holds the lock, or each lock of a run, for `pttl` ms; -1 for ever.
    pub fn denied(&self, pttl: i64) -> String {
        self.results((0..self.call().locks()).map(|_| format!(":{}", -pttl.max(0))))
    }

    /// The reply of a fair script that the waiter is in the queue: whether it has joined just now, and which other waiter
    /// of its client is the head, 0 for none.
    pub fn queued(&self, joined: bool, head: u32) -> String {
        self.results([":-60000".into(), format!(":{}", u8::from(joined)), format!(":{head}")])
    }

    /// The reply with a number: of keys that were deleted, or 1 for a lease that was extended.
    pub fn count(&self, number: usize) -> String {
        let call = self.call();
        let results = if call.releases() { call.keys_of(KeyRole::Lock).len() } else { call.locks() };
        self.results((0..results).map(|at| format!(":{}", u8::from(at < number))))
    }

    /// The reply with these results.
    pub fn results(&self, results: impl IntoIterator<Item = String>) -> String {
        let results: Vec<_> = results.into_iter().collect();
        let nonce = self.nonce();
        let head = format!("*{}\r\n${}\r\n{nonce}\r\n", results.len() + 1, nonce.len());
        results.into_iter().fold(head, |reply, result| reply + &result + "\r\n")
    }
}
