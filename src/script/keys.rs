//! The keys that are derived from a lock key, and the fence counter.
//!
//! Every key begins with the client's prefix. Redis Cluster hashes the hash tag of a key, which is the text between the
//! first `{` and the next `}`, or the whole key if there is no tag or it is empty
//! (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>). A derived key has a tag in the
//! lock key's slot, and contains the whole lock key, so that distinct locks never share a derived key.

use redis_protocol::redis_keyslot;

/// What derived keys and channels have behind the prefix.
pub(crate) const MARK: &[u8] = b"redlatch:";

/// The name of the fence counter behind the mark.
const FENCE: &[u8] = b"fence";

/// What a key is for that belongs to one lock key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// The lock key: its value is the holder's token, and the claim if there is one.
    Lock,
    /// The registered waiters of a plain lock.
    Registrations,
    /// The waiters of a fair lock, by ticket.
    Queue,
    /// The position leases of the clients that have waiters in the queue.
    Positions,
}

impl KeyRole {
    /// The role's name in a derived key.
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Lock => b"lock",
            Self::Registrations => b"waiters",
            Self::Queue => b"queue",
            Self::Positions => b"places",
        }
    }
}

/// `<prefix>redlatch:<role>:{<key>}`, or `<prefix>redlatch:<role>:{<tag>}:<key>` for a key with braces.
/// Passes its parts to `push`. The lock key is the prefix and the `name`.
pub(super) fn derived(prefix: &[u8], role: KeyRole, name: &[u8], push: impl FnOnce(&[&[u8]])) {
    if !has_braces(prefix) && !has_braces(name) {
        return push(&[prefix, MARK, role.name(), b":{", prefix, name, b"}"]);
    }
    let key = [prefix, name].concat();
    let slot = redis_keyslot(&key);
    let tagged = |tag: &[u8]| [prefix, MARK, role.name(), b":{", tag, b"}:", &key].concat();
    let own = hash_tag(&key).unwrap_or(&key);
    push(&[&in_slot(slot, [tagged(own), tagged(&tag_of_slot(slot))], tagged)]);
}

/// The fence counter of a server: `<prefix>redlatch:fence`.
pub(crate) fn fence_counter(prefix: &[u8]) -> Vec<u8> {
    [prefix, MARK, FENCE].concat()
}

/// The fence counter of a cluster slot, that of a lock key: `<prefix>redlatch:fence:{<tag>}`, or without the tag if the
/// prefix has one.
pub(crate) fn fence_counter_of_slot(prefix: &[u8], key: &[u8]) -> Vec<u8> {
    let (slot, counter) = (redis_keyslot(key), fence_counter(prefix));
    let tagged = |tag: &[u8]| [&counter, b":{".as_slice(), tag, b"}"].concat();
    if hash_tag(prefix).is_some() {
        return counter;
    }
    in_slot(slot, [tagged(&tag_of_slot(slot))], tagged)
}

/// The first candidate that is in the slot. A prefix with a single brace may put all of them elsewhere: then one with a
/// number is.
fn in_slot(
    slot: u16,
    candidates: impl IntoIterator<Item = Vec<u8>>,
    numbered: impl Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let is_there = |candidate: &Vec<u8>| redis_keyslot(candidate) == slot;
    let number = |number| {
        let mut digits = Vec::new();
        crate::resp::push_decimal(number, &mut digits);
        numbered(&digits)
    };
    let mut numbered = (0..u64::from(u32::MAX)).map(number);
    candidates.into_iter().find(is_there).or_else(|| numbered.find(is_there)).unwrap_or_default()
}

