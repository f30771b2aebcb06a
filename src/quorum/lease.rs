//! Validity: until when a client may believe that it holds a lock (rule 1).
//!
//! Source: "Distributed Locks with Redis", <https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/>:
//! MIN_VALIDITY = TTL - elapsed - CLOCK_DRIFT. Elapsed time counts from before the request was sent, because the server
//! cannot have started the lease earlier.

use crate::{
    id::NodeId,
    time::{Duration, Instant},
    topology::Placement,
};

/// Subtracted in addition to the drift: Redis expires keys with a resolution of 1 ms, and the client rounds to 1 ms.
const RESOLUTION: Duration = Duration::from_millis(2);

/// The shortest lease. The allowance and a round trip would leave nothing of a shorter one.
pub(crate) const SHORTEST: Duration = Duration::from_millis(100);

/// What is subtracted from a lease because the server's clock may run faster than the client's, by `drift` millionths.
pub(crate) fn allowance(ttl: Duration, drift: u32) -> Duration {
    ttl.millionths(drift).plus(RESOLUTION)
}

/// The end of validity of a lease of `ttl`, if its command was sent at `sent`.
pub(crate) fn validity(sent: Instant, ttl: Duration, drift: u32) -> Instant {
    sent.after(ttl.minus(allowance(ttl, drift)))
}

/// How long before the end of validity the loss is reported, so that a timer that fires late still reports it in time:
/// 1 % of the lease, 2 ms to 25 ms.
pub(crate) fn notice(ttl: Duration) -> Duration {
    ttl.part(100).clamp(Duration::from_millis(2), Duration::from_millis(25))
}

/// The lease on every node of a placement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lease {
    parts: Vec<Part>,
}

/// The lease on one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Part {
    node: NodeId,
    /// Until when the lease is valid: the epoch before the first grant, `None` after a revocation.
    until: Option<Instant>,
    /// Whether the node was asked for a new grant after a revocation.
    regaining: bool,
}

impl Lease {
    pub(crate) fn new(placement: Placement) -> Self {
        let part = |node| Part { node, until: Some(Instant::default()), regaining: false };
        Self { parts: placement.nodes().map(part).collect() }
    }

    /// A node granted or extended the lease. No lease gets shorter, because the scripts never shorten one.
    pub(crate) fn granted(&mut self, node: NodeId, until: Instant) {
        if let Some(part) = self.part(node)
            && (part.until.is_some() || core::mem::take(&mut part.regaining))
        {
            part.until = part.until.max(Some(until));
        }
    }

    /// A node answered that the token does not hold the lock. That is final, because an extension never recreates a key,
    /// unless the node is asked for a new grant.
    pub(crate) fn revoked(&mut self, node: NodeId) {
        if let Some(part) = self.part(node) {
            part.until = None;
            part.regaining = false;
        }
    }

    /// A node that had revoked the lease is asked for a new grant.
    pub(crate) fn regaining(&mut self, node: NodeId) {
        if let Some(part) = self.part(node) {
            part.regaining = true;
        }
    }

    /// A node that was asked for a new grant denied it.
    pub(crate) fn denied(&mut self, node: NodeId) {
        if let Some(part) = self.part(node) {
            part.regaining = false;
        }
    }

    fn part(&mut self, node: NodeId) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| part.node == node)
    }

    fn kept(&self) -> impl Iterator<Item = Instant> {
        self.parts.iter().filter_map(|part| part.until)
    }

    /// Whether fewer than `needed` nodes can still hold the lock.
    pub(crate) fn is_refuted(&self, needed: usize) -> bool {
        self.kept().count() < needed
    }

    /// Until when at least `needed` nodes hold the lock: the `needed`-th largest time.
    pub(crate) fn validity(&self, needed: usize) -> Instant {
        let by_enough = |until: &Instant| self.kept().filter(|each| each >= until).count() >= needed;
        self.kept().filter(by_enough).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn at(millis: u64) -> Instant {
        Instant::default().after(ms(millis))
    }

    #[test]
    fn validity_is_the_lease_less_drift_and_resolution_from_the_time_of_sending() {
        assert_eq!(validity(at(1000), ms(30_000), 10_000), at(1000 + 30_000 - 300 - 2));
        assert_eq!(validity(at(0), ms(100), 10_000), at(97));
        assert_eq!(
            validity(at(0), Duration::from_micros(101_001), 10_000),
            Instant::from_micros(101_001 - 1011 - 2000),
            "the allowance rounds up"
        );
        assert_eq!(validity(at(5), ms(100), 1_000_000), at(5), "never before it was sent");
    }

    #[test]
    fn notice_stays_within_its_bounds() {
        assert_eq!([notice(ms(100)), notice(ms(1000)), notice(ms(30_000))], [ms(2), ms(10), ms(25)]);
    }

    #[test]
    fn validity_of_several_nodes_is_the_nth_largest() {
        let mut lease = Lease::new(Placement::Majority(3));
        assert_eq!(lease.validity(2), at(0));
        for (node, until) in [(0, 70), (1, 90), (2, 80)] {
            lease.granted(NodeId(node), at(until));
        }
        assert_eq!(lease.validity(2), at(80));
        lease.granted(NodeId(2), at(60));
        assert_eq!(lease.validity(2), at(80), "nothing shortens a lease");
        lease.revoked(NodeId(1));
        assert_eq!(lease.validity(2), at(70));
        lease.revoked(NodeId(0));
        assert_eq!(lease.validity(2), at(0), "no quorum, no validity");
    }

    #[test]
    fn a_revoked_node_counts_again_only_after_a_new_grant_that_was_requested() {
        let mut lease = Lease::new(Placement::Majority(3));
        for node in [0, 1] {
            lease.granted(NodeId(node), at(70));
        }
        lease.revoked(NodeId(1));
        lease.granted(NodeId(1), at(90));
        assert_eq!(lease.validity(2), at(0), "a late answer to an older command");
        lease.regaining(NodeId(1));
        assert_eq!(lease.validity(2), at(0), "not granted yet");
        lease.granted(NodeId(1), at(80));
        assert_eq!(lease.validity(2), at(70));
    }
}
