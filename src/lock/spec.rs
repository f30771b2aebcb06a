//! A validated request: the parts of a lock that never change.

use super::{
    axes::{Entry, Kind},
    policy::Policy,
    request::Request,
};
use crate::{
    error::InvalidRequest,
    quorum::{self, Terms},
    script::{LockKeys, into_sorted_set, is_reserved},
    time::Duration,
    topology::{Placed, Placement},
};

/// The most keys of one lock.
const MOST_KEYS: usize = 1000;

#[derive(Clone, Debug, Hash)]
pub(crate) struct Spec {
    pub(crate) keys: LockKeys,
    pub(crate) kind: Kind,
    pub(crate) entry: Entry,
    pub(crate) placement: Placement,
    pub(crate) ttl: Duration,
    pub(crate) wait: Duration,
    pub(crate) renew: bool,
    pub(crate) max_hold: Duration,
    /// How long to wait for one node (`nodeTimeout`).
    pub(crate) node_timeout: Duration,
}

impl Spec {
    pub(crate) fn new(
        request: &Request,
        placement: Placement,
        policy: &Policy,
    ) -> Result<Self, InvalidRequest> {
        let &Request { ttl, wait, renew, max_hold, fair, adopt, .. } = request;
        let kind = if fair { Kind::Fair } else { Kind::Exclusive };
        let entry = adopt.map_or(Entry::Acquire, |fence| Entry::Adopt { fence });
        if !kind.is_sound_on(placement) {
            return Err(InvalidRequest::FairOnSeveral);
        }
        if request.keys.is_empty() || request.keys.iter().any(Vec::is_empty) {
            return Err(InvalidRequest::EmptyKey);
        }
        if ttl < quorum::SHORTEST {
            return Err(InvalidRequest::BadLease);
        }
        if request.keys.len() > MOST_KEYS {
            return Err(InvalidRequest::TooManyKeys);
        }
        let names = into_sorted_set(request.keys.iter().map(Vec::as_slice));
        let keys = LockKeys::new(&policy.prefix, &names, kind.layout());
        if keys.locks().any(is_reserved) {
            return Err(InvalidRequest::ReservedKey);
        }
        let node_timeout = policy.node_timeout.unwrap_or_else(|| placement.node_timeout(ttl));
        Ok(Self { keys, kind, entry, placement, ttl, wait, renew, max_hold, node_timeout })
    }

    /// The terms of the lock's votes.
    pub(crate) fn terms(&self) -> Terms {
        let dial = self.placement.dial_patience(self.node_timeout);
        let redial = Placement::redial_patience(self.node_timeout);
        Terms { placement: self.placement, keys: self.keys.count(), dial, redial }
    }

    /// Whether this is a try, which makes a single attempt.
    pub(crate) fn is_single_attempt(&self) -> bool {
        self.wait == Duration::ZERO
    }

    /// The wait, if it is limited and not that of a try.
    pub(crate) fn limited_wait(&self) -> Option<Duration> {
        Some(self.wait).filter(|&wait| wait > Duration::ZERO && wait < Duration::MAX)
    }

    /// How long a server remembers a waiter without an attempt from it: twelve times `retry.max`, which is three times
    /// the longest pause with wake-ups.
    pub(crate) fn registration_ttl(&self, policy: &Policy) -> Duration {
        policy.retry_max.times(12).max(self.kind.shortest_registration())
    }
}

impl Placed for Spec {
    fn keys(&self) -> &LockKeys {
        &self.keys
    }

    fn placement(&self) -> Placement {
        self.placement
    }
}
