//! The leader of a client's waiters for the same keys.
//!
//! Only the first waiter polls: it is the leader. The others get a wake-up, or become the leader. Otherwise a thousand
//! waiters of one client would cost the server a thousand times the commands of one, and none would be served sooner.
//!
//! In a fair queue, an attempt of one waiter refreshes the position lease of its whole client, and the server serves a
//! client's first waiter before its others. A new leader counts its pause from the last attempt of any waiter in its group. If each new leader began a full
//! pause, a group whose leaders leave faster than that would never poll, and its position lease would end.

use crate::{
    id::LockId,
    lock::{axes::Kind, spec::Spec},
    script::LockKeys,
    time::Instant,
};

/// A client's waiters, in groups that wait for the same keys with locks of the same kind. Groups are sorted.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Leaders {
    groups: Vec<Group>,
}

#[derive(Clone, Debug, Hash)]
struct Group {
    kind: Kind,
    keys: LockKeys,
    /// In the order in which they were requested. The first is the leader.
    waiters: Vec<LockId>,
    /// The last attempt of any waiter, which refreshed the position lease.
    last_attempt: Instant,
}

impl Leaders {
    /// Adds a waiter to its group, unless it is in it.
    pub(crate) fn join(&mut self, spec: &Spec, waiter: LockId) {
        match self.find(spec) {
            Ok(place) => {
                if let Some(group) = self.groups.get_mut(place)
                    && let Err(place) = group.waiters.binary_search(&waiter)
                {
                    group.waiters.insert(place, waiter);
                }
            }
            Err(place) => {
                let (kind, keys) = (spec.kind, spec.keys.clone());
                let group = Group { kind, keys, waiters: vec![waiter], last_attempt: Instant::default() };
                self.groups.insert(place, group);
            }
        }
    }

    /// Removes a waiter. If it was the leader of others, returns the new leader.
    pub(crate) fn leave(&mut self, spec: &Spec, waiter: LockId) -> Option<LockId> {
        let place = self.find(spec).ok()?;
        let group = self.groups.get_mut(place)?;
        let led = group.waiters.first() == Some(&waiter);
        if let Ok(place) = group.waiters.binary_search(&waiter) {
            group.waiters.remove(place);
        }
        let leader = group.waiters.first().copied();
        if leader.is_none() {
            self.groups.remove(place);
        }
        leader.filter(|_| led)
    }

    pub(crate) fn is_leader(&self, spec: &Spec, waiter: LockId) -> bool {
        self.group(spec).is_some_and(|group| group.waiters.first() == Some(&waiter))
    }

    /// The other waiters in the leader's group, in order. Empty if `leader` is not the leader.
    pub(crate) fn led_by(&self, spec: &Spec, leader: LockId) -> &[LockId] {
        match self.group(spec).map(|group| group.waiters.as_slice()) {
            Some([first, others @ ..]) if *first == leader => others,
            _ => &[],
        }
    }

    /// Records an attempt of a waiter.
    pub(crate) fn attempted(&mut self, spec: &Spec, now: Instant) {
        if let Ok(place) = self.find(spec)
            && let Some(group) = self.groups.get_mut(place)
        {
            group.last_attempt = now;
        }
    }

    /// The last attempt of any waiter for these keys.
    pub(crate) fn last_attempt(&self, spec: &Spec) -> Option<Instant> {
        self.group(spec).map(|group| group.last_attempt)
    }

    fn group(&self, spec: &Spec) -> Option<&Group> {
        self.find(spec).ok().and_then(|place| self.groups.get(place))
    }

    /// The index of the group for these keys, or where it would be inserted.
    fn find(&self, spec: &Spec) -> Result<usize, usize> {
        let of = |group: &Group| group.keys.locks().cmp(spec.keys.locks()).then(group.kind.cmp(&spec.kind));
        self.groups.binary_search_by(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lock::{Policy, Request},
        node::Endpoint,
        time::Duration,
        topology::Topology,
    };

    #[test]
    fn the_first_waiter_is_the_leader_until_it_leaves() {
        let request = |fair| Request {
            keys: vec![b"a".to_vec()],
            token: None,
            ttl: Duration::from_millis(1000),
            wait: Duration::MAX,
            renew: false,
            max_hold: Duration::MAX,
            fair,
            adopt: None,
        };
        let mut topology = Topology::default();
        topology.add(Endpoint::default(), Duration::ZERO, 0);
        let spec = |fair| Spec::new(&request(fair), &topology, &Policy::default());
        let (mut leaders, spec, other) = (Leaders::default(), spec(true).unwrap(), spec(false).unwrap());
        let [one, two, three] = [1, 2, 3].map(LockId);
        for waiter in [one, two, three] {
            leaders.join(&spec, waiter);
        }
        leaders.join(&other, LockId(4));
        assert_eq!(leaders.led_by(&spec, one), [two, three]);
        assert_eq!(leaders.leave(&spec, two), None);
        assert!(leaders.is_leader(&spec, one) && leaders.is_leader(&other, LockId(4)));
        assert_eq!(leaders.leave(&spec, one), Some(three));
        assert!(leaders.is_leader(&spec, three));
        assert_eq!(leaders.leave(&spec, three), None);
        assert_eq!(leaders.groups.len(), 1);
    }
}
