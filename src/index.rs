//! A sorted map, and an ordered set of pairs of numbers.
//!
//! Both keep their entries in blocks, as in the leaves of a B-tree. The standard library's B-tree would add 7 kB to the
//! wasm for each type of entry.

use core::cell::Cell;

/// The most entries of a block. Inserting moves that many entries at most, which is one call in wasm.
const MOST: usize = 64;

/// Entries sorted by key. Each key has one value.
#[derive(Clone, Debug)]
pub(crate) struct SortedMap<K, V> {
    /// The entries in order. None is empty, except that there may be a single empty one.
    blocks: Vec<Vec<(K, V)>>,
    len: usize,
    /// The block and the place where a key was last found, and removed. The next call mostly looks for the same key, or
    /// for the one behind it.
    found: Cell<(usize, usize)>,
    removed: (usize, usize),
}

impl<K: Copy + Ord, V> SortedMap<K, V> {
    /// Inserts an entry, or replaces the value of an entry with this key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.blocks.is_empty() {
            self.blocks.push(Vec::new());
        }
        // Ids and deadlines mostly grow.
        if let Some(block) = self.blocks.last_mut()
            && block.len() < MOST
            && block.last().is_none_or(|&(last, _)| last < key)
        {
            block.push((key, value));
            let place = block.len().saturating_sub(1);
            self.found.set((self.blocks.len().saturating_sub(1), place));
            self.len = self.len.saturating_add(1);
            return;
        }
        let (number, place) = self.find(key);
        let end = self.blocks.len().saturating_sub(1);
        let Some(block) = self.blocks.get_mut(number) else { return };
        let place = match place {
            Ok(place) => {
                if let Some(entry) = block.get_mut(place) {
                    entry.1 = value;
                }
                return;
            }
            Err(place) => place,
        };
        self.len = self.len.saturating_add(1);
        if block.len() < MOST {
            return block.insert(place, (key, value));
        }
        // What comes after all others begins a block, and leaves a full one behind.
        let mut rest = if number == end && place == MOST { Vec::new() } else { block.split_off(MOST / 2) };
        match place.checked_sub(block.len()) {
            Some(place) => rest.insert(place, (key, value)),
            None => block.insert(place, (key, value)),
        }
        self.blocks.insert(number.saturating_add(1), rest);
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let (number, place) = self.find(key);
        let block = self.blocks.get_mut(number)?;
        let place = place.ok()?;
        let (_, value) = block.remove(place);
        self.removed = (number, place);
        self.len = self.len.saturating_sub(1);
        if block.is_empty() && self.len > 0 {
            self.blocks.remove(number);
        }
        Some(value)
    }

    pub(crate) fn has(&self, key: K) -> bool {
        // Mostly asked for a key behind all others.
        self.blocks.last().and_then(|block| block.last()).is_some_and(|(last, _)| *last >= key)
            && self.get(key).is_some()
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        let (number, place) = self.find(key);
        self.blocks.get(number)?.get(place.ok()?).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let (number, place) = self.find(key);
        self.blocks.get_mut(number)?.get_mut(place.ok()?).map(|(_, value)| value)
    }

    pub(crate) fn first(&self) -> Option<&(K, V)> {
        self.blocks.first()?.first()
    }

    /// The entries from `key` on, in order.
    pub(crate) fn from(&self, key: K) -> impl Iterator<Item = &(K, V)> {
        let (number, place) = self.find(key);
        let (Ok(place) | Err(place)) = place;
        self.blocks.iter().skip(number).flatten().skip(place)
    }

    /// All entries, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.blocks.iter().flatten()
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The number of the block for a key, and the key's place there: as an error if it is not there yet.
    #[inline]
    fn find(&self, key: K) -> (usize, Result<usize, usize>) {
        let (number, place) = self.found.get();
        if self.is_at(number, place, key) { (number, Ok(place)) } else { self.search(key) }
    }

    #[inline]
    fn is_at(&self, number: usize, place: usize, key: K) -> bool {
        self.blocks.get(number).and_then(|block| block.get(place)).is_some_and(|(each, _)| *each == key)
    }

    #[inline(never)]
    fn search(&self, key: K) -> (usize, Result<usize, usize>) {
        let (number, place) = self.found.get();
        let (number, place) = if self.is_at(number, place.saturating_add(1), key) {
            (number, Ok(place.saturating_add(1)))
        } else if self.is_at(self.removed.0, self.removed.1, key) {
            (self.removed.0, Ok(self.removed.1))
        } else {
            let begins_before = |block: &Vec<(K, V)>| block.first().is_some_and(|(first, _)| *first <= key);
            let number = self.blocks.partition_point(begins_before).saturating_sub(1);
            let block = self.blocks.get(number).map(Vec::as_slice).unwrap_or_default();
            (number, block.binary_search_by_key(&key, |(each, _)| *each))
        };
        if let Ok(place) = place {
            self.found.set((number, place));
        }
        (number, place)
    }
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self { blocks: Vec::new(), len: 0, found: Cell::default(), removed: (0, 0) }
    }
}

