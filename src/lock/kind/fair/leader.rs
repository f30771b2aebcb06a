//! The leader of a client's waiters in one queue.
//!
//! An attempt of one waiter refreshes the position lease of its whole client, and the server serves a client's first
//! waiter before its others. So only the first waiter polls: it is the leader, and its attempts are the heartbeat of
//! all. The others get a wake-up when it is their turn, or become the leader.
//!
//! A new leader counts its pause from the last attempt of any waiter in its group. If each new leader began a full
//! pause, a group whose leaders leave faster than that would never poll, and its position lease would end.

use crate::{id::LockId, time::Instant};

/// A client's fair waiters, in groups that wait for the same keys. Groups are sorted by their keys.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Leaders {
    groups: Vec<Group>,
}

#[derive(Clone, Debug, Hash)]
struct Group {
    keys: Vec<Vec<u8>>,
    /// In the order in which they joined. The first is the leader.
    waiters: Vec<LockId>,
    /// The last attempt of any waiter, which refreshed the position lease.
    last_attempt: Instant,
}

impl Leaders {
    pub(crate) fn join(&mut self, keys: &[Vec<u8>], waiter: LockId) {
        match self.find(keys) {
            Ok(place) => {
                if let Some(group) = self.groups.get_mut(place) {
                    group.waiters.push(waiter);
                }
            }
            Err(place) => {
                let group =
                    Group { keys: keys.to_vec(), waiters: vec![waiter], last_attempt: Instant::default() };
                self.groups.insert(place, group);
            }
        }
    }

    /// Removes a waiter. If it was the leader of others, returns the new leader.
    pub(crate) fn leave(&mut self, keys: &[Vec<u8>], waiter: LockId) -> Option<LockId> {
        let place = self.find(keys).ok()?;
        let group = self.groups.get_mut(place)?;
        let led = group.waiters.first() == Some(&waiter);
        group.waiters.retain(|&each| each != waiter);
        let leader = group.waiters.first().copied();
        if leader.is_none() {
            self.groups.remove(place);
        }
        leader.filter(|_| led)
    }

    pub(crate) fn is_leader(&self, keys: &[Vec<u8>], waiter: LockId) -> bool {
        self.group(keys).is_some_and(|group| group.waiters.first() == Some(&waiter))
    }

    /// The other waiters in the leader's group, in order. Empty if `leader` is not the leader.
    pub(crate) fn led_by(&self, keys: &[Vec<u8>], leader: LockId) -> &[LockId] {
        match self.group(keys).map(|group| group.waiters.as_slice()) {
            Some([first, others @ ..]) if *first == leader => others,
            _ => &[],
        }
    }

    /// Records an attempt of a waiter.
    pub(crate) fn attempted(&mut self, keys: &[Vec<u8>], now: Instant) {
        if let Ok(place) = self.find(keys)
            && let Some(group) = self.groups.get_mut(place)
        {
            group.last_attempt = now;
        }
    }

    /// The last attempt of any waiter for these keys.
    pub(crate) fn last_attempt(&self, keys: &[Vec<u8>]) -> Option<Instant> {
        self.group(keys).map(|group| group.last_attempt)
    }

    fn group(&self, keys: &[Vec<u8>]) -> Option<&Group> {
        self.find(keys).ok().and_then(|place| self.groups.get(place))
    }

    /// The index of the group for these keys, or where it would be inserted.
    fn find(&self, keys: &[Vec<u8>]) -> Result<usize, usize> {
        self.groups.binary_search_by(|group| group.keys.as_slice().cmp(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_waiter_is_the_leader_until_it_leaves() {
        let (mut leaders, keys) = (Leaders::default(), [b"a".to_vec()]);
        let [one, two, three] = [1, 2, 3].map(LockId);
        for waiter in [one, two, three] {
            leaders.join(&keys, waiter);
        }
        assert_eq!(leaders.led_by(&keys, one), [two, three]);
        assert_eq!(leaders.leave(&keys, two), None);
        assert!(leaders.is_leader(&keys, one));
        assert_eq!(leaders.leave(&keys, one), Some(three));
        assert!(leaders.is_leader(&keys, three));
        assert_eq!(leaders.leave(&keys, three), None);
        assert!(leaders.groups.is_empty());
    }
}
