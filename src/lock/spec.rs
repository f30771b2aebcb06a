//! A validated request: the parts of a lock that never change.

use std::rc::Rc;

use super::{
    axes::{Entry, Kind},
    policy::Policy,
    request::Request,
};
use crate::{
    error::InvalidRequest,
    id::NodeId,
    quorum::{self, Terms},
    script::{LockKeys, into_sorted_set, is_reserved},
    time::Duration,
    topology::{Placed, Placement, Slot, Topology},
};

/// The most keys of one lock.
const MOST_KEYS: usize = 1000;

/// The most slots of one lock's keys: each takes a round trip.
const MOST_SLOTS: usize = 64;

#[derive(Clone, Debug, Hash)]
pub(crate) struct Spec {
    pub(crate) keys: LockKeys,
    /// The same keys by slot, in the order in which they are taken, if they are in several slots of a cluster: the nodes of
    /// the placement stand for these groups.
    groups: Option<Rc<[LockKeys]>>,
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
        topology: &Topology,
        policy: &Policy,
    ) -> Result<Self, InvalidRequest> {
        let &Request { ttl, wait, renew, max_hold, fair, adopt, .. } = request;
        let kind = if fair { Kind::Fair } else { Kind::Exclusive };
        let entry = adopt.map_or(Entry::Acquire, |fence| Entry::Adopt { fence });
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
        let keys_of = |names: &[&[u8]]| LockKeys::new(&policy.prefix, names, kind.layout());
        let keys = keys_of(&names);
        if keys.locks().any(is_reserved) {
            return Err(InvalidRequest::ReservedKey);
        }
        let mut groups = Vec::new();
        if topology.has_cluster() && names.len() > 1 {
            let slots = keys.locks().map(Slot::of_key);
            let by_slot = into_sorted_set(slots.zip(names.iter().copied()));
            for group in by_slot.chunk_by(|one, other| one.0 == other.0) {
                let names: Vec<&[u8]> = group.iter().map(|&(_, name)| name).collect();
                groups.push(keys_of(&names));
            }
        }
        let placement = topology.placement(groups.len()).ok_or(InvalidRequest::NoNode)?;
        if groups.len() > 1 && placement.has_votes() {
            return Err(InvalidRequest::SlotsOnSeveral);
        }
        if groups.len() > MOST_SLOTS {
            return Err(InvalidRequest::TooManySlots);
        }
        if !kind.is_sound_on(placement) {
            let is_cluster = placement.grants_in_turn();
            return Err(if is_cluster { InvalidRequest::FairInSlots } else { InvalidRequest::FairOnSeveral });
        }
        let node_timeout = policy.node_timeout.unwrap_or_else(|| placement.node_timeout(ttl));
        let groups = placement.grants_in_turn().then(|| groups.into());
        Ok(Self { keys, groups, kind, entry, placement, ttl, wait, renew, max_hold, node_timeout })
    }

    /// The keys of the lock that a node of its placement has.
    pub(crate) fn keys_of(&self, node: NodeId) -> &LockKeys {
        usize::try_from(node.0).ok().and_then(|group| self.groups.as_ref()?.get(group)).unwrap_or(&self.keys)
    }

    /// The terms of the lock's votes.
    pub(crate) fn terms(&self) -> Terms {
        let dial = self.placement.dial_patience(self.node_timeout);
        let redial = Placement::redial_patience(self.node_timeout);
        Terms { placement: self.placement, dial, redial }
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
    fn keys_of(&self, node: NodeId) -> &LockKeys {
        self.keys_of(node)
    }

    fn placement(&self) -> Placement {
        self.placement
    }
}
