//! The keys that are derived from a lock key, and the fence counter.
//!
//! Every key begins with the client's prefix. Redis Cluster hashes the hash tag of a key, which is the text between the
//! first `{` and the next `}`, or the whole key if there is no tag or it is empty
//! (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>). A derived key has a tag in the
//! lock key's slot, and contains the whole lock key, so that distinct locks never share a derived key.

use redis_protocol::redis_keyslot;

/// What derived keys and channels have behind the prefix.
const MARK: &[u8] = b"redlatch:";

/// The name of the fence counter behind the mark.
const FENCE: &[u8] = b"fence";

/// What channels have behind the mark, before the client.
const WAKE: &[u8] = b"wake:";

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
    push(&[&in_slot(slot, &[own], &tagged)]);
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
    in_slot(slot, &[], &tagged)
}

/// The channel on which a client's wake-ups are published: `<prefix>redlatch:wake:<client>`.
pub(crate) fn wake_channel(prefix: &[u8], client: &[u8]) -> Vec<u8> {
    [prefix, MARK, WAKE, client].concat()
}

/// A client as the registrations of a slot name it if it listens to shard channels: `<client>{<tag>}`. The tag puts the channel
/// of that name into the slot, and the brace says that it is a shard channel.
pub(crate) fn client_of_slot(prefix: &[u8], client: &[u8], slot: u16) -> Vec<u8> {
    let channel = |tag: &[u8]| wake_channel(prefix, &[client, b"{", tag, b"}"].concat());
    in_slot(slot, &[], &channel).split_off(wake_channel(prefix, b"").len())
}

/// What `tagged` makes of the first tag with which it is in the slot: of these, the slot's own, and numbers, because a prefix
/// with a single brace may put all others elsewhere.
fn in_slot(slot: u16, tags: &[&[u8]], tagged: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut digits = Vec::new();
    for tag in tags.iter().copied().chain([tag_of_slot(slot).as_slice()]) {
        let name = tagged(tag);
        if redis_keyslot(&name) == slot {
            return name;
        }
    }
    for number in 0..u64::from(u32::MAX) {
        digits.clear();
        crate::resp::push_decimal(number, &mut digits);
        let name = tagged(&digits);
        if redis_keyslot(&name) == slot {
            return name;
        }
    }
    Vec::new()
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

/// The slot of sixteen zeros.
const SLOT_OF_ZEROS: u16 = 0xff3;

/// For each bit of a slot, from the lowest on: the digits in which two tags differ whose slots differ in this bit alone. A slot
/// is the end of a CRC, which is linear: each digit that is one instead of zero changes the same bits of the slot, whatever
/// the others are.
const DIGITS: [u16; 14] = [
    0x21f0, 0x3a50, 0xbae0, 0x5330, 0x1116, 0xfec2, 0x5c84, 0x5704, 0x8810, 0xa850, 0x21f6, 0x6d90, 0x47d4,
    0xa9b2,
];

/// Sixteen zeros and ones whose slot is `slot`.
fn tag_of_slot(slot: u16) -> [u8; TAG] {
    let mut left = slot ^ SLOT_OF_ZEROS;
    let mut ones = 0;
    for digits in DIGITS {
        ones ^= digits & 0_u16.wrapping_sub(left & 1);
        left = left.wrapping_shr(1);
    }
    let mut tag = [b'0'; TAG];
    for digit in &mut tag {
        *digit |= u8::from(ones & 0x8000 != 0);
        ones = ones.wrapping_shl(1);
    }
    tag
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
            let client = client_of_slot(&prefix, b"c1", redis_keyslot(&key));
            prop_assert_eq!(redis_keyslot(&wake_channel(&prefix, &client)), redis_keyslot(&key));
            let head = b"c1{";
            prop_assert!(client.starts_with(head));
        }
    }
}
