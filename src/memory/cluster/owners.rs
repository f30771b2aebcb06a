use std::{collections::BTreeMap, ops::RangeInclusive};

use super::node::NodeName;

/// The last slot.
const LAST: u16 = 16_383;

/// The owner of each slot: an entry for the first slot of each range that has another owner than the slot before it. So
/// equal owners are equal values, and a cluster whose shards have one range each has as many entries as shards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owners(BTreeMap<u16, Option<NodeName>>);

impl Owners {
    /// No slot has an owner.
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn of(&self, slot: u16) -> Option<NodeName> {
        self.0.range(..=slot).next_back().and_then(|(_, &owner)| owner)
    }

    pub(super) fn set(&mut self, slots: RangeInclusive<u16>, owner: Option<NodeName>) {
        let (first, last) = (*slots.start(), LAST.min(*slots.end()));
        if first > last {
            return;
        }
        let behind = last.saturating_add(1);
        let follows = self.of(behind);
        self.0.retain(|slot, _| !(first..=behind).contains(slot));
        self.begin(first, owner);
        if behind <= LAST {
            self.begin(behind, follows);
        }
    }

    /// Everything from that slot up to the next entry gets this owner.
    fn begin(&mut self, first: u16, owner: Option<NodeName>) {
        if self.of(first) != owner {
            self.0.insert(first, owner);
        }
    }

    /// Gives all slots of one node to another.
    pub(super) fn replace(&mut self, from: NodeName, to: NodeName) {
        for (slots, _) in self.ranges().filter(|&(_, owner)| owner == from).collect::<Vec<_>>() {
            self.set(slots, Some(to));
        }
    }

    /// The ranges that have an owner, sorted.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (RangeInclusive<u16>, NodeName)> {
        let ends = self.0.keys().skip(1).map(|next| next.saturating_sub(1)).chain([LAST]);
        let ranges = self.0.iter().zip(ends);
        ranges.filter_map(|((&first, &owner), last)| owner.map(|owner| (first..=last, owner)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_owners_are_those_of_a_plain_table(
            changes in prop::collection::vec((0..20_u16, 0..20_u16, prop::option::of(0..3_u64)), 0..30),
        ) {
            // The last twenty slots, so that ranges also end behind the last one.
            let (mut owners, mut table) = (Owners::new(), [None; 20]);
            for (first, last, owner) in changes {
                let owner = owner.map(NodeName);
                owners.set(LAST - 19 + first..=LAST - 19 + last, owner);
                (first..=last).for_each(|slot| table[usize::from(slot)] = owner);
                for slot in 0..20 {
                    prop_assert_eq!(owners.of(LAST - 19 + slot), table[usize::from(slot)]);
                }
            }
            let mut again = Owners::new();
            for (slots, owner) in owners.ranges() {
                again.set(slots, Some(owner));
            }
            prop_assert_eq!(&again, &owners, "equal owners are equal values");
            let neighbours: Vec<_> = owners.ranges().collect();
            for pair in neighbours.windows(2) {
                prop_assert!(pair[0].1 != pair[1].1 || pair[0].0.end() + 1 < *pair[1].0.start());
            }
        }
    }

    #[test]
    fn slots_that_do_not_exist_are_ignored() {
        let mut owners = Owners::new();
        owners.set(16_384..=u16::MAX, Some(NodeName(1)));
        assert_eq!(owners, Owners::new());
        owners.set(16_000..=u16::MAX, Some(NodeName(1)));
        assert_eq!(owners.ranges().collect::<Vec<_>>(), [(16_000..=16_383, NodeName(1))]);
    }
}
