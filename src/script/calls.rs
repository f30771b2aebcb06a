//! Script calls: one function per script builds KEYS and ARGV. The headers in `lua/` state the contract.

use super::{
    keys::LockKeys,
    scripts::{
        ADOPT, EXCLUSIVE_ACQUIRE, EXCLUSIVE_RELEASE, EXTEND, FAIR_ACQUIRE, FAIR_RELEASE, MULTI_ACQUIRE,
        Script,
    },
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
    /// ARGV after the nonce; `None` after the last argument.
    pub(crate) arguments: [Option<Argument<'a>>; MOST_ARGUMENTS],
    /// What follows in ARGV for each lock key.
    pub(crate) each: Option<Argument<'a>>,
}

/// The most arguments that a script takes after the nonce, beside those of each lock key.
const MOST_ARGUMENTS: usize = 5;

/// An element of ARGV.
#[derive(Clone, Copy)]
pub(crate) enum Argument<'a> {
    Bytes(&'a [u8]),
    /// In decimal.
    Number(u64),
}

use Argument::{Bytes, Number};

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
        Some(Registration { waiter, ttl }) => (millis(ttl), Some(Bytes(waiter))),
        None => (Bytes(b""), None),
    };
    let roles = if waiter.is_some() { 2 } else { 1 };
    let count = keys.locks().len();
    if count == 1 {
        let arguments = [Some(millis(ttl)), Some(kept), Some(Bytes(value)), waiter, None];
        return Call { script: &EXCLUSIVE_ACQUIRE, keys, roles, counter, arguments, each: None };
    }
    let count = Number(u64::try_from(count).unwrap_or(u64::MAX));
    let waiter = waiter.unwrap_or(Bytes(b""));
    let arguments = [Some(count), Some(millis(ttl)), Some(kept), Some(Bytes(value)), Some(waiter)];
    Call { script: &MULTI_ACQUIRE, keys, roles, counter, arguments, each: None }
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
    let Registration { waiter, ttl: kept } = registration;
    let wait = Bytes(if wait { b"1" } else { b"0" });
    let arguments =
        [Some(millis(ttl)), Some(Bytes(value)), Some(Bytes(waiter)), Some(millis(kept)), Some(wait)];
    Call { script: &FAIR_ACQUIRE, keys, roles: FAIR_ACQUIRE.layout.len(), counter, arguments, each: None }
}

/// Extends all keys that hold the value to at least `ttl` from now. A `ttl` of zero only checks whether they do.
pub(crate) fn extend<'a>(keys: &'a LockKeys, value: &'a [u8], ttl: Duration) -> Call<'a> {
    plain(&EXTEND, keys, [Some(millis(ttl)), Some(Bytes(value)), None])
}

/// Claims all keys that the token holds, and extends them to at least `ttl` from now.
pub(crate) fn adopt<'a>(keys: &'a LockKeys, token: &'a [u8], claim: &'a [u8], ttl: Duration) -> Call<'a> {
    plain(&ADOPT, keys, [Some(millis(ttl)), Some(Bytes(token)), Some(Bytes(claim))])
}

const fn plain<'a>(
    script: &'static Script,
    keys: &'a LockKeys,
    [one, two, three]: [Option<Argument<'a>>; 3],
) -> Call<'a> {
    Call { script, keys, roles: 1, counter: None, arguments: [one, two, three, None, None], each: None }
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
    let arguments = [Some(Bytes(waiter)), None, None, None, None];
    Call { script, keys, roles, counter: None, arguments, each: Some(Bytes(value)) }
}
