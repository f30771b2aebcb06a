//! Requests and times.

use redlatch::{Duration, Instant, Request};

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How much later than its deadline a patient timer is believed (rule 16).
pub const LOOK: Duration = ms(1);

pub fn at(millis: u64) -> Instant {
    Instant::default().after(ms(millis))
}

/// A request for one key with a lease of 10 s and a wait of 5 s.
pub fn request(key: impl AsRef<[u8]>) -> Request {
    Request {
        keys: vec![key.as_ref().to_vec()],
        token: None,
        ttl: ms(10_000),
        wait: ms(5000),
        renew: false,
        max_hold: Duration::MAX,
        fair: false,
        adopt: None,
    }
}

/// A plain lock that is waited for.
pub fn waiting(key: &str) -> Request {
    Request { wait: ms(60_000), ..request(key) }
}

/// A lock that is renewed.
pub fn renewed(key: &str) -> Request {
    Request { renew: true, ..request(key) }
}

/// A request for a fair lock with a wait of a minute.
pub fn fair(key: &str) -> Request {
    Request { fair: true, wait: ms(60_000), ..request(key) }
}

/// A request for one attempt.
pub fn one_attempt(key: impl AsRef<[u8]>) -> Request {
    Request { wait: Duration::ZERO, ..request(key) }
}
