use crate::time::Duration;

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
    /// Whether waiters are served in the order of their arrival at the server. On one server only.
    pub fair: bool,
    /// Whether the token holds the keys already, and the lock is only to be taken over.
    pub adopt: bool,
}