/// Of the entries alone: the same entries may be in other blocks.
impl<K: core::hash::Hash, V: core::hash::Hash> core::hash::Hash for SortedMap<K, V> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        self.blocks.iter().flatten().for_each(|entry| entry.hash(state));
    }
}

/// Pairs of a key and a value, sorted. A key may have several values.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Index(SortedMap<(u64, u64), ()>);

impl Index {
    pub(crate) fn insert(&mut self, key: u64, value: u64) {
        self.0.insert((key, value), ());
    }

    pub(crate) fn remove(&mut self, key: u64, value: u64) {
        self.0.remove((key, value));
    }

    pub(crate) fn has(&self, key: u64, value: u64) -> bool {
        self.0.has((key, value))
    }

    /// The values of a key, in order.
    pub(crate) fn of(&self, key: u64) -> impl Iterator<Item = u64> {
        let pairs = self.0.from((key, 0)).map(|&(pair, ())| pair);
        pairs.map_while(move |(each, value)| (each == key).then_some(value))
    }

    /// The first value of a key.
    pub(crate) fn first_of(&self, key: u64) -> Option<u64> {
        if self.is_empty() { None } else { self.of(key).next() }
    }

    pub(crate) fn first(&self) -> Option<(u64, u64)> {
        self.0.first().map(|&(pair, ())| pair)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few enough keys that they meet, enough for several blocks.
        #[test]
        fn a_sorted_map_is_a_btree_map(
            steps in prop::collection::vec((any::<bool>(), 0_u32..600), 0..3000),
            sequential in 0_u32..300,
        ) {
            let (mut map, mut model) = (SortedMap::default(), BTreeMap::new());
            for key in 0..sequential {
                map.insert(key, key);
                model.insert(key, key);
            }
            for (time, (inserts, key)) in (0_u32..).zip(steps) {
                if inserts {
                    map.insert(key, time);
                    model.insert(key, time);
                } else {
                    prop_assert_eq!(map.remove(key), model.remove(&key));
                }
                prop_assert_eq!(map.get(key), model.get(&key));
                prop_assert_eq!(map.first().copied(), model.first_key_value().map(|(&key, &value)| (key, value)));
                prop_assert_eq!(map.len(), model.len());
            }
            let entries = |from: u32| model.range(from..).map(|(&key, &value)| (key, value)).collect::<Vec<_>>();
            prop_assert_eq!(map.iter().copied().collect::<Vec<_>>(), entries(0));
            for from in [0, 1, 63, 64, 65, 299, 600] {
                prop_assert_eq!(map.from(from).copied().collect::<Vec<_>>(), entries(from));
            }
            prop_assert!(map.blocks.iter().all(|block| block.len() <= MOST));
            prop_assert!(map.blocks.len() <= 1 || map.blocks.iter().all(|block| !block.is_empty()));
        }
    }

    #[test]
    fn a_key_has_several_values() {
        let mut index = Index::default();
        for number in (0..1000).rev() {
            index.insert(number / 100, number);
        }
        index.remove(3, 300);
        assert_eq!(index.of(3).collect::<Vec<_>>(), (301..400).collect::<Vec<_>>());
        assert_eq!((index.first_of(3), index.first_of(10), index.first()), (Some(301), None, Some((0, 0))));
    }
}
