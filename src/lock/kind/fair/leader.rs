//! The leader of a client's waiters in one queue.
//!
//! The server keeps the positions of all waiters of a client as long as the client asks for any of them, and serves a
//! client's first waiter before its others. So only the first one asks: it is the leader, and its attempts are the
//! heartbeat of all. The others are woken by a message when it is their turn, or become the leader.
//!
//! A new leader counts its pause from the last attempt of any of them. If it began a pause of its own, a group whose
//! leaders leave faster than one pause would never be heard of.

use crate::{id::LockId, time::Instant};

/// A client's fair waiters, grouped by the keys that they wait for. Groups are sorted by their keys.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Leaders {
    groups: Vec<Group>,
}

#[derive(Clone, Debug, Hash)]
struct Group {
    keys: Vec<Vec<u8>>,
    /// In the order in which they joined; the first leads.
    waiters: Vec<LockId>,
    /// The last attempt of any waiter: it kept the positions of all.
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

    /// Removes a waiter, and answers with the new leader if the waiter led others.
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

    /// The waiters that this one leads, in order.
    pub(crate) fn led_by(&self, keys: &[Vec<u8>], leader: LockId) -> &[LockId] {
        match self.group(keys).map(|group| group.waiters.as_slice()) {
            Some([first, others @ ..]) if *first == leader => others,
            _ => &[],
        }
    }

    /// A waiter attempts to take the keys.
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

    /// Where the group for these keys is, or would be.
    fn find(&self, keys: &[Vec<u8>]) -> Result<usize, usize> {
        self.groups.binary_search_by(|group| group.keys.as_slice().cmp(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_waiter_to_join_leads_until_it_leaves() {
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
