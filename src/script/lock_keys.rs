//! The keys of one lock, encoded once for all of its commands.

use super::keys::{KeyRole, derived};
use super::marks::Mark;
use crate::resp::push_bulk_of;

/// The keys of one lock, as the bulk strings that scripts take: each lock key, and behind it the keys derived from it,
/// role by role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LockKeys {
    encoded: Vec<u8>,
    /// Where the content of each key begins and ends in `encoded`.
    places: Vec<(usize, usize)>,
    /// How many keys there are for each lock key.
    roles: usize,
    mark: Mark,
}

impl LockKeys {
    /// The lock keys are `prefix` and each of `names`, which must be sorted and unique. `layout` has the roles of the keys
    /// of each, the lock key first.
    pub(crate) fn new(prefix: &[u8], names: &[&[u8]], layout: &[KeyRole]) -> Self {
        let places = Vec::with_capacity(names.len().saturating_mul(layout.len()));
        let length = |name: &&[u8]| prefix.len().saturating_mul(2).saturating_add(name.len());
        let each = names.iter().map(length).map(|length| length.saturating_add(LONGEST_ROLE));
        let all = each.fold(0, usize::saturating_add).saturating_mul(layout.len());
        let encoded = Vec::with_capacity(all);
        let mut keys = Self { encoded, places, roles: layout.len(), mark: Mark::of(names) };
        for name in names {
            for role in layout {
                match role {
                    KeyRole::Lock => keys.push(&[prefix, name]),
                    role => derived(prefix, *role, name, |parts| keys.push(parts)),
                }
            }
        }
        keys
    }

    fn push(&mut self, parts: &[&[u8]]) {
        let begin = push_bulk_of(parts, &mut self.encoded);
        self.places.push((begin, self.encoded.len().saturating_sub(LINE_END)));
    }

    /// How many lock keys there are.
    pub(crate) fn count(&self) -> usize {
        self.places.len().checked_div(self.roles).unwrap_or(0)
    }

    /// What a run remembers of the lock keys.
    pub(crate) const fn mark(&self) -> Mark {
        self.mark
    }

    /// The lock keys, sorted.
    pub(crate) fn locks(&self) -> impl Iterator<Item = &[u8]> {
        let places = self.places.iter().step_by(self.roles.max(1));
        places.map(|&(begin, end)| self.encoded.get(begin..end).unwrap_or_default())
    }

    /// For each lock key the bulk strings of the keys of the first `roles` roles, in the order in which scripts take them.
    pub(crate) fn encoded(&self, roles: usize) -> impl Iterator<Item = &[u8]> {
        let end_of = |count: usize| {
            let last = count.checked_sub(1).and_then(|last| self.places.get(last));
            last.map_or(0, |&(_, end)| end.saturating_add(LINE_END))
        };
        (0..self.count()).map(move |lock| {
            let before = lock.saturating_mul(self.roles);
            let (begin, end) = (end_of(before), end_of(before.saturating_add(roles)));
            self.encoded.get(begin..end).unwrap_or_default()
        })
    }
}

/// How many bytes a bulk string has beside the prefix, twice, and the name, unless there are braces.
const LONGEST_ROLE: usize = 32;

/// The length of the line end behind a bulk string.
const LINE_END: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_several_locks_come_lock_by_lock() {
        let layout = [KeyRole::Lock, KeyRole::Registrations];
        let keys = LockKeys::new(b"p:", &[b"a", b"{t}b"], &layout);
        let encoded =
            |roles| keys.encoded(roles).map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>();
        assert_eq!(
            encoded(2),
            [
                "$3\r\np:a\r\n$24\r\np:redlatch:waiters:{p:a}\r\n",
                "$6\r\np:{t}b\r\n$29\r\np:redlatch:waiters:{t}:p:{t}b\r\n"
            ]
        );
        assert_eq!(encoded(1), ["$3\r\np:a\r\n", "$6\r\np:{t}b\r\n"]);
        assert!(keys.locks().eq([&b"p:a"[..], b"p:{t}b"]));
        assert_eq!(keys.count(), 2);
    }
}
