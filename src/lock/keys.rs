//! The keys that are derived from a lock's key.
//!
//! Redis Cluster puts a key into the slot of its hash tag, what is between the first `{` and the first `}` after it, or of
//! the whole key if there is no such part or it is empty
//! (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>). A derived key begins with a tag that
//! leads to the lock key's slot, and ends with the whole lock key, so that distinct locks never share one.

use redis_protocol::redis_keyslot;

const MARK: &[u8] = b":redlatch:";

/// The key of a lock's fencing counter: `{tag}:redlatch:fence:<key>`.
pub(crate) fn fence(key: &[u8]) -> Vec<u8> {
    let mut derived = Vec::with_capacity(key.len().saturating_mul(2).saturating_add(32));
    derived.push(b'{');
    push_tag(key, &mut derived);
    derived.push(b'}');
    derived.extend_from_slice(MARK);
    derived.extend_from_slice(b"fence:");
    derived.extend_from_slice(key);
    derived
}

/// Whether a lock's key looks like a derived one, and might be one.
pub(crate) fn is_reserved(key: &[u8]) -> bool {
    key.first() == Some(&b'{') && after_first(key, b'}').is_some_and(|rest| rest.starts_with(MARK))
}

fn push_tag(key: &[u8], out: &mut Vec<u8>) {
    if let Some(tag) = hash_tag(key) {
        out.extend_from_slice(tag);
    } else if !key.is_empty() && !key.contains(&b'}') {
        out.extend_from_slice(key);
    } else {
        push_tag_of_slot(redis_keyslot(key), out);
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

/// A key with `}` but no hash tag of its own cannot be put between braces. Numbers are tried until one is in its slot:
/// 16 384 on average, as there are slots, which takes about a millisecond and only for such names.
fn push_tag_of_slot(slot: u16, out: &mut Vec<u8>) {
    let mut tag = Vec::new();
    for number in 0..u64::from(u32::MAX) {
        tag.clear();
        crate::resp::push_decimal(number, &mut tag);
        if redis_keyslot(&tag) == slot {
            break;
        }
    }
    out.extend_from_slice(&tag);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
