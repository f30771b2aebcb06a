//! Which of this client's fair waiters asks for all of them.
//!
//! On the server, a place in a queue is kept as long as its client asks for any of its waiters there. And a client's first
//! waiter in a queue is served before its others. So only the first asks, as the heartbeat of all; the others are woken
//! by a message when it is their turn, or become the first. A new first counts its pause from when one of them asked last: were
//! it to begin a pause when it becomes the first, a line whose first leaves sooner than that would not be heard of at all.

use crate::{
    id::LockId,
    planted::{Planted, planted},
    time::Instant,
};

/// Our fair waiters by the keys they wait for, in the order in which they joined.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Leaders {
    waiting: Vec<Line>,
    /// Those that have become the first in line and do not know it yet.
    promoted: Vec<LockId>,
    /// Those that have to ask again for a place, the last first.
    recalled: Vec<LockId>,
}

#[derive(Clone, Debug, Hash)]
struct Line {
    keys: Vec<Vec<u8>>,
    locks: Vec<LockId>,
    /// When one of them asked last, and thereby kept the places of all.
    heard: Instant,
}

impl Leaders {
    /// Where the line for these keys is, or would be: leaders are sorted by their keys.
    fn find(&self, keys: &[Vec<u8>]) -> Result<usize, usize> {
        self.waiting.binary_search_by(|line| line.keys.as_slice().cmp(keys))
    }

    fn look(&self, keys: &[Vec<u8>]) -> Option<&Line> {
        self.find(keys).ok().and_then(|place| self.waiting.get(place))
    }

    fn line(&mut self, keys: &[Vec<u8>]) -> Option<&mut Line> {
        let place = self.find(keys).ok()?;
        self.waiting.get_mut(place)
    }

    pub(crate) fn join(&mut self, keys: &[Vec<u8>], lock: LockId) {
        match self.find(keys) {
            Ok(_) => self.line(keys).into_iter().for_each(|line| line.locks.push(lock)),
            Err(place) => {
                let line = Line { keys: keys.to_vec(), locks: vec![lock], heard: Instant::default() };
                self.waiting.insert(place, line);
            }
        }
    }

    pub(crate) fn leave(&mut self, keys: &[Vec<u8>], lock: LockId) {
        let Some(Line { locks, .. }) = self.line(keys) else { return };
        let led = locks.first() == Some(&lock);
        locks.retain(|&each| each != lock);
        match locks.first().copied() {
            Some(first) if led && !planted(Planted::NextNotTold) => self.promoted.push(first),
            Some(_) => {}
            None => self.find(keys).into_iter().for_each(|place| drop(self.waiting.remove(place))),
        }
    }

    pub(crate) fn is_first(&self, keys: &[Vec<u8>], lock: LockId) -> bool {
        self.look(keys).is_some_and(|line| line.locks.first() == Some(&lock))
    }

    /// One of those who wait asks.
    pub(crate) fn hear(&mut self, keys: &[Vec<u8>], now: Instant) {
        self.line(keys).into_iter().for_each(|line| line.heard = now);
    }

    /// When one of them asked last.
    pub(crate) fn last_heard(&self, keys: &[Vec<u8>]) -> Option<Instant> {
        self.look(keys).map(|line| line.heard)
    }

    /// The first in line lost its place and got a new one: those behind it did as well, and need to ask.
    pub(crate) fn recall(&mut self, keys: &[Vec<u8>], first: LockId) {
        if self.is_first(keys, first) {
            let line = self.line(keys).map(|line| line.locks.clone()).unwrap_or_default();
            self.recalled.extend(line.iter().skip(1).rev());
        }
    }

    pub(crate) fn next_recalled(&mut self) -> Option<LockId> {
        self.recalled.pop()
    }

    pub(crate) fn next_promoted(&mut self) -> Option<LockId> {
        self.promoted.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_join_asks_until_it_leaves() {
        let (mut leaders, keys) = (Leaders::default(), [b"a".to_vec()]);
        let [one, two, three] = [1, 2, 3].map(LockId);
        for lock in [one, two, three] {
            leaders.join(&keys, lock);
        }
        leaders.leave(&keys, two);
        assert_eq!((leaders.is_first(&keys, one), leaders.next_promoted()), (true, None));
        leaders.leave(&keys, one);
        assert_eq!((leaders.is_first(&keys, three), leaders.next_promoted()), (true, Some(three)));
        leaders.leave(&keys, three);
        assert!(leaders.waiting.is_empty());
    }
}
