//! What a seed stands for: the settings of the world, what applications do in it, and its faults. All of it
//! is drawn before anything runs (`generator.rs`), so that parts of a plan can be left out while the rest
//! still happens.

use redlatch::{Policy, memory::Trouble};

use crate::clusters::{ClusterSettings, TAGGED, Upheaval, slots_of};

/// Microseconds.
pub type Micros = u64;
pub const MS: Micros = 1000;
pub const SECOND: Micros = 1_000_000;

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub settings: Settings,
    pub ops: Vec<Op>,
    pub faults: Vec<Fault>,
}

impl Plan {
    /// The longest time, in true time, that any lease of this plan lasts, by clocks that are up to 6 % slow.
    pub fn longest_lease(&self) -> Micros {
        let of = |op: &Op| {
            let extensions = op.operations.iter().filter_map(|&(_, operation)| match operation {
                Operation::Extend(ttl) => Some(ttl),
                Operation::Verify => None,
            });
            extensions.fold(op.ttl, u64::max)
        };
        let longest = self.ops.iter().map(of).max().unwrap_or_default() * MS;
        longest + longest / 10 + MS
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub clients: usize,
    pub servers: usize,
    /// What else there is to know if the servers are one cluster.
    pub cluster: Option<ClusterSettings>,
    pub keys: usize,
    /// No faults and no delays, so nothing may fail.
    pub calm: bool,
    /// What a patient client has to wait out, if nothing else fails: then every free lock is granted, and none is lost.
    pub patience: Option<&'static str>,
    /// How long faults happen and locks are requested; then the quiet period begins.
    pub span: Micros,
    pub policy: Policy,
    /// How much faster clocks run than the true time, in millionths.
    pub client_rates: Vec<i64>,
    pub server_rates: Vec<i64>,
    /// How far the wall clocks are ahead.
    pub server_offsets: Vec<i64>,
    /// Rates differ by more than the allowance: exclusion cannot be expected.
    pub rates_broken: bool,
    pub delay: Delay,
    /// How much longer bytes take to each server, and back.
    pub distances: Vec<Micros>,
    pub rechunks: bool,
    /// How late timers fire at most.
    pub lateness: Micros,
    /// The percentage of cases in which bytes still arrive that were sent before the client closed.
    pub lands_after_close: u64,
    /// The percentage of cases in which a connection is refused or never made.
    pub refused: u64,
    pub with_password: bool,
    pub without_channels: bool,
    pub database: u32,
    /// Servers that do not know HELLO and speak RESP2 only.
    pub old: Vec<bool>,
    /// Which clients of a cluster have their wake-ups published on shard channels.
    pub sharded: Vec<bool>,
    /// The percentage of cases in which a server's replica does not confirm what was written, if clients ask for one.
    pub replica_away: u64,
    /// Whether the observer makes exemptions for what no client can promise.
    pub exemptions: bool,
}

impl Settings {
    /// How many votes there are: a cluster has one, and so has each master with its sentinels.
    pub const fn votes(&self) -> usize {
        match self.cluster {
            None => self.servers,
            Some(cluster) if cluster.has_sentinels() => cluster.masters,
            Some(_) => 1,
        }
    }

    /// The vote of a server.
    pub const fn vote_of(&self, server: usize) -> usize {
        match self.cluster {
            None => server,
            Some(cluster) if cluster.has_sentinels() => cluster.shard_of(server, self.servers),
            Some(_) => 0,
        }
    }

    /// The slots that a lock of these keys is taken in, one after the other; one where there is no cluster.
    pub fn turns(&self, keys: &[usize]) -> usize {
        match self.cluster {
            Some(cluster) if !cluster.has_sentinels() => slots_of(keys).len(),
            _ => 1,
        }
    }

