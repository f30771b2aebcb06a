//! The locks of an engine, by id.
//!
//! Ids count up, so that locks of one time are close together: the place of a lock follows from its id, without a search.
//! An old lock that is still held costs a page of its own.

use crate::id::LockId;

/// How many ids share a page.
const PAGE: u32 = 32;

/// Entries by lock id.
#[derive(Clone, Debug)]
pub(crate) struct Table<V> {
    /// Sorted by number. None is empty but the last one, which is kept for the next locks.
    pages: Vec<Page<V>>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Page<V> {
    /// The ids of the page, divided by [`PAGE`].
    number: u32,
    used: u32,
    slots: Vec<Option<V>>,
}

impl<V> Table<V> {
    /// Inserts an entry, or replaces the one with this id.
    pub(crate) fn insert(&mut self, id: LockId, value: V) {
        let (number, slot) = place(id);
        let at = self.find(number).unwrap_or_else(|_| self.add(number));
        let Some(page) = self.pages.get_mut(at) else { return };
        if let Some(entry) = page.slots.get_mut(slot)
            && entry.replace(value).is_none()
        {
            page.used = page.used.saturating_add(1);
            self.len = self.len.saturating_add(1);
        }
    }

    pub(crate) fn remove(&mut self, id: LockId) -> Option<V> {
        let (number, slot) = place(id);
        let at = self.find(number).ok()?;
        let page = self.pages.get_mut(at)?;
        let value = page.slots.get_mut(slot)?.take()?;
        page.used = page.used.saturating_sub(1);
        self.len = self.len.saturating_sub(1);
        if page.used == 0 && at.saturating_add(1) < self.pages.len() {
            self.pages.remove(at);
        }
        Some(value)
    }

    /// Adds a page, and returns its place.
    fn add(&mut self, number: u32) -> usize {
        let page = match self.pages.pop_if(|last| last.used == 0) {
            Some(last) => Page { number, ..last },
            None => Page { number, used: 0, slots: (0..PAGE).map(|_| None).collect() },
        };
        let (Ok(at) | Err(at)) = self.find(number);
        self.pages.insert(at, page);
        at
    }

    pub(crate) fn get(&self, id: LockId) -> Option<&V> {
        let (number, slot) = place(id);
        self.pages.get(self.find(number).ok()?)?.slots.get(slot)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: LockId) -> Option<&mut V> {
        let (number, slot) = place(id);
        let at = self.find(number).ok()?;
        self.pages.get_mut(at)?.slots.get_mut(slot)?.as_mut()
    }

    /// All entries, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LockId, &V)> {
        self.pages.iter().flat_map(|page| {
            let first = page.number.saturating_mul(PAGE);
            let entries = (first..=first.saturating_add(PAGE - 1)).map(LockId).zip(&page.slots);
            entries.filter_map(|(id, slot)| Some((id, slot.as_ref()?)))
        })
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The place of a page; as an error, the place for one with this number.
    fn find(&self, number: u32) -> Result<usize, usize> {
        // Without a gap behind it, a page is as far from the last one as their numbers are.
        if let Some(last) = self.pages.last()
            && let Some(distance) = last.number.checked_sub(number)
            && let Ok(distance) = usize::try_from(distance)
            && let Some(guess) = self.pages.len().checked_sub(distance.saturating_add(1))
            && self.pages.get(guess).is_some_and(|page| page.number == number)
        {
            return Ok(guess);
        }
        self.pages.binary_search_by_key(&number, |page| page.number)
    }
}

/// The number of an id's page, and its slot there.
fn place(LockId(id): LockId) -> (u32, usize) {
    (id / PAGE, usize::try_from(id % PAGE).unwrap_or_default())
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { pages: Vec::new(), len: 0 }
    }
}

impl<V: core::hash::Hash> core::hash::Hash for Table<V> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        self.iter().for_each(|entry| entry.hash(state));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Ids that count up, ids far behind and ahead of them, and the last one of all.
        #[test]
        fn a_table_is_a_btree_map(
            steps in prop::collection::vec((any::<bool>(), prop_oneof![0_u32..600, 5_000_u32..5_200, Just(u32::MAX)]), 0..2000),
        ) {
            let (mut table, mut model) = (Table::default(), BTreeMap::new());
            for (time, (inserts, id)) in (0_u32..).zip(steps) {
                if inserts {
                    table.insert(LockId(id), time);
                    model.insert(id, time);
                } else {
                    prop_assert_eq!(table.remove(LockId(id)), model.remove(&id));
                }
                prop_assert_eq!(table.get(LockId(id)), model.get(&id));
                prop_assert_eq!(table.get_mut(LockId(id)), model.get_mut(&id));
                prop_assert_eq!(table.len(), model.len());
            }
            let entries = model.iter().map(|(&id, value)| (LockId(id), value));
            prop_assert!(table.iter().eq(entries));
            let empty = |page: &&Page<u32>| page.used == 0;
            prop_assert_eq!(table.pages.iter().rev().skip(1).find(empty).map(|page| page.number), None);
        }
    }
}
