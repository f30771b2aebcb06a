//! What was asked for: the parts of a lock that do not change while it lives.

use crate::{
    error::InvalidRequest,
    planted::{Planted, planted},
    quorum,
    script::{
        self, EXCLUSIVE_ACQUIRE, EXCLUSIVE_EXTEND, EXCLUSIVE_RELEASE, FAIR_ACQUIRE, FAIR_RELEASE, Script,
        into_sorted_set,
    },
    time::Duration,
};

/// What the application asks for.
#[derive(Clone, Debug, Hash)]
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
    /// Whether to be served in the order of arrival at the server. On one server only.
    pub fair: bool,
    /// Whether the token holds the keys already, and the lock is only to be taken over.
    pub adopt: bool,
}

/// How all locks of an engine go about it.
#[derive(Clone, Debug, Hash)]
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
#[derive(Clone, Debug, Hash)]
pub(crate) struct Spec {
    /// The lock keys, sorted, then what is derived from them, name by name.
    keys: Vec<Vec<u8>>,
    count: usize,
    pub(crate) ttl: Duration,
    pub(crate) wait: Duration,
    pub(crate) renew: bool,
    pub(crate) max_hold: Duration,
    pub(crate) fair: bool,
    pub(crate) adopt: bool,
    /// How long each server may take to answer.
    pub(crate) node_timeout: Duration,
}

/// A call of a script, but for nonce and token.
pub(crate) struct Call<'a> {
    pub(crate) script: &'static Script,
    /// KEYS.
    pub(crate) keys: &'a [Vec<u8>],
}

impl Spec {
    pub(crate) fn new(request: &Request, policy: &Policy) -> Result<Self, InvalidRequest> {
        let &Request { ttl, wait, renew, max_hold, fair, adopt, .. } = request;
        if request.keys.is_empty() || request.keys.iter().any(Vec::is_empty) {
            return Err(InvalidRequest::EmptyKey);
        }
        if request.keys.iter().any(|key| script::is_reserved(key)) {
            return Err(InvalidRequest::ReservedKey);
        }
        if ttl < quorum::SHORTEST {
            return Err(InvalidRequest::BadLease);
        }
        let mut keys = into_sorted_set(request.keys.iter().cloned());
        if planted(Planted::DuplicatesCount) {
            keys.clone_from(&request.keys);
        }
        let count = keys.len();
        script::push_derived(
            if fair { &["fence", "queue", "places"] } else { &["fence", "waiters"] },
            &mut keys,
        );
        let node_timeout = policy.node_timeout.unwrap_or_else(|| quorum::default_node_timeout(ttl));
        Ok(Self { keys, count, ttl, wait, renew, max_hold, fair, adopt, node_timeout })
    }

    /// Whether it takes part in queues: a lock that is adopted is held already.
    pub(crate) const fn queues(&self) -> bool {
        self.fair && !self.adopt
    }

    /// How many keys are locked.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// The lock keys, sorted.
    pub(crate) fn lock_keys(&self) -> &[Vec<u8>] {
        self.keys.get(..self.count).unwrap_or_default()
    }

    pub(crate) fn acquire(&self) -> Call<'_> {
        let script = if self.fair { &FAIR_ACQUIRE } else { &EXCLUSIVE_ACQUIRE };
        Call { script, keys: &self.keys }
    }

    pub(crate) fn extend(&self) -> Call<'_> {
        let with_fences = self.keys.get(..self.count.saturating_mul(2)).unwrap_or_default();
        Call { script: &EXCLUSIVE_EXTEND, keys: with_fences }
    }

    pub(crate) fn release(&self) -> Call<'_> {
        let script = if self.fair { &FAIR_RELEASE } else { &EXCLUSIVE_RELEASE };
        Call { script, keys: &self.keys }
    }
}
