//! The keys that are derived from a lock key.
//!
//! Redis Cluster hashes the hash tag of a key, which is the text between the first `{` and the next `}`, or the whole
//! key if there is no tag or it is empty
//! (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>). A derived key begins with
//! a tag in the lock key's slot, and ends with the whole lock key, so that distinct locks never share a derived key.

use redis_protocol::redis_keyslot;

const MARK: &[u8] = b":redlatch:";

/// What a key in KEYS is for. A script's KEYS are its lock keys, then for each further role one key per lock key, in
/// the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// The lock key: its value is the holder's token.
    Lock,
    /// The fence and the claim.
    Fence,
    /// The registered waiters of a plain lock.
    Registrations,
    /// The waiters of a fair lock, by ticket.
    Queue,
    /// The position leases of the clients that have waiters in the queue.
    Positions,
}

impl KeyRole {
    /// The role's name in a derived key.
    const fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Fence => "fence",
            Self::Registrations => "waiters",
            Self::Queue => "queue",
            Self::Positions => "places",
        }
    }
}

/// The keys of one lock: the lock keys, then the keys derived from them, role by role.
#[derive(Clone, Debug, Hash)]
pub(crate) struct LockKeys {
    all: Vec<Vec<u8>>,
    locks: usize,
}

impl LockKeys {
    /// Derives the keys of the other roles in `layout` from lock keys, which must be sorted and unique.
    pub(crate) fn new(mut locks: Vec<Vec<u8>>, layout: &[KeyRole]) -> Self {
        let count = locks.len();
        push_derived(layout.get(1..).unwrap_or_default(), &mut locks);
        Self { all: locks, locks: count }
    }

    /// The lock keys, sorted.
    pub(crate) fn locks(&self) -> &[Vec<u8>] {
        self.all.get(..self.locks).unwrap_or_default()
    }

    /// KEYS for a script, whose layout must be the layout of these keys or its beginning.
    pub(crate) fn of(&self, layout: &[KeyRole]) -> &[Vec<u8>] {
        self.all.get(..self.locks.saturating_mul(layout.len())).unwrap_or_default()
    }
}

/// Appends to the lock keys in `keys` the keys derived from them, `{tag}:redlatch:<name>:<key>`: for the first role one
/// per lock key, then for the second role, and so on.
fn push_derived(roles: &[KeyRole], keys: &mut Vec<Vec<u8>>) {
    let tags: Vec<_> = keys.iter().map(|key| tag(key)).collect();
    for role in roles {
        for (index, tag) in tags.iter().enumerate() {
            let key = keys.get(index).map(Vec::as_slice).unwrap_or_default();
            keys.push([b"{", tag.as_slice(), b"}", MARK, role.name().as_bytes(), b":", key].concat());
        }
    }
}

/// Whether a key has the form of a derived key, so that it is refused as a lock key.
pub(crate) fn is_reserved(key: &[u8]) -> bool {
    key.first() == Some(&b'{') && after_first(key, b'}').is_some_and(|rest| rest.starts_with(MARK))
}

/// The items sorted, without duplicates. Fast for nearly sorted items; the standard library's sort would add 10 kB to
/// the wasm.
pub(crate) fn into_sorted_set<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut sorted = Vec::new();
    for item in items {
        if let Err(place) = sorted.binary_search(&item) {
            sorted.insert(place, item);
        }
    }
    sorted
}

/// A hash tag that selects the key's slot.
fn tag(key: &[u8]) -> Vec<u8> {
    match hash_tag(key) {
        Some(tag) => tag.to_vec(),
        None if !key.contains(&b'}') => key.to_vec(),
        None => tag_of_slot(redis_keyslot(key)),
    }
}

fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let rest = after_first(key, b'{')?;
    let end = rest.iter().position(|&byte| byte == b'}')?;
    rest.get(..end).filter(|tag| !tag.is_empty())
}

fn after_first(key: &[u8], byte: u8) -> Option<&[u8]> {
    let at = key.iter().position(|&each| each == byte)?;
    key.get(at.saturating_add(1)..)
}

/// A number whose slot is `slot`, for a key that cannot be put between braces because it contains `}` and has no hash
/// tag. There are 16 384 slots, so this tries as many numbers on average, which takes about a millisecond.
fn tag_of_slot(slot: u16) -> Vec<u8> {
    let mut tag = Vec::new();
    for number in 0..u64::from(u32::MAX) {
        tag.clear();
        crate::resp::push_decimal(number, &mut tag);
        if redis_keyslot(&tag) == slot {
            break;
        }
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fence(key: &[u8]) -> Vec<u8> {
        let mut keys = vec![key.to_vec()];
        push_derived(&[KeyRole::Fence], &mut keys);
        keys.remove(1)
    }

    #[test]
    fn derived_keys_of_several_locks_come_role_by_role() {
        let layout = [KeyRole::Lock, KeyRole::Fence, KeyRole::Registrations];
        let keys = LockKeys::new(vec![b"a".to_vec(), b"{t}b".to_vec()], &layout);
        let expected: [&[u8]; 6] = [
            b"a",
            b"{t}b",
            b"{a}:redlatch:fence:a",
            b"{t}:redlatch:fence:{t}b",
            b"{a}:redlatch:waiters:a",
            b"{t}:redlatch:waiters:{t}b",
        ];
        assert_eq!(keys.of(&layout), expected);
        assert_eq!(keys.of(&layout[..2]), &expected[..4]);
        assert_eq!(keys.locks(), &expected[..2]);
    }

    #[test]
    fn slots_agree_with_the_cluster_specification() {
        // CLUSTER KEYSLOT answered these on Redis 7.0.15.
        for (key, slot) in [
            ("123456789", 12739),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("foo{bar}{zap}", 5061),
            ("{user1000}.following", 3443),
            ("", 0),
        ] {
            assert_eq!(redis_keyslot(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn plain_and_tagged_keys() {
        assert_eq!(fence(b"lock:a"), b"{lock:a}:redlatch:fence:lock:a");
        assert_eq!(fence(b"lock:{user}:b"), b"{user}:redlatch:fence:lock:{user}:b");
        assert_eq!(fence(b"a{b"), b"{a{b}:redlatch:fence:a{b");
    }

    #[test]
    fn a_derived_key_is_no_lock_key() {
        assert!(is_reserved(&fence(b"lock:a")));
        assert!(is_reserved(&fence(b"}{")));
        assert!(!is_reserved(b"lock:{a}:redlatch:fence:a"));
        assert!(!is_reserved(b"{a}"));
    }

    proptest! {
        #[test]
        fn derived_keys_share_the_slot_and_name_the_lock(key in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(0u8), any::<u8>()], 1..12)) {
            let derived = fence(&key);
            prop_assert_eq!(redis_keyslot(&derived), redis_keyslot(&key));
            prop_assert!(derived.ends_with(&key));
            prop_assert_eq!(after_first(&derived, b'}').unwrap(), [MARK, b"fence:", &key].concat());
        }
    }
}
