//! Waits for replicas: grants and extensions count once enough replicas have them (WAIT).
//!
//! One WAIT follows the commands that are sent together. It answers for all that were written on the connection before, so
//! it cannot be sent on another one. Until then what they granted is held back.

use super::{Tag, outcome::Outcome};
use crate::{
    resp::{Reply, push_bulk, push_header, push_number},
    script::{Answer, Script},
    time::{Duration, Instant},
};

/// A server that has become a replica between a command and its WAIT.
const IS_REPLICA: &[u8] = b"ERR WAIT cannot be used with replica";

/// How many replicas must have what a command wrote.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Replication {
    /// 0 if nobody asks.
    needed: u32,
    /// How long the replicas may take to confirm the commands that are being put together: the shortest of theirs.
    within: Option<Duration>,
    /// What counts once the replicas confirm it.
    held_back: Vec<(Tag, Answer)>,
    /// The WAIT whose reply is the next one.
    next: Option<Wait>,
}

/// A WAIT that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wait {
    /// When, as listening time.
    sent: Instant,
    /// How long the server may wait for its replicas.
    within: Duration,
    /// For how long the connection may be silent besides.
    silence: Duration,
}

impl Replication {
    pub(super) fn new(needed: u32) -> Self {
        Self { needed, ..Self::default() }
    }

    /// A command of this script is sent, whose replicas may take so long.
    pub(super) fn concerns(&mut self, script: &Script, within: Duration) {
        if self.needed > 0 && script.grants() {
            self.within = Some(self.within.map_or(within, |least| least.min(within)));
        }
    }

    /// Appends the WAIT for the commands so far, if one of them grants anything. The last of them was sent at `sent`.
    pub(super) fn close(&mut self, sent: Instant, silence: Duration, out: &mut Vec<u8>) -> Option<Wait> {
        let within = self.within.take()?;
        push_header(b'*', 3, out);
        push_bulk(b"WAIT", out);
        push_number(self.needed.into(), out);
        // 0 would be for ever.
        push_number(within.as_millis().max(1), out);
        Some(Wait { sent, within, silence })
    }

    /// The commands before this WAIT are answered.
    pub(super) const fn expect(&mut self, wait: Option<Wait>) {
        self.next = wait;
    }

    pub(super) const fn is_next(&self) -> bool {
        self.next.is_some()
    }

    /// When the connection counts as dead unless the answer to WAIT is received before, if that is the next one.
    pub(super) fn silent_at(&self, heard: Instant, least: Duration) -> Option<Instant> {
        let Wait { sent, within, silence } = self.next?;
        Some(sent.max(heard).after(within).after(silence.max(least)))
    }

    /// Holds an answer back if it counts only with the replicas.
    pub(super) fn hold_back(&mut self, tag: Tag, outcome: Outcome<'_>) -> bool {
        match outcome {
            Outcome::Answer(answer @ (Answer::Fence(_) | Answer::Flag(true))) if self.needed > 0 => {
                self.held_back.push((tag, answer));
                true
            }
            _ => false,
        }
    }

    /// Takes the reply to WAIT, and tells the locks what was held back. False if it is no such reply.
    pub(super) fn pair<'a>(&mut self, reply: &Reply<'a>, mut tell: impl FnMut(Tag, Outcome<'a>)) -> bool {
        let Some(Wait { within, .. }) = self.next.take() else { return false };
        let fewer = |confirmed| Outcome::Fewer { confirmed, needed: self.needed, within };
        let failure = match reply {
            Reply::Integer(confirmed) => match u32::try_from(*confirmed) {
                Ok(confirmed) if confirmed < self.needed => Some(fewer(confirmed)),
                Ok(_) => None,
                Err(_) => return false,
            },
            Reply::Error(line) if line.starts_with(IS_REPLICA) => Some(fewer(0)),
            Reply::Error(line) => Some(Outcome::Unconfirmed(line)),
            _ => return false,
        };
        for (tag, answer) in core::mem::take(&mut self.held_back) {
            tell(tag, failure.unwrap_or(Outcome::Answer(answer)));
        }
        true
    }

    /// The locks whose answers are held back.
    pub(super) fn tags(&self) -> impl Iterator<Item = Tag> {
        self.held_back.iter().map(|&(tag, _)| tag)
    }
}
