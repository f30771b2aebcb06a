//! The keys of one database, and their expiry.
//!
//! Source: db.c of Redis, `keyIsExpired`: a key has expired when the clock, in whole milliseconds, is *past* its time.
//! It is deleted at the next access.

use std::collections::BTreeMap;

use super::{reply::ErrorReply, sorted_set::SortedSet};

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// Bytes.
    String(Vec<u8>),
    /// Members with scores.
    SortedSet(SortedSet),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    value: Value,
    /// The last Unix millisecond in which the key exists; `None` for ever.
    expiry: Option<u64>,
}

/// Keys with their values. Times are Unix times in ms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Keyspace {
    entries: BTreeMap<Vec<u8>, Entry>,
}

type Answer<T> = Result<T, ErrorReply>;

impl Keyspace {
    /// The keys that exist at `now`, sorted: key, value and expiry.
    pub fn live(&self, now: u64) -> impl Iterator<Item = (&[u8], &Value, Option<u64>)> {
        let entries = self.entries.iter().filter(move |(_, entry)| !entry.is_expired(now));
        entries.map(|(key, entry)| (key.as_slice(), &entry.value, entry.expiry))
    }

    /// The value and the expiry of a key that exists at `now`.
    #[must_use]
    pub fn peek(&self, key: &[u8], now: u64) -> Option<(&Value, Option<u64>)> {
        let entry = self.entries.get(key).filter(|entry| !entry.is_expired(now))?;
        Some((&entry.value, entry.expiry))
    }

    /// Deletes a key; false if it does not exist at `now`.
    pub fn remove(&mut self, key: &[u8], now: u64) -> bool {
        self.entries.remove(key).is_some_and(|entry| !entry.is_expired(now))
    }

    /// The names of the keys, sorted, also of those that have expired and are not deleted yet.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.keys().map(Vec::as_slice)
    }

    /// Puts a key in, in place of one with that name.
    pub(super) fn put(&mut self, key: Vec<u8>, value: Value, expiry: Option<u64>) {
        self.entries.insert(key, Entry { value, expiry });
    }

    /// Deletes all keys.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    fn entry(&mut self, key: &[u8], now: u64) -> Option<&mut Entry> {
        if self.entries.get(key).is_some_and(|entry| entry.is_expired(now)) {
            self.entries.remove(key);
        }
        self.entries.get_mut(key)
    }

    pub(super) fn exists(&mut self, key: &[u8], now: u64) -> bool {
        self.entry(key, now).is_some()
    }

    pub(super) fn get(&mut self, key: &[u8], now: u64) -> Answer<Option<&[u8]>> {
        match self.entry(key, now) {
            None => Ok(None),
            Some(Entry { value: Value::String(text), .. }) => Ok(Some(text)),
            Some(_) => Err(ErrorReply::wrong_type()),
        }
    }

    pub(super) fn set(&mut self, key: &[u8], text: &[u8], expiry: Option<u64>) {
        let entry = Entry { value: Value::String(text.to_vec()), expiry };
        self.entries.insert(key.to_vec(), entry);
    }

    /// Changes a string, and keeps its expiry.
    pub(super) fn set_text(&mut self, key: &[u8], text: &[u8], now: u64) {
        let expiry = self.entry(key, now).and_then(|entry| entry.expiry);
        self.set(key, text, expiry);
    }

    /// When the key expires; `Err` if there is no key.
    pub(super) fn expiry(&mut self, key: &[u8], now: u64) -> Result<Option<u64>, Missing> {
        self.entry(key, now).map(|entry| entry.expiry).ok_or(Missing)
    }

    /// PTTL: the remaining ms, -1 for ever, -2 if there is no key.
    pub(super) fn pttl(&mut self, key: &[u8], now: u64) -> i64 {
        match self.expiry(key, now) {
            Ok(Some(at)) => i64::try_from(at.saturating_sub(now)).unwrap_or(i64::MAX),
            Ok(None) => -1,
            Err(Missing) => -2,
        }
    }

    /// PEXPIRE, in the name of `command`; false if there is no key.
    pub(super) fn pexpire(&mut self, key: &[u8], millis: i64, now: u64, command: &str) -> Answer<bool> {
        let at = i64::try_from(now).ok().and_then(|now| now.checked_add(millis));
        let at = at.ok_or_else(|| ErrorReply::bad_expiry(command))?;
        let Some(entry) = self.entry(key, now) else { return Ok(false) };
        match u64::try_from(at) {
            Ok(at) if at > now => entry.expiry = Some(at),
            // A key that would expire at once is deleted.
            _ => drop(self.entries.remove(key)),
        }
        Ok(true)
    }

    /// The sorted set of a key; `None` if there is no key.
    pub(super) fn sorted_set(&mut self, key: &[u8], now: u64) -> Answer<Option<&SortedSet>> {
        match self.entry(key, now) {
            None => Ok(None),
            Some(Entry { value: Value::SortedSet(set), .. }) => Ok(Some(set)),
            Some(_) => Err(ErrorReply::wrong_type()),
        }
    }

    /// Changes a sorted set. An empty sorted set has no key, before and after.
    pub(super) fn with_sorted_set<T>(
        &mut self,
        key: &[u8],
        now: u64,
        change: impl FnOnce(&mut SortedSet) -> T,
    ) -> Answer<T> {
        if self.entry(key, now).is_none() {
            let empty = Entry { value: Value::SortedSet(SortedSet::default()), expiry: None };
            self.entries.insert(key.to_vec(), empty);
        }
        let Some(Entry { value: Value::SortedSet(set), .. }) = self.entry(key, now) else {
            return Err(ErrorReply::wrong_type());
        };
        let result = change(set);
        if set.is_empty() {
            self.entries.remove(key);
        }
        Ok(result)
    }

    pub(super) fn type_of(&mut self, key: &[u8], now: u64) -> &'static str {
        match self.entry(key, now) {
            None => "none",
            Some(Entry { value: Value::String(_), .. }) => "string",
            Some(Entry { value: Value::SortedSet(_), .. }) => "zset",
        }
    }
}

/// There is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing;

impl Entry {
    fn is_expired(&self, now: u64) -> bool {
        self.expiry.is_some_and(|at| now > at)
    }
}
