//! A script call from the server's end: its locks, and what a reply says to each of them.

use redlatch::KeyRole;

use super::{
    ledger::{Answer, OwnedLock},
    reference::Value,
    world::{ScriptCall, Verb, token_of},
};

/// The most locks in one call.
const MOST_LOCKS: usize = 32;

#[derive(Clone, Debug)]
pub struct Call {
    pub script: ScriptCall,
    /// The locks that share the call, in order. Each of a run has one key.
    pub locks: Vec<OwnedLock>,
    pub lease_ms: u64,
}

impl Call {
    pub fn of(script: ScriptCall) -> Self {
        let lease_ms = script.lease().unwrap_or(0);
        assert!(!script.acquires() || lease_ms >= 100, "a lease of {lease_ms} ms");
        let locks = locks_of(&script);
        assert!((1..=MOST_LOCKS).contains(&locks.len()), "{} locks in one call", locks.len());
        Self { script, locks, lease_ms }
    }

    /// What a reply says to each lock, `None` for an error that concerns this lock alone. `None` in all if it is no reply to
    /// this call.
    pub fn answers(&self, value: &Value) -> Option<Vec<Option<Answer>>> {
        let Value::Array(elements) = value else { return None };
        let (nonce, results) = elements.split_first()?;
        if *nonce != Value::Bulk(self.script.nonce().clone()) {
            return None;
        }
        match self.locks.as_slice() {
            [alone] => Some(vec![self.answer(alone, results)?]),
            run if run.len() == results.len() => {
                run.iter().zip(results.chunks(1)).map(|(lock, result)| self.answer(lock, result)).collect()
            }
            _ => None,
        }
    }

    fn answer(&self, lock: &OwnedLock, results: &[Value]) -> Option<Option<Answer>> {
        if let [Value::Bulk(text) | Value::Simple(text)] = results
            && self.script.acquires()
            && text.first().is_some_and(u8::is_ascii_uppercase)
        {
            return Some(None);
        }
        let numbers: Vec<_> = results.iter().map(Value::integer).collect::<Option<_>>()?;
        let is_flag = |number: &i64| (0..=1).contains(number);
        let answer = match (self.script.verb(), numbers.as_slice()) {
            (Verb::Acquire, &[fence]) if fence > 0 => Answer::Granted(u64::try_from(fence).ok()?),
            (Verb::Acquire, &[_]) => Answer::Taken,
            (Verb::Acquire, &[hint, 0 | 1, ahead]) if hint <= 0 => {
                u32::try_from(ahead).ok().map(|_| Answer::Taken)?
            }
            (Verb::Extend, [1]) => Answer::Ours,
            (Verb::Extend, [0]) => Answer::NotOurs,
            (Verb::Release, flags) if flags.len() == lock.keys.len() && flags.iter().all(is_flag) => {
                Answer::Released(flags.iter().filter(|&&flag| flag == 1).count() as u64)
            }
            _ => return None,
        };
        Some(Some(answer))
    }
}

/// The locks that a call concerns. Each key has its value, and one lock's keys have the same one.
fn locks_of(script: &ScriptCall) -> Vec<OwnedLock> {
    let keys = script.keys_of(KeyRole::Lock);
    let arguments = &script.arguments;
    let values: Vec<&[u8]> = match script.name() {
        "exclusive_acquire" => {
            let width = (arguments.len() - 3) / keys.len();
            arguments[3..].iter().step_by(width).map(Vec::as_slice).collect()
        }
        "extend" | "exclusive_release" | "fair_release" if arguments.len() - 2 == keys.len() => {
            arguments[2..].iter().map(Vec::as_slice).collect()
        }
        _ => vec![script.value(); keys.len()],
    };
    assert_eq!(keys.len(), values.len(), "a value for each key of {}", script.name());
    let mut locks: Vec<(&[u8], OwnedLock)> = Vec::new();
    for (key, value) in keys.into_iter().zip(values) {
        match locks.last_mut() {
            Some((last, lock)) if *last == value => lock.keys.push(key),
            _ => locks.push((value, OwnedLock { token: token_of(value).to_vec(), keys: vec![key] })),
        }
    }
    locks.into_iter().map(|(_, lock)| lock).collect()
}

/// Whether an error may be meant for one lock of a run only.
pub fn concerns_one(line: &[u8]) -> bool {
    ["NOPERM", "CROSSSLOT", "TRYAGAIN"].iter().any(|prefix| line.starts_with(prefix.as_bytes()))
}
