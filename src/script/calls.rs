//! Script calls: one function per script builds KEYS and ARGV. The headers in `lua/` state the contract.

use super::{
    lock_keys::LockKeys,
    scripts::{
        ADOPT, EXCLUSIVE_ACQUIRE, EXCLUSIVE_RELEASE, EXTEND, FAIR_ACQUIRE, FAIR_RELEASE, MULTI_ACQUIRE,
        RAISE_FENCE, Script,
    },
    verb::Waiter,
};
use crate::time::Duration;

/// A script call, without its nonce.
pub(crate) struct Call<'a> {
    pub(crate) script: &'static Script,
    pub(crate) keys: &'a LockKeys,
    /// How many keys of each lock key are in KEYS.
    pub(crate) roles: usize,
    /// The last of KEYS, if the script mints fencing tokens.
    pub(crate) counter: Option<&'a [u8]>,
    /// ARGV after the nonce, as far as independent locks can have it in common; `None` after the last argument.
    pub(crate) common: [Option<Argument<'a>>; 5],
    /// What follows in ARGV for each lock key; `None` after the last argument.
    pub(crate) own: [Option<Argument<'a>>; 2],
}

impl Call<'_> {
    /// Whether other locks may share the call: those whose `common` arguments, `roles` and `counter` are the same.
    pub(crate) fn may_share(&self) -> bool {
        self.script.serves_several && self.keys.count() == 1
    }
}

/// An element of ARGV.
#[derive(Clone, Copy)]
pub(crate) enum Argument<'a> {
    Bytes(&'a [u8]),
    /// In decimal.
    Number(u64),
    /// The same below zero.
    Negative(u64),
}

use Argument::{Bytes, Negative, Number};

/// Whole milliseconds.
const fn millis(span: Duration) -> Argument<'static> {
    Number(span.as_millis())
}

/// A waiter, as the server remembers it.
#[derive(Clone, Copy)]
pub(crate) struct Registration<'a> {
    /// The waiter's owner id (`client:number`).
    pub(crate) waiter: &'a [u8],
    /// How long the server keeps a registration or a position lease that no attempt refreshes.
    pub(crate) ttl: Duration,
    /// Whether an earlier command may have left the registration.
    pub(crate) before: Waiter,
}

/// Takes all keys or none, with a lease of `ttl`. If another owner holds one of them, registers the waiter.
pub(crate) fn exclusive_acquire<'a>(
    keys: &'a LockKeys,
    counter: Option<&'a [u8]>,
    value: &'a [u8],
    ttl: Duration,
    registration: Option<Registration<'a>>,
) -> Call<'a> {
    let (kept, waiter) = match registration {
        Some(Registration { waiter, ttl, before: Waiter::Registered }) => (millis(ttl), Some(Bytes(waiter))),
        Some(Registration { waiter, ttl, .. }) => (Negative(ttl.as_millis()), Some(Bytes(waiter))),
        None => (Bytes(b""), None),
    };
    let roles = if waiter.is_some() { 2 } else { 1 };
    let count = keys.count();
    if count == 1 {
        let common = [Some(millis(ttl)), Some(kept), None, None, None];
        let own = [Some(Bytes(value)), waiter];
        return Call { script: &EXCLUSIVE_ACQUIRE, keys, roles, counter, common, own };
    }
    let count = Number(u64::try_from(count).unwrap_or(u64::MAX));
    let waiter = waiter.unwrap_or(Bytes(b""));
    let common = [Some(count), Some(millis(ttl)), Some(kept), Some(Bytes(value)), Some(waiter)];
    Call { script: &MULTI_ACQUIRE, keys, roles, counter, common, own: [None; 2] }
}

/// Takes all keys if the waiter is the head of every queue. Otherwise joins the queues, if `wait`.
pub(crate) fn fair_acquire<'a>(
    keys: &'a LockKeys,
    counter: Option<&'a [u8]>,
    value: &'a [u8],
    ttl: Duration,
    registration: Registration<'a>,
    wait: bool,
) -> Call<'a> {
    let Registration { waiter, ttl: kept, .. } = registration;
    let wait = Bytes(if wait { b"1" } else { b"0" });
    let common = [Some(millis(ttl)), Some(Bytes(value)), Some(Bytes(waiter)), Some(millis(kept)), Some(wait)];
    Call { script: &FAIR_ACQUIRE, keys, roles: FAIR_ACQUIRE.layout.len(), counter, common, own: [None; 2] }
}

/// Raises the fence counter to at least `fence`, if all keys hold the value.
pub(crate) fn raise_fence<'a>(
    keys: &'a LockKeys,
    counter: Option<&'a [u8]>,
    value: &'a [u8],
    fence: u64,
) -> Call<'a> {
    Call { counter, ..plain(&RAISE_FENCE, keys, [Some(Bytes(value)), Some(Number(fence)), None], None) }
}

/// Extends all keys that hold the value to at least `ttl` from now. A `ttl` of zero only checks whether they do.
pub(crate) fn extend<'a>(keys: &'a LockKeys, value: &'a [u8], ttl: Duration) -> Call<'a> {
    let (ttl, value) = (Some(millis(ttl)), Some(Bytes(value)));
    match keys.count() {
        1 => plain(&EXTEND, keys, [ttl, None, None], value),
        _ => plain(&EXTEND, keys, [ttl, value, None], None),
    }
}

/// Claims all keys that the token holds, and extends them to at least `ttl` from now.
pub(crate) fn adopt<'a>(keys: &'a LockKeys, token: &'a [u8], claim: &'a [u8], ttl: Duration) -> Call<'a> {
    plain(&ADOPT, keys, [Some(millis(ttl)), Some(Bytes(token)), Some(Bytes(claim))], None)
}

const fn plain<'a>(
    script: &'static Script,
    keys: &'a LockKeys,
    [one, two, three]: [Option<Argument<'a>>; 3],
    own: Option<Argument<'a>>,
) -> Call<'a> {
    let common = [one, two, three, None, None];
    Call { script, keys, roles: 1, counter: None, common, own: [own, None] }
}

/// Deletes the keys that hold the value. If they have waiters, removes the registration of `waiter`, unless it is empty,
/// and wakes others.
pub(crate) fn exclusive_release<'a>(
    keys: &'a LockKeys,
    value: &'a [u8],
    waiter: &'a [u8],
    has_waiters: bool,
) -> Call<'a> {
    release(&EXCLUSIVE_RELEASE, keys, if has_waiters { 2 } else { 1 }, value, waiter)
}

/// Deletes the keys that hold the value, and removes `waiter` from the queues, unless it is empty.
pub(crate) fn fair_release<'a>(keys: &'a LockKeys, value: &'a [u8], waiter: &'a [u8]) -> Call<'a> {
    release(&FAIR_RELEASE, keys, FAIR_RELEASE.layout.len(), value, waiter)
}

const fn release<'a>(
    script: &'static Script,
    keys: &'a LockKeys,
    roles: usize,
    value: &'a [u8],
    waiter: &'a [u8],
) -> Call<'a> {
    let common = [Some(Bytes(waiter)), None, None, None, None];
    Call { script, keys, roles, counter: None, common, own: [Some(Bytes(value)), None] }
}
