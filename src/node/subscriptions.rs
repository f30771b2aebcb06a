//! The messages on a connection, and its subscriptions to shard channels: one for each slot in which the client listens.
//!
//! ```text
//!           SSUBSCRIBE                   push
//!   none -----------------> requested ---------> confirmed
//!    ^                          | error              | SUNSUBSCRIBE, or the server ends it: the slot has moved
//!    '--------------------------'<-------------------'
//! ```

use redis_protocol::redis_keyslot;

use super::{error_reply, part::Part, pipeline::Pipeline};
use crate::{id::LockId, resp::Reply, time::Instant};

/// What a push means.
#[derive(Clone, Debug, Hash)]
pub(super) enum Push {
    /// A wake-up for this lock.
    Wake(LockId),
    /// The server ended a subscription.
    Unsubscribed,
    /// A sentinel announced that a master was replaced.
    Switch(Vec<u8>),
}

/// The slots in which a connection listens, sorted, each with whether the server has confirmed it.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Subscriptions(Vec<(u16, bool)>);

impl Subscriptions {
    fn place(&self, slot: u16) -> Result<usize, usize> {
        self.0.binary_search_by_key(&slot, |&(each, _)| each)
    }

    /// Whether the connection listens in this slot, or will.
    pub(super) fn has(&self, slot: u16) -> bool {
        self.place(slot).is_ok()
    }

    /// Requests the subscription in this slot, unless the connection has it.
    pub(super) fn begin(
        &mut self,
        slot: u16,
        channel: &[u8],
        pipeline: &mut Pipeline,
        out: &mut Vec<u8>,
        now: Instant,
    ) {
        if let Err(place) = self.place(slot) {
            self.0.insert(place, (slot, false));
            pipeline.push_subscribe(slot, channel, now, out);
        }
    }

    /// Ends the subscription in this slot, if the connection has it.
    pub(super) fn end(
        &mut self,
        slot: u16,
        channel: &[u8],
        pipeline: &mut Pipeline,
        out: &mut Vec<u8>,
        now: Instant,
    ) {
        if let Ok(place) = self.place(slot) {
            self.0.remove(place);
            pipeline.push_unsubscribe(slot, channel, now, out);
        }
    }

    /// The server refused the subscription in this slot.
    pub(super) fn refused(&mut self, slot: u16) {
        if let Ok(place) = self.place(slot) {
            self.0.remove(place);
        }
    }

    /// A push: a message on this client's channel, or on one that begins with it, or what becomes of a subscription.
    pub(super) fn hear(
        &mut self,
        push: &[Reply<'_>],
        channel: &[u8],
        part: Part,
        pipeline: &mut Pipeline,
    ) -> Option<Push> {
        let [Reply::Bulk(what), Reply::Bulk(on), last] = push else { return None };
        let slot = redis_keyslot(on);
        match (*what, last) {
            (b"message", Reply::Bulk(message)) if *on == channel && part == Part::Sentinel => {
                Some(Push::Switch(message.to_vec()))
            }
            (b"message", Reply::Bulk(number)) if *on == channel => woken(number),
            (b"smessage", Reply::Bulk(number)) if is_sharded(channel) && on.starts_with(channel) => {
                woken(number)
            }
            (b"ssubscribe", _) => {
                pipeline.pair_push(slot, true);
                if let Ok(place) = self.place(slot)
                    && let Some((_, confirmed)) = self.0.get_mut(place)
                {
                    *confirmed = true;
                }
                None
            }
            (b"sunsubscribe", _) => {
                pipeline.pair_push(slot, false);
                // One that is not confirmed was requested after this push was sent.
                let place =
                    self.place(slot).ok().filter(|&place| self.0.get(place) == Some(&(slot, true)))?;
                self.0.remove(place);
                Some(Push::Unsubscribed)
            }
            _ => None,
        }
    }
}

/// The channel that is subscribed to in the handshake. Shard channels are not.
pub(super) fn in_handshake(channel: &[u8]) -> &[u8] {
    if is_sharded(channel) { b"" } else { channel }
}

/// Whether an error reply to SSUBSCRIBE may pass: the slot has moved, or the server is not ready yet.
pub(super) fn may_be_had_later(line: &[u8]) -> bool {
    line.starts_with(b"MOVED") || error_reply::parse(line, "").transient
}

/// Whether this is what shard channels begin with, and not the name of a channel.
pub(super) fn is_sharded(channel: &[u8]) -> bool {
    channel.ends_with(b"{")
}

/// The lock to wake, by its number.
fn woken(number: &[u8]) -> Option<Push> {
    core::str::from_utf8(number).ok()?.parse().ok().map(LockId).map(Push::Wake)
}
