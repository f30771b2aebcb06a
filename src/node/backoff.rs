use crate::{
    entropy::{Entropy, jitter},
    time::{Duration, Instant},
};

const SHORTEST: Duration = Duration::from_millis(10);
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(1000);

/// When to connect again: at once after a connection that worked. After a failure, a random pause of 10 to 50 ms; the
/// upper bound doubles with each further failure in a row, up to 1 s.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Backoff {
    failures: u32,
    until: Instant,
}

impl Backoff {
    pub(crate) fn allows(&self, now: Instant) -> bool {
        self.until() <= now
    }

    /// From when on it allows a connection.
    pub(crate) fn until(&self) -> Instant {
        if self.failures == 0 { Instant::default() } else { self.until }
    }

    /// Whether no connection has failed since one worked.
    pub(crate) const fn allows_at_once(&self) -> bool {
        self.failures == 0
    }

    /// Allows one more connection at once. If it fails too, the pause after it is as long as it would have been.
    pub(crate) fn allow(&mut self) {
        self.until = Instant::default();
    }

    pub(crate) fn failed(&mut self, now: Instant, entropy: &mut dyn Entropy) {
        let doubled = FIRST.times(1u64.checked_shl(self.failures).unwrap_or(u64::MAX));
        self.failures = self.failures.saturating_add(1).min(63);
        self.until = now.after(jitter(SHORTEST, doubled.min(LONGEST), entropy));
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::seeded::Seeded;

    #[test]
    fn waits_grow_and_stay_within_a_second() {
        let now = Instant::from_micros(5);
        for seed in 0..50 {
            let mut backoff = Backoff::default();
            let mut entropy = Seeded(seed);
            assert!(backoff.allows(now));
            for n in 0..100 {
                backoff.failed(now, &mut entropy);
                assert!(!backoff.allows(now.after(SHORTEST.minus(Duration::from_micros(1)))));
                let longest = FIRST.times(1 << n.min(10)).min(LONGEST);
                assert!(backoff.allows(now.after(longest)));
            }
            backoff.succeeded();
            assert!(backoff.allows(now));
        }
    }
}