    /// Whether an attempt may leave grants in a part of the places where a lock of these keys is taken. Under a token of the
    /// application, such an attempt is the last.
    pub fn grants_in_part(&self, keys: &[usize]) -> bool {
        self.votes() > 1 || self.turns(keys) > 1
    }
}

/// How long bytes take.
#[derive(Clone, Copy, Debug)]
pub struct Delay {
    pub least: Micros,
    pub most: Micros,
    /// The percentage of cases in which they take up to `tail` longer.
    pub tail_chance: u64,
    pub tail: Micros,
}

/// An application that requests a lock, and what it does with it.
#[derive(Clone, Debug)]
pub struct Op {
    pub at: Micros,
    pub client: usize,
    pub keys: Vec<usize>,
    pub fair: bool,
    pub ttl: u64,
    /// In ms; `u64::MAX` for an endless wait.
    pub wait: u64,
    pub renew: bool,
    pub max_hold: Option<u64>,
    pub hold: Micros,
    /// How long after the request the application gives up; 0 for at once, in the same turn of the event loop.
    pub cancel_after: Option<Micros>,
    /// A token of the application, by number: the same number re-enters.
    pub token: Option<u64>,
    pub operations: Vec<(Micros, Operation)>,
    pub handover: Option<Handover>,
}

/// Another process gets the token of a held lock, to adopt it.
#[derive(Clone, Copy, Debug)]
pub struct Handover {
    pub to: usize,
    /// How long after the grant.
    pub after: Micros,
    /// How long the token takes to get there.
    pub travels: Micros,
    /// Whether the first process ends then. Otherwise both hold the lock, and the one that releases it does
    /// so for both.
    pub dies: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// In ms.
    Extend(u64),
    Verify,
}

#[derive(Clone, Debug)]
pub struct Fault {
    pub at: Micros,
    pub what: What,
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    /// The connections between the two break; some of the bytes in flight still arrive.
    Cut {
        client: usize,
        server: usize,
    },
    /// Bytes no longer arrive on them, in either direction or in one, and neither end is notified.
    Mute {
        client: usize,
        server: usize,
        up: bool,
        down: bool,
    },
    /// The connections between the two are forgotten on the way: the next bytes that the client writes are answered with
    /// RST.
    Reset {
        client: usize,
        server: usize,
    },
    /// The next reply is lost, doubled, or preceded by an unsolicited one; the connection stays open.
    Tamper {
        client: usize,
        server: usize,
        how: Tamper,
    },
    Crash {
        server: usize,
        keeps: bool,
        silent: bool,
        down: Micros,
    },
    Pause {
        server: usize,
        lasts: Micros,
    },
    ServerStep {
        server: usize,
        by: i64,
    },
    ClientStep {
        client: usize,
        by: i64,
    },
    /// The client's event loop stalls.
    Stall {
        client: usize,
        lasts: Micros,
    },
    /// The same, and its monotonic clock stops too.
    Suspend {
        client: usize,
        lasts: Micros,
    },
    Kill {
        client: usize,
    },
    LoseKey {
        server: usize,
        key: usize,
        which: usize,
    },
    FlushScripts {
        server: usize,
    },
    Trouble {
        server: usize,
        which: Trouble,
        lasts: Micros,
    },
    /// The user may not run this command for a while.
    Deny {
        server: usize,
        command: &'static str,
        lasts: Micros,
    },
    /// The user may not access this lock key for a while.
    DenyKey {
        server: usize,
        key: usize,
        lasts: Micros,
    },
    /// A change of the cluster.
    Cluster(Upheaval),
}

impl What {
    /// The name under which it is counted.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cut { .. } => "cut",
            Self::Mute { .. } => "mute",
            Self::Reset { .. } => "reset",
            Self::Tamper { .. } => "tamper",
            Self::Crash { keeps: true, .. } => "crash",
            Self::Crash { keeps: false, .. } => "crash without the data",
            Self::Pause { .. } => "pause",
            Self::ServerStep { by: ..0, .. } => "server clock back",
            Self::ServerStep { .. } => "server clock forward",
            Self::ClientStep { .. } => "client clock",
            Self::Stall { .. } => "stall",
            Self::Suspend { .. } => "suspend",
            Self::Kill { .. } => "kill",
            Self::LoseKey { .. } => "key lost",
            Self::FlushScripts { .. } => "scripts flushed",
            Self::Trouble { .. } => "trouble",
            Self::Deny { .. } => "deny",
            Self::DenyKey { .. } => "key denied",
            Self::Cluster(what) => what.name(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tamper {
    Drop,
    Double,
    Inject,
}

/// The name of a key.
pub fn key_name(key: usize) -> Vec<u8> {
    match key.checked_sub(TAGGED) {
        Some(number) => format!("{{lock}}:{number}").into_bytes(),
        None => format!("lock:{key}").into_bytes(),
    }
}

impl Plan {
    /// Whether no other application wants a lock of this one.
    pub fn is_alone(&self, op: usize) -> bool {
        let keys = &self.ops[op].keys;
        let shares = |other: &Op| other.keys.iter().any(|key| keys.contains(key));
        self.ops.iter().enumerate().all(|(index, other)| index == op || !shares(other))
    }

    /// Whether a client may hear that it has no access to one of these keys. An error has no nonce, so it may be the reply
    /// to a command of other keys if another reply is lost.
    pub fn may_be_denied(&self, keys: &[usize]) -> bool {
        let concerns = |fault: &Fault| match fault.what {
            What::DenyKey { key, .. } => keys.contains(&key),
            What::Tamper { .. } => true,
            _ => false,
        };
        self.faults.iter().any(concerns)
    }

    /// By how much servers' clocks are set back in total: a key may outlast its lease by so much.
    pub fn set_back(&self) -> Micros {
        let steps = self.faults.iter().map(|fault| match fault.what {
            What::ServerStep { by, .. } => by.min(0).unsigned_abs(),
            _ => 0,
        });
        steps.sum()
    }
}
