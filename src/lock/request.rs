use crate::time::Duration;

/// A lock that the application wants, for [`Engine::acquire`](crate::Engine::acquire).
#[derive(Clone, Debug, Hash)]
pub struct Request {
    /// The keys to take, all or none (rule 12). At least one; none may be empty or have the form of a derived key.
    /// Order and duplicates do not matter.
    pub keys: Vec<Vec<u8>>,
    /// The application's own token. `None` draws 160 random bits.
    pub token: Option<Vec<u8>>,
    /// The lease, at least 100 ms.
    pub ttl: Duration,
    /// The longest wait. Zero makes a single attempt; [`Duration::MAX`] waits for ever.
    pub wait: Duration,
    /// Whether to renew: to extend the lease at a third of it, until the lock is released (rule 5).
    pub renew: bool,
    /// The longest hold. After it the lock is lost, even if it is renewed. [`Duration::MAX`] sets no limit.
    pub max_hold: Duration,
    /// Whether waiters are served in the order of their arrival at the server (rule 9). Requires a single server.
    pub fair: bool,
    /// `None` acquires. `Some` adopts a lock that `token` holds already, with its fence: 0 if it is unknown, or for a
    /// Redlock.
    pub adopt: Option<u64>,
}
