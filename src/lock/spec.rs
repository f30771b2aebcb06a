//! What was asked for: the parts of a lock that do not change while it lives.

use super::{keys, lease};
use crate::{engine::into_sorted_set, entropy::Token, error::Misuse, time::Duration};

/// What the application asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The keys to take, all or none. Order and duplicates do not matter.
    pub keys: Vec<Vec<u8>>,
    /// The owner's token; 160 random bits are drawn without it.
    pub token: Option<Vec<u8>>,
    /// The lease: at least 100 ms.
    pub ttl: Duration,
    /// The longest wait. Zero is one attempt; [`Duration::MAX`] waits for ever.
    pub wait: Duration,
    /// Whether to extend the lease at a third of it until the lock is released.
    pub renew: bool,
    /// How long to hold at most; [`Duration::MAX`] for ever.
    pub max_hold: Duration,
}

/// How all locks of an engine go about it.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The error allowed for in the rate of clocks, in millionths. 10 000 is 1 %.
    pub drift: u32,
    /// The shortest pause between attempts.
    pub retry_min: Duration,
    /// The longest pause between attempts.
    pub retry_max: Duration,
    /// How long a server may take to answer; by default 5 % of the lease, 20 ms to 1 s.
    pub node_timeout: Option<Duration>,
    /// How long a connection, with its handshake, may take.
    pub connect_timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            drift: 10_000,
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_millis(250),
            node_timeout: None,
            connect_timeout: Duration::from_millis(5000),
        }
    }
}

/// A request that was found in order.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// The lock keys, sorted, then their fence counters in the same order: KEYS of the scripts.
    keys: Vec<Vec<u8>>,
    pub(crate) token: Vec<u8>,
    /// The token, if it was drawn here.
    pub(crate) minted: Option<Token>,
    pub(crate) ttl: Duration,
    pub(crate) wait: Duration,
    pub(crate) renew: bool,
    pub(crate) max_hold: Duration,
    /// How long each server may take to answer.
    pub(crate) node_timeout: Duration,
}

impl Spec {
    /// `minted` is the token for a request that brings none.
    pub(crate) fn new(request: Request, minted: Option<Token>, policy: &Policy) -> Result<Self, Misuse> {
        let Request { keys, token, ttl, wait, renew, max_hold } = request;
        if keys.is_empty() || keys.iter().any(Vec::is_empty) {
            return Err(Misuse::EmptyKey);
        }
        if keys.iter().any(|key| keys::is_reserved(key)) {
            return Err(Misuse::ReservedKey);
        }
        if ttl < lease::SHORTEST {
            return Err(Misuse::BadLease);
        }
        let mut keys = into_sorted_set(keys);
        let fences: Vec<_> = keys.iter().map(|key| keys::fence(key)).collect();
        keys.extend(fences);
        let token = token.or_else(|| minted.map(|token| token.to_hex())).unwrap_or_default();
        let node_timeout = policy.node_timeout.unwrap_or_else(|| lease::default_node_timeout(ttl));
        Ok(Self { keys, token, minted, ttl, wait, renew, max_hold, node_timeout })
    }

    /// How many keys are locked.
    pub(crate) fn count(&self) -> usize {
        self.keys.len() / 2
    }

    /// The lock keys.
    pub(crate) fn lock_keys(&self) -> &[Vec<u8>] {
        self.keys.get(..self.count()).unwrap_or_default()
    }

    /// The lock keys and their fence counters.
    pub(crate) fn all_keys(&self) -> &[Vec<u8>] {
        &self.keys
    }
}
