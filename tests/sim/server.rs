//! A server: the memory server with its own clock, fed command by command, so that the observer sees each
//! one.

use std::collections::BTreeMap;

use redlatch::{
    Instant, KeyRole,
    memory::{Server, SessionId, User},
    resp::{Limits, Reply, Scanner, decode},
};

use crate::{
    clock::ServerClock,
    cluster::{HOST, MASTER, first_view, name, port},
    memory::holder,
    network::LinkId,
    plan::{Micros, Settings, key_name},
    world::ScriptCall,
};

pub const PASSWORD: &str = "canary-password";

/// The reply of Redis 5.
const UNKNOWN_HELLO: &[u8] = b"-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n";

/// The reply of Redis to a user that may not access a key: nothing is executed.
pub const DENIED_KEY: &[u8] = b"-NOPERM No permissions to access a key\r\n";

pub struct SimServer {
    pub memory: Server,
    pub clock: ServerClock,
    pub paused: bool,
    /// Refuses connections, or does not answer at all.
    pub down: bool,
    pub silent: bool,
    /// When it lost everything, if it has not been back since.
    pub forgot: Option<Micros>,
    scanners: BTreeMap<LinkId, Scanner>,
    user: User,
    pub database: u32,
    /// Whether it does not know HELLO.
    old: bool,
    /// The lock key that the user may not access.
    denied_key: Option<Vec<u8>>,
    /// The connections that have just sent what the memory server did not get, each with the error.
    refused: Vec<(LinkId, &'static [u8])>,
}

/// What a call did to one of its locks.
pub struct Executed {
    /// The call as that lock would make it alone.
    pub call: ScriptCall,
    /// Whether the token held the keys before: then the reply grants whoever waits.
    pub mine: bool,
    /// The fencing token, if the reply grants.
    pub fence: Option<u64>,
    /// Whether it was executed, and not refused.
    pub done: bool,
    /// The other number in the reply: of keys that a release deleted, or 1 for an extension.
    pub count: usize,
    /// After how many ms the reply says to retry.
    pub hint: Option<i64>,
    /// Whether the reply says that the waiter has joined the queue.
    pub joined: bool,
}

impl SimServer {
    pub fn new(settings: &Settings, index: usize) -> Self {
        let mut user = User::new();
        if settings.with_password {
            user = user.with_password(PASSWORD.as_bytes());
        }
        if settings.without_channels {
            user = user.without_channels();
        }
        let mut memory = Server::new();
        match settings.cluster.filter(|cluster| cluster.has_sentinels()) {
            Some(cluster) if index >= settings.servers - cluster.all_sentinels() => {
                memory.watch(MASTER, HOST, port(settings.vote_of(index)));
            }
            Some(cluster) => memory.set_replica(index >= cluster.masters),
            None => memory.set_cluster(first_view(settings, name(index))),
        }
        let mut server = Self {
            memory,
            clock: ServerClock::new(settings.server_rates[index], settings.server_offsets[index]),
            paused: false,
            down: false,
            silent: false,
            forgot: None,
            scanners: BTreeMap::new(),
            user,
            database: settings.database,
            old: settings.old[index],
            denied_key: None,
            refused: Vec::new(),
        };
        server.allow_all();
        server
    }

    pub fn allow_all(&mut self) {
        self.denied_key = None;
        self.memory.set_user(b"default", self.user.clone());
    }

    pub fn deny(&mut self, command: &str) {
        self.memory.set_user(b"default", self.user.clone().without_command(command));
    }

    pub fn deny_key(&mut self, key: usize) {
        self.denied_key = Some(key_name(key));
    }

    pub fn now(&self, time: Micros) -> Instant {
        self.clock.now(time)
    }

    pub fn open(&mut self, link: LinkId) {
        self.memory.connect(SessionId(link.0));
        let limits = Limits { depth: 1, elements: 1000, bytes: 1 << 20 };
        self.scanners.insert(link, Scanner::new(limits));
    }

    pub fn end(&mut self, link: LinkId) {
        self.memory.disconnect(SessionId(link.0));
        self.scanners.remove(&link);
    }

