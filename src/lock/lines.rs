//! Which of this client's fair waiters asks for all of them.
//!
//! On the server, a place in a queue is kept as long as its client asks for any of its waiters there. And a client's first
//! waiter in a queue is served before its others. So only the first asks, as the heartbeat of all; the others are woken
//! by a message when it is their turn, or become the first.

use std::collections::BTreeMap;

use super::LockId;

/// Our fair waiters by the keys they wait for, in the order in which they joined.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    waiting: BTreeMap<Vec<Vec<u8>>, Vec<LockId>>,
    /// Those that have become the first in line and do not know it yet.
    promoted: Vec<LockId>,
}

impl Lines {
    pub(crate) fn join(&mut self, keys: &[Vec<u8>], lock: LockId) {
        match self.waiting.get_mut(keys) {
            Some(line) => line.push(lock),
            None => drop(self.waiting.insert(keys.to_vec(), vec![lock])),
        }
    }

    pub(crate) fn leave(&mut self, keys: &[Vec<u8>], lock: LockId) {
        let Some(line) = self.waiting.get_mut(keys) else { return };
        let led = line.first() == Some(&lock);
        line.retain(|&each| each != lock);
        match line.first() {
            Some(&first) if led => self.promoted.push(first),
            Some(_) => {}
            None => drop(self.waiting.remove(keys)),
        }
    }

    pub(crate) fn is_first(&self, keys: &[Vec<u8>], lock: LockId) -> bool {
        self.waiting.get(keys).is_some_and(|line| line.first() == Some(&lock))
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
        let (mut lines, keys) = (Lines::default(), [b"a".to_vec()]);
        let [one, two, three] = [1, 2, 3].map(LockId);
        for lock in [one, two, three] {
            lines.join(&keys, lock);
        }
        lines.leave(&keys, two);
        assert_eq!((lines.is_first(&keys, one), lines.next_promoted()), (true, None));
        lines.leave(&keys, one);
        assert_eq!((lines.is_first(&keys, three), lines.next_promoted()), (true, Some(three)));
        lines.leave(&keys, three);
        assert!(lines.waiting.is_empty());
    }
}
