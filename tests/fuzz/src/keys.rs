//! The KEYS of the scripts: those of the locks, and those derived from them.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use redlatch::{InvalidRequest, KeyRole, Request};

use super::world::{Client, ScriptCall, one_attempt};

/// All keys of one lock key are in its cluster slot, no two lock keys share a derived key, and no derived key
/// can be locked. Input: whether it is fair, then up to three names.
pub fn keys(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let _ = attempt(&mut u);
}

fn attempt(u: &mut Unstructured<'_>) -> Result<()> {
    let fair = u.arbitrary()?;
    let mut names: Vec<Vec<u8>> = Vec::new();
    for _ in 0..u.int_in_range(1..=3)? {
        let name = match u.int_in_range(0..=2)? {
            0 => u.bytes(u.len().min(12))?.to_vec(),
            1 => (0..u.int_in_range(1..=9)?)
                .map(|_| u.choose(b"{}:ab\0").copied())
                .collect::<Result<Vec<u8>>>()?,
            // Derived from another name, or nearly.
            _ => {
                let name = names.last().cloned().unwrap_or_default();
                let kind = *u.choose(&["fence", "waiters", "queue", "places"])?;
                let before = *u.choose(&[b"".as_slice(), b"{", b"}", b"{a}", b"p:"])?;
                let after = *u.choose(&[b"}".as_slice(), b"", b"}:p"])?;
                [before, b"redlatch:", kind.as_bytes(), b":{", &name, after].concat()
            }
        };
        names.push(name);
    }
    check(names, fair);
    Ok(())
}

fn check(names: Vec<Vec<u8>>, fair: bool) {
    let mut owners: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let accepted: Vec<_> = names.into_iter().filter(|name| accepts(name, fair)).collect();
    // Alone or together, and of either kind, lock keys have the same derived keys.
    let mut sets: Vec<_> = accepted.iter().map(|name| (vec![name.clone()], fair)).collect();
    sets.extend(accepted.first().map(|name| (vec![name.clone()], !fair)));
    sets.push((accepted.clone(), fair));
    for (set, fair) in sets.into_iter().filter(|(set, _)| !set.is_empty()) {
        let sent = sent(&set, fair);
        let mut distinct = set;
        distinct.sort();
        distinct.dedup();
        let locks = sent.keys_of(KeyRole::Lock);
        assert_eq!(locks, distinct, "the lock keys are in order, each once");
        for role in [KeyRole::Queue, KeyRole::Positions] {
            for (derived, name) in sent.keys_of(role).iter().zip(&locks) {
                assert_eq!(slot(derived), slot(name), "{derived:?} of {name:?} is in another slot");
                let owner = owners.entry(derived.clone()).or_insert_with(|| name.clone());
                assert_eq!(owner, name, "{derived:?} belongs to two locks");
                assert!(!accepts(derived, fair), "{derived:?} could be locked itself");
            }
        }
        assert_eq!(sent.counter().map(Vec::as_slice), Some(b"redlatch:fence".as_slice()));
    }
}

fn accepts(name: &[u8], fair: bool) -> bool {
    let mut client = Client::new();
    match client.engine.acquire(Request { fair, ..one_attempt(name) }, client.now) {
        Ok(_) => true,
        Err(InvalidRequest::EmptyKey) => {
            assert!(name.is_empty());
            false
        }
        Err(misuse) => {
            assert_eq!(misuse, InvalidRequest::ReservedKey);
            assert!(name.windows(9).any(|part| part == b"redlatch:"), "{name:?} is refused");
            false
        }
    }
}

/// The acquire, as a server gets it.
fn sent(names: &[Vec<u8>], fair: bool) -> ScriptCall {
    let mut client = Client::new();
    client.acquire(Request { keys: names.to_vec(), fair, ..one_attempt("") });
    client.greet();
    ScriptCall::parse(&client.written()).expect("an acquire")
}

/// A key's cluster slot, bit by bit as in the specification's appendix: CRC16 of the XMODEM kind, of the hash tag if there is
/// one. <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>
fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let length = key[open + 1..].iter().position(|&byte| byte == b'}')?;
        (length > 0).then(|| &key[open + 1..open + 1 + length])
    });
    let mut crc = 0u16;
    for &byte in tag.unwrap_or(key) {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 };
        }
    }
    crc % 16384
}