    pub fn crash(&mut self, keeps: bool) {
        self.memory.restart(keeps);
        self.scanners.clear();
    }

    /// The complete commands in what arrived.
    pub fn commands(&mut self, link: LinkId, bytes: &[u8]) -> Vec<Vec<u8>> {
        let Some(scanner) = self.scanners.get_mut(&link) else { return Vec::new() };
        scanner.push(bytes);
        let mut commands = Vec::new();
        while let Some(frame) = scanner.next_frame().expect("clients write proper commands") {
            commands.push(frame.bytes.to_vec());
        }
        commands
    }

    /// Executes one command of [`commands`](Self::commands) at this time, whose script calls are these. True for a HELLO
    /// that it does not know.
    pub fn execute(&mut self, link: LinkId, command: &[u8], locks: &[Executed], time: Micros) -> bool {
        let is_unknown = self.old && command.windows(5).any(|part| part == b"HELLO");
        let is_denied = |key: &Vec<u8>| Some(key) == self.denied_key.as_ref();
        if is_unknown {
            self.refused.push((link, UNKNOWN_HELLO));
        } else if locks.iter().any(|lock| lock.call.keys.iter().any(is_denied)) {
            self.refused.push((link, DENIED_KEY));
        } else {
            let now = self.now(time);
            self.memory.receive(SessionId(link.0), command, now);
        }
        is_unknown
    }

    /// Whether the token of a call holds all of its lock keys, whatever the claim.
    pub fn is_owner(&self, call: &ScriptCall, time: Micros) -> bool {
        let now = self.now(time).as_micros() / 1000;
        let Some(keys) = self.memory.database(self.database) else { return false };
        call.keys_of(KeyRole::Lock).iter().all(|key| holder(keys, key, now) == Some(&call.token()))
    }

    /// The bytes written to sessions since the last call.
    pub fn take_outputs(&mut self) -> Vec<(LinkId, Vec<u8>)> {
        let ids: Vec<_> = self.memory.sessions_with_output().collect();
        let refused = self.refused.drain(..).map(|(link, error)| (link, error.to_vec()));
        refused.chain(ids.into_iter().map(|id| (LinkId(id.0), self.memory.take_output(id)))).collect()
    }
}

impl Executed {
    /// A call that is not executed yet, or was refused.
    pub const fn new(call: ScriptCall, mine: bool) -> Self {
        Self { call, mine, fence: None, done: false, count: 0, hint: None, joined: false }
    }

    /// Whether a lease was extended. A lease of 0 changes nothing.
    pub fn extended(&self) -> bool {
        self.call.extends() && self.count == 1 && self.call.lease() != Some(0)
    }

    /// Takes the results of the locks of one call from the bytes that the server wrote back, the last of which are the reply.
    pub fn read(locks: &mut [Self], output: &[u8]) {
        let mut scanner = Scanner::new(Limits::default());
        scanner.push(output);
        while let Ok(Some(frame)) = scanner.next_frame() {
            let Ok(Reply::Array(parts)) = decode(frame) else { continue };
            let results = parts.get(1..).unwrap_or_default();
            let size = results.len().checked_div(locks.len()).unwrap_or(0).max(1);
            locks.iter_mut().zip(results.chunks(size)).for_each(|(lock, result)| lock.take(result));
        }
    }

    fn take(&mut self, result: &[Reply<'_>]) {
        // The text of an error concerns this lock alone.
        self.done = !matches!(result, [Reply::Bulk(_)]);
        match result {
            [Reply::Integer(fence @ 1..)] if self.call.acquires() => self.fence = u64::try_from(*fence).ok(),
            [Reply::Integer(hint), rest @ ..] if self.call.acquires() => {
                self.hint = Some(if *hint == 0 { -1 } else { -hint });
                self.joined = matches!(rest, [Reply::Integer(1), _]);
            }
            flags => self.count = flags.iter().filter(|flag| **flag == Reply::Integer(1)).count(),
        }
    }
}
