//! What a seed stands for: how the world is, what applications do in it, and what goes wrong. All of it is drawn before
//! anything runs (`generator.rs`), so that parts of a plan can be left out and the rest still happens.

use redlatch::{Policy, memory::Trouble};

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
    /// How long, in true time, every lease given out until now lasts at most, by clocks that are up to 6 % slow.
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
    pub keys: usize,
    /// Nothing goes wrong and nothing is slow, so nothing may fail.
    pub calm: bool,
    /// How long faults happen and locks are asked for; then the quiet period begins.
    pub span: Micros,
    pub policy: Policy,
    /// How much faster clocks run than the true time, in millionths.
    pub client_rates: Vec<i64>,
    pub server_rates: Vec<i64>,
    /// How far the wall clocks are ahead.
    pub server_offsets: Vec<i64>,
    /// Rates differ by more than the allowance: exclusion is not to be had.
    pub rates_broken: bool,
    pub delay: Delay,
    pub rechunks: bool,
    /// How late timers fire at most.
    pub lateness: Micros,
    /// How often, of a hundred times, bytes still arrive that were sent before the client closed.
    pub lands_after_close: u64,
    /// How often, of a hundred times, a connection is refused, or never made.
    pub refused: u64,
    pub with_password: bool,
    pub without_channels: bool,
    pub database: u32,
    /// Servers that do not know HELLO, and so speak RESP2 only.
    pub old: Vec<bool>,
    /// Whether the observer excuses what no client can promise.
    pub exemptions: bool,
}

/// How long bytes take.
#[derive(Clone, Copy, Debug)]
pub struct Delay {
    pub least: Micros,
    pub most: Micros,
    /// How often, of a hundred times, it is up to `tail` longer.
    pub tail_chance: u64,
    pub tail: Micros,
}

/// An application that asks for a lock, and what it does with it.
#[derive(Clone, Debug)]
pub struct Op {
    pub at: Micros,
    pub client: usize,
    pub keys: Vec<usize>,
    pub fair: bool,
    pub ttl: u64,
    /// In ms; `u64::MAX` for ever.
    pub wait: u64,
    pub renew: bool,
    pub max_hold: Option<u64>,
    pub hold: Micros,
    pub cancel_after: Option<Micros>,
    /// A token of its own, by number: who brings the same one re-enters.
    pub token: Option<u64>,
    pub operations: Vec<(Micros, Operation)>,
    pub handover: Option<Handover>,
}

/// Another process is told the token of a lock that is held, to adopt it.
#[derive(Clone, Copy, Debug)]
pub struct Handover {
    pub to: usize,
    /// How long after the grant.
    pub after: Micros,
    /// How long the word takes.
    pub travels: Micros,
    /// Whether the first process ends then. Otherwise both have the lock, and who lets go of it does so for both.
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
    /// The connections between the two break; of what is under way, some bytes still arrive.
    Cut {
        client: usize,
        server: usize,
    },
    /// Nothing arrives any more on them, in either direction or in one, and nobody is told.
    Mute {
        client: usize,
        server: usize,
        up: bool,
        down: bool,
    },
    /// The next reply is lost, doubled, or preceded by one that nobody asked for; the connection goes on.
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
    /// The client's event loop stands still.
    Stall {
        client: usize,
        lasts: Micros,
    },
    /// The same, and its monotonic clock too.
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
    /// The user may not do this any more for a while.
    Deny {
        server: usize,
        command: &'static str,
        lasts: Micros,
    },
}

impl What {
    /// What it counts as.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cut { .. } => "cut",
            Self::Mute { .. } => "mute",
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
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tamper {
    Drop,
    Double,
    Inject,
}

/// What a key is called.
pub fn key_name(key: usize) -> Vec<u8> {
    format!("lock:{key}").into_bytes()
}

impl Plan {
    /// By how much servers' clocks are set back, all in all: for so long may a key outlast its lease.
    pub fn set_back(&self) -> Micros {
        let steps = self.faults.iter().map(|fault| match fault.what {
            What::ServerStep { by, .. } => by.min(0).unsigned_abs(),
            _ => 0,
        });
        steps.sum()
    }
}