/// Whether a key may be a derived key of another client, or its fence counter, so that it is refused as a lock key.
pub(crate) fn is_reserved(key: &[u8]) -> bool {
    let names = [KeyRole::Registrations, KeyRole::Queue, KeyRole::Positions].map(KeyRole::name);
    let is_marked = |rest: &[u8]| {
        rest.strip_prefix(MARK)
            .is_some_and(|rest| rest.starts_with(FENCE) || names.iter().any(|name| rest.starts_with(name)))
    };
    key.windows(MARK.len()).enumerate().any(|(at, part)| part == MARK && key.get(at..).is_some_and(is_marked))
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

fn has_braces(key: &[u8]) -> bool {
    key.iter().any(|byte| b"{}".contains(byte))
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

/// How many digits the tag of a slot has: as many as the CRC has bits.
const TAG: usize = 16;

/// Sixteen zeros and ones whose slot is `slot`. A slot is the end of a CRC, which is linear: each digit that is one
/// instead of zero changes the same bits of the slot, whatever the others are. So the digits follow from linear equations.
fn tag_of_slot(slot: u16) -> [u8; TAG] {
    let zeros = redis_keyslot(&[b'0'; TAG]);
    // For each bit of a slot, digits that change it and no higher bit, and how they change the slot.
    let mut rows = [(0_u16, [false; TAG]); TAG];
    let reduce = |rows: &[(u16, [bool; TAG]); TAG], (mut bits, mut digits): (u16, [bool; TAG])| {
        for (bit, (row, by)) in rows.iter().enumerate().rev() {
            if *row != 0
                && bits.checked_shr(u32::try_from(bit).unwrap_or(0)).is_some_and(|bits| bits & 1 == 1)
            {
                bits ^= row;
                digits.iter_mut().zip(by).for_each(|(digit, by)| *digit ^= by);
            }
        }
        (bits, digits)
    };
    for place in 0..TAG {
        let is_one = core::array::from_fn(|digit| digit == place);
        let (bits, digits) = reduce(&rows, (redis_keyslot(&text(is_one)) ^ zeros, is_one));
        let top = bits.checked_ilog2().and_then(|top| rows.get_mut(usize::try_from(top).ok()?));
        if let Some(row) = top {
            *row = (bits, digits);
        }
    }
    text(reduce(&rows, (slot ^ zeros, [false; TAG])).1)
}

fn text(digits: [bool; TAG]) -> [u8; TAG] {
    digits.map(|is_one| if is_one { b'1' } else { b'0' })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn queue(prefix: &[u8], name: &[u8]) -> Vec<u8> {
        let mut key = Vec::new();
        derived(prefix, KeyRole::Queue, name, |parts| key = parts.concat());
        key
    }

    fn text(key: &[u8]) -> String {
        String::from_utf8(key.to_vec()).unwrap()
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
        let queue = |prefix: &str, name: &str| text(&queue(prefix.as_bytes(), name.as_bytes()));
        assert_eq!(queue("lock:", "a"), "lock:redlatch:queue:{lock:a}");
        assert_eq!(queue("", "a"), "redlatch:queue:{a}");
        assert_eq!(queue("lock:", "{user}:b"), "lock:redlatch:queue:{user}:lock:{user}:b");
        assert_eq!(queue("lock:", "a{b"), "lock:redlatch:queue:{lock:a{b}:lock:a{b");
        assert_eq!(queue("{app}:", "a"), "{app}:redlatch:queue:{app}:{app}:a");
        assert_eq!(text(&fence_counter(b"lock:")), "lock:redlatch:fence");
        assert_eq!(text(&fence_counter_of_slot(b"{app}:", b"{app}:a")), "{app}:redlatch:fence");
    }

    #[test]
    fn every_slot_has_a_tag() {
        for slot in 0..16_384 {
            assert_eq!(redis_keyslot(&tag_of_slot(slot)), slot);
        }
    }

    #[test]
    fn a_derived_key_is_no_lock_key() {
        for key in [
            "redlatch:fence",
            "p:redlatch:fence:{01}",
            "x:redlatch:waiters:{x:a}",
            "redlatch:redlatch:queue:{a}",
        ] {
            assert!(is_reserved(key.as_bytes()), "{key}");
        }
        for key in ["redlatch", "redlatch:", "redlatch:deploy", "lock:redlatch:fair", "{a}"] {
            assert!(!is_reserved(key.as_bytes()), "{key}");
        }
    }

    /// Texts with many braces.
    fn braced(length: core::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(0u8), any::<u8>()], length)
    }

    proptest! {
        #[test]
        fn derived_keys_share_the_slot_and_name_the_lock(prefix in braced(0..6), name in braced(1..12)) {
            let queue = queue(&prefix, &name);
            let key = [prefix.clone(), name].concat();
            prop_assert_eq!(redis_keyslot(&queue), redis_keyslot(&key));
            let (head, end) = ([&prefix, MARK, b"queue:{"].concat(), [&key, &b"}"[..]].concat());
            prop_assert!(queue.starts_with(&head));
            prop_assert!(queue.ends_with(&key) || queue.ends_with(&end));
            let counter = fence_counter_of_slot(&prefix, &key);
            prop_assert_eq!(redis_keyslot(&counter), redis_keyslot(&key));
            prop_assert!(counter.starts_with(&[&prefix, MARK, FENCE].concat()));
        }
    }
}
