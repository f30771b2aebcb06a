//! Script calls: one function per script builds KEYS and ARGV. The headers in `lua/` state the contract.

use super::{
    keys::LockKeys,
    scripts::{EXCLUSIVE_ACQUIRE, EXCLUSIVE_RELEASE, EXTEND, FAIR_ACQUIRE, FAIR_RELEASE, Script},
};
use crate::time::Duration;

/// A script call, without its nonce.
pub(crate) struct Call<'a> {
    pub(crate) script: &'static Script,
    /// KEYS.
    pub(crate) keys: &'a [Vec<u8>],
    /// ARGV after the nonce; `None` after the last argument.
    pub(crate) arguments: Arguments<'a>,
}

type Arguments<'a> = [Option<Argument<'a>>; MOST_ARGUMENTS];

/// The most arguments that a script takes after the nonce.
const MOST_ARGUMENTS: usize = 6;

/// An element of ARGV.
#[derive(Clone, Copy)]
pub(crate) enum Argument<'a> {
    Bytes(&'a [u8]),
    /// In decimal.
    Number(u64),
}

use Argument::Bytes;

/// Whole milliseconds.
const fn millis(span: Duration) -> Argument<'static> {
    Argument::Number(span.as_millis())
}

/// The owner on whose behalf a script runs.
#[derive(Clone, Copy)]
pub(crate) struct Holder<'a> {
    /// The value of the lock keys.
    pub(crate) token: &'a [u8],
    /// The owner id (`client:number`) with which the lock claims the keys; empty if only one lock ever uses the token.
    pub(crate) claim: &'a [u8],
}

/// A waiter, as the server remembers it.
#[derive(Clone, Copy)]
pub(crate) struct Registration<'a> {
    /// The waiter's owner id (`client:number`); empty to register no waiter.
    pub(crate) waiter: &'a [u8],
    /// How long the server keeps a registration or a position lease that no attempt refreshes.
    pub(crate) ttl: Duration,
}

/// Takes all keys or none, with a lease of `ttl`.
pub(crate) fn exclusive_acquire<'a>(
    keys: &'a LockKeys,
    holder: Holder<'a>,
    ttl: Duration,
    registration: Registration<'a>,
) -> Call<'a> {
    let Registration { waiter, ttl: kept } = registration;
    let arguments = [
        Some(Bytes(holder.token)),
        Some(millis(ttl)),
        Some(Bytes(waiter)),
        Some(millis(kept)),
        Some(Bytes(holder.claim)),
        None,
    ];
    call(&EXCLUSIVE_ACQUIRE, keys, arguments)
}

/// Takes all keys if the waiter is the head of every queue. Otherwise joins the queues, if `wait`.
pub(crate) fn fair_acquire<'a>(
    keys: &'a LockKeys,
    holder: Holder<'a>,
    ttl: Duration,
    registration: Registration<'a>,
    wait: bool,
) -> Call<'a> {
    let Registration { waiter, ttl: kept } = registration;
    let arguments = [
        Some(Bytes(holder.token)),
        Some(millis(ttl)),
        Some(Bytes(waiter)),
        Some(millis(kept)),
        Some(Bytes(if wait { b"1" } else { b"0" })),
        Some(Bytes(holder.claim)),
    ];
    call(&FAIR_ACQUIRE, keys, arguments)
}

/// Extends all keys to at least `ttl` from now, and claims them if the holder has a claim. A `ttl` of zero only checks
/// whether the token holds the keys.
pub(crate) fn extend<'a>(keys: &'a LockKeys, holder: Holder<'a>, ttl: Duration) -> Call<'a> {
    call(&EXTEND, keys, three(Bytes(holder.token), millis(ttl), Bytes(holder.claim)))
}

/// Deletes the keys that the token holds, and removes the registration of `waiter`, unless it is empty.
pub(crate) fn exclusive_release<'a>(keys: &'a LockKeys, holder: Holder<'a>, waiter: &'a [u8]) -> Call<'a> {
    call(&EXCLUSIVE_RELEASE, keys, three(Bytes(holder.token), Bytes(waiter), Bytes(holder.claim)))
}

/// Deletes the keys that the token holds, and removes `waiter` from the queues, unless it is empty.
pub(crate) fn fair_release<'a>(keys: &'a LockKeys, holder: Holder<'a>, waiter: &'a [u8]) -> Call<'a> {
    call(&FAIR_RELEASE, keys, three(Bytes(holder.token), Bytes(waiter), Bytes(holder.claim)))
}

const fn three<'a>(one: Argument<'a>, two: Argument<'a>, three: Argument<'a>) -> Arguments<'a> {
    [Some(one), Some(two), Some(three), None, None, None]
}

fn call<'a>(script: &'static Script, keys: &'a LockKeys, arguments: Arguments<'a>) -> Call<'a> {
    Call { script, keys: keys.of(script.layout), arguments }
}
