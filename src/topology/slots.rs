//! Which server each slot of a cluster is on.

use redis_protocol::redis_keyslot;

use crate::{id::NodeId, node::FIRST_EPOCH, script::LockKeys};

/// How many slots a cluster has
/// (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model>).
const COUNT: u16 = 16_384;

/// A slot of a cluster: all keys in it are on one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(pub(super) u16);

impl Slot {
    pub(crate) const FIRST: Self = Self(0);
    pub(crate) const LAST: Self = Self(COUNT - 1);

    pub(crate) fn new(number: u64) -> Option<Self> {
        u16::try_from(number).ok().filter(|&number| number < COUNT).map(Self)
    }

    pub(crate) fn number(self) -> u64 {
        self.0.into()
    }

    pub(crate) fn of_key(key: &[u8]) -> Self {
        Self(redis_keyslot(key))
    }

    /// The slot of these keys, which have it in common.
    pub(crate) fn of(keys: &LockKeys) -> Self {
        Self::of_key(keys.locks().next().unwrap_or_default())
    }
}

/// The server of a slot. `epoch` counts the slot's changes of server, from [`FIRST_EPOCH`] on, so that an answer to a
/// question that was asked before such a change does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    pub(crate) node: NodeId,
    pub(crate) epoch: u32,
}

/// Slots from the first to the last.
pub(crate) type Slots = (Slot, Slot);

pub(crate) const ALL_SLOTS: Slots = (Slot::FIRST, Slot::LAST);

/// The routes of all slots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct SlotMap {
    /// Where slots with another route begin, in order, and that route; `None` if it is not known. What comes before the first
    /// is not known.
    steps: Vec<(u16, Option<Route>)>,
}

impl SlotMap {
    /// The route of a slot, if it is known.
    pub(crate) fn get(&self, slot: Slot) -> Option<Route> {
        let behind = self.steps.partition_point(|&(first, _)| first <= slot.0);
        self.steps.get(behind.checked_sub(1)?).and_then(|&(_, route)| route)
    }

    /// The servers that have slots, each once, in the order of their first slots.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        let mut nodes = Vec::new();
        for route in self.steps.iter().filter_map(|(_, route)| *route) {
            if !nodes.contains(&route.node) {
                nodes.push(route.node);
            }
        }
        nodes
    }

    /// Takes over who has these slots, which must be sorted and must not overlap. The others keep their routes. Returns the
    /// slots whose server is another one now; those whose server was not known are not among them.
    pub(crate) fn take(&mut self, ranges: &[(Slots, NodeId)]) -> Vec<Slots> {
        let mut steps: Vec<(u16, Option<Route>)> = Vec::new();
        let mut moved: Vec<Slots> = Vec::new();
        let mut next = Some(0);
        while let Some(first) = next.filter(|&first| first < COUNT) {
            next = self.change_after(first, ranges);
            let last = next.unwrap_or(COUNT).min(COUNT).saturating_sub(1);
            let old = self.get(Slot(first));
            let behind = ranges.partition_point(|&((begin, _), _)| begin.0 <= first);
            let named = behind.checked_sub(1).and_then(|at| ranges.get(at));
            let new = match named {
                Some(&((_, end), node)) if first <= end.0 && old.is_none_or(|old| old.node != node) => {
                    if old.is_some() {
                        moved.push((Slot(first), Slot(last)));
                    }
                    Some(Route {
                        node,
                        epoch: old.map_or(FIRST_EPOCH, |old| old.epoch.wrapping_add(1).max(FIRST_EPOCH)),
                    })
                }
                _ => old,
            };
            if steps.last().is_none_or(|&(_, route)| route != new) {
                steps.push((first, new));
            }
        }
        self.steps = steps;
        moved
    }

    /// Where the next step, or the next beginning or end of a range, comes after `first`.
    fn change_after(&self, first: u16, ranges: &[(Slots, NodeId)]) -> Option<u16> {
        let behind = self.steps.partition_point(|&(begin, _)| begin <= first);
        let step = self.steps.get(behind).map(|&(begin, _)| begin);
        let place = ranges.partition_point(|&((_, last), _)| last.0 < first);
        let range = ranges.get(place).map(
            |&((begin, last), _)| {
                if begin.0 > first { begin.0 } else { last.0.saturating_add(1) }
            },
        );
        [step, range].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slot(number: u16) -> Slot {
        Slot(number)
    }

    fn range(first: u16, last: u16, node: u32) -> (Slots, NodeId) {
        ((slot(first), slot(last)), NodeId(node))
    }

    fn node_of(map: &SlotMap, number: u16) -> Option<u32> {
        map.get(slot(number)).map(|route| route.node.0)
    }

    #[test]
    fn slots_that_nobody_named_are_not_known() {
        let mut map = SlotMap::default();
        assert_eq!(map.get(slot(0)), None);
        assert_eq!(map.take(&[range(10, 20, 1), range(21, 30, 2)]), []);
        assert_eq!(
            [9, 10, 20, 21, 30, 31].map(|at| node_of(&map, at)),
            [None, Some(1), Some(1), Some(2), Some(2), None]
        );
        assert_eq!(map.nodes(), [NodeId(1), NodeId(2)]);
    }

    #[test]
    fn a_slot_that_moves_begins_an_epoch_and_the_others_do_not() {
        let mut map = SlotMap::default();
        map.take(&[range(0, 16_383, 1)]);
        assert_eq!(map.take(&[range(5, 5, 2)]), [(slot(5), slot(5))]);
        assert_eq!([4, 5, 6].map(|at| map.get(slot(at)).unwrap().epoch), [1, 2, 1]);
        assert_eq!(map.take(&[range(5, 5, 2)]), [], "as before");
        assert_eq!(map.take(&[range(0, 16_383, 1)]), [(slot(5), slot(5))]);
        assert_eq!([4, 5, 6].map(|at| map.get(slot(at)).unwrap().epoch), [1, 3, 1]);
    }

    #[test]
    fn what_a_map_leaves_out_stays() {
        let mut map = SlotMap::default();
        map.take(&[range(0, 100, 1), range(101, 200, 2)]);
        assert_eq!(map.take(&[range(50, 120, 3)]), [(slot(50), slot(100)), (slot(101), slot(120))]);
        assert_eq!([49, 50, 120, 121].map(|at| node_of(&map, at)), [Some(1), Some(3), Some(3), Some(2)]);
    }

    proptest! {
        #[test]
        fn a_map_agrees_with_a_table(
            maps in prop::collection::vec(prop::collection::btree_map(0_u16..40, (0_u16..6, 0_u32..3), 0..4), 1..6),
        ) {
            let mut map = SlotMap::default();
            let mut table = vec![None; 64];
            for named in maps {
                let mut ranges: Vec<(Slots, NodeId)> = Vec::new();
                for (first, (more, node)) in named {
                    if ranges.last().is_none_or(|&((_, last), _)| last.0 < first) {
                        ranges.push(range(first, first + more, node));
                    }
                }
                let moved = map.take(&ranges);
                for &((first, last), node) in &ranges {
                    for at in first.0..=last.0 {
                        let entry: &mut Option<NodeId> = &mut table[usize::from(at)];
                        let is_moved = entry.is_some_and(|old| old != node);
                        let is_said = moved.iter().any(|(from, to)| (from.0..=to.0).contains(&at));
                        prop_assert_eq!(is_moved, is_said);
                        *entry = Some(node);
                    }
                }
                for (at, entry) in (0..).zip(&table) {
                    prop_assert_eq!(map.get(slot(at)).map(|route| route.node), *entry);
                }
            }
        }
    }
}
