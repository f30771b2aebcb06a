//! Reads the reply to CLUSTER SLOTS.
//!
//! From the frame's bytes, because in RESP3 it contains maps, which are never decoded: each range is an array of its first
//! slot, its last slot, its primary and its replicas; each of these an array of host, port, id and metadata
//! (<https://redis.io/docs/latest/commands/cluster-slots/>).

use super::{
    address::Announced,
    cursor::{count, line, skip, text},
    slots::{Slot, Slots},
};
use crate::{index::Index, resp::natural};

/// Slots, and the primary that serves them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) slots: Slots,
    pub(crate) primary: Announced,
    /// Hashes of the node ids of the primary and its replicas, by which a cluster is known again: each of them may be the
    /// primary in the next map.
    pub(crate) ids: Vec<u64>,
}

/// Reads the reply, sorted by slot. Ranges whose primary has no known address are left out. `None` if it is no such reply, or
/// has ranges that overlap.
pub(crate) fn read(frame: &[u8]) -> Option<Vec<Shard>> {
    let mut rest = frame;
    let mut shards = Vec::new();
    for _ in 0..count(&mut rest, b'*')? {
        let mut parts = count(&mut rest, b'*')?.checked_sub(3)?;
        let slots = (slot(&mut rest)?, slot(&mut rest)?);
        let mut ids = Vec::new();
        let (host, port) = node(&mut rest, &mut ids)?;
        while parts > 0 {
            node(&mut rest, &mut ids)?;
            parts = parts.saturating_sub(1);
        }
        if let Some(primary) = Announced::of(host, port) {
            shards.push(Shard { slots, primary, ids });
        }
    }
    if !rest.is_empty() {
        return None;
    }
    sorted(&shards)
}

/// Takes a node: its host and its port. Appends the hash of its id.
fn node<'a>(rest: &mut &'a [u8], ids: &mut Vec<u64>) -> Option<(&'a [u8], u64)> {
    let more = count(rest, b'*')?.checked_sub(3)?;
    let host = text(rest)?;
    let port = natural(line(rest, b':')?)?;
    ids.push(hash(text(rest)?));
    skip(rest, more)?;
    Some((host, port))
}

/// The ranges by their slots. `None` if some overlap.
fn sorted(shards: &[Shard]) -> Option<Vec<Shard>> {
    let mut order = Index::default();
    for (at, shard) in (0..).zip(shards) {
        order.insert(shard.slots.0.number(), at);
    }
    let mut sorted: Vec<Shard> = Vec::with_capacity(shards.len());
    while let Some((number, at)) = order.first() {
        order.remove(number, at);
        let shard = shards.get(usize::try_from(at).ok()?)?;
        let (first, last) = shard.slots;
        if first > last || sorted.last().is_some_and(|before| before.slots.1 >= first) {
            return None;
        }
        sorted.push(shard.clone());
    }
    Some(sorted)
}

/// FNV-1a. Ids of servers are random, so no two of a cluster have one hash.
fn hash(id: &[u8]) -> u64 {
    id.iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn slot(rest: &mut &[u8]) -> Option<Slot> {
    natural(line(rest, b':')?).and_then(Slot::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::address::Address;

    const RESP3: &str = "*2\r\n*4\r\n:0\r\n:5460\r\n*4\r\n$9\r\n127.0.0.1\r\n:7000\r\n$2\r\naa\r\n%1\r\n$8\r\nhostname\r\n$1\r\nh\r\n*4\r\n$9\r\n127.0.0.1\r\n:7003\r\n$2\r\ndd\r\n%0\r\n*3\r\n:5461\r\n:16383\r\n*4\r\n_\r\n:7001\r\n$2\r\nbb\r\n%0\r\n";
    const RESP2: &str =
        "*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$-1\r\n:7001\r\n$2\r\nbb\r\n*2\r\n$2\r\nip\r\n$1\r\nx\r\n";

    fn shown(frame: &str) -> Option<Vec<(Slots, String, Vec<u64>)>> {
        let own = Address::read(b"own:1");
        let show = |shard: Shard| (shard.slots, shard.primary.from(own.as_ref().unwrap()).text(), shard.ids);
        Some(read(frame.as_bytes())?.into_iter().map(show).collect())
    }

    fn slots(first: u64, last: u64) -> Slots {
        (Slot::new(first).unwrap(), Slot::new(last).unwrap())
    }

    #[test]
    fn replies_of_real_servers_in_both_protocols() {
        let expected = vec![
            (slots(0, 5460), "127.0.0.1:7000".to_owned(), vec![hash(b"aa"), hash(b"dd")]),
            (slots(5461, 16_383), "own:7001".to_owned(), vec![hash(b"bb")]),
        ];
        assert_eq!(shown(RESP3), Some(expected));
        assert_eq!(shown(RESP2), Some(vec![(slots(0, 16_383), "own:7001".to_owned(), vec![hash(b"bb")])]));
        assert_eq!(shown("*0\r\n"), Some(vec![]));
    }

    #[test]
    fn a_primary_without_a_known_address_is_left_out() {
        assert_eq!(shown("*1\r\n*3\r\n:0\r\n:1\r\n*3\r\n$1\r\n?\r\n:7001\r\n$1\r\nb\r\n"), Some(vec![]));
    }

    #[test]
    fn what_is_cut_off_or_odd_is_no_map() {
        for end in 0..RESP3.len() {
            assert_eq!(shown(RESP3.split_at(end).0), None, "{end}");
        }
        let one = |first, last| format!("*3\r\n:{first}\r\n:{last}\r\n*3\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n");
        for odd in [
            format!("*1\r\n{}+", one(0, 1)),
            format!("*1\r\n{}", one(2, 1)),
            format!("*2\r\n{}{}", one(0, 2), one(2, 3)),
            format!("*1\r\n{}", one(0, 16_384)),
            "*1\r\n*2\r\n:0\r\n:1\r\n".to_owned(),
            "*99999999999999999999\r\n".to_owned(),
            "*1\r\n*3\r\n:0\r\n:1\r\n*18446744073709551615\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n".to_owned(),
            "-ERR This instance has cluster support disabled\r\n".to_owned(),
            "+OK\r\n".to_owned(),
        ] {
            assert_eq!(shown(&odd), None, "{odd}");
        }
    }
}
