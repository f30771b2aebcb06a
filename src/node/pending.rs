//! A command on its way, and what its reply says.

use super::{
    Tag,
    known::Paired,
    outcome::Outcome,
    replication::Wait,
    run::{Form, digits_of},
};
use crate::{
    resp::Reply,
    script::{Said, Script},
    time::{Duration, Instant},
};

/// A command whose reply has not arrived. It may be a run, which carries the commands of several locks.
#[derive(Clone, Debug, Hash)]
pub(super) struct Pending {
    /// The locks of the run, in order, or the only one.
    pub(super) tags: Vec<Tag>,
    pub(super) kind: Kind,
    pub(super) nonce: u64,
    pub(super) form: Form,
    /// The listening time of sending.
    pub(super) sent: Instant,
    pub(super) queued: Queued,
    pub(super) silence: Duration,
    /// The number of lock keys of the first lock.
    pub(super) locks: usize,
    /// The lock keys; empty with [`Order::AsSent`](super::pipeline::Order::AsSent).
    pub(super) keys: Vec<Vec<u8>>,
    /// The WAIT that was sent behind it.
    pub(super) wait: Option<Wait>,
}

/// What a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The call of a script, for locks.
    Script(&'static Script),
    /// ASKING, which lets the next command use a slot that is on its way to the server.
    Asking,
    /// The question where locks are.
    Question,
    /// SSUBSCRIBE to the channel in this slot. A push confirms it.
    Subscribe(u16),
    /// SUNSUBSCRIBE from the channel in this slot, which so many more pushes confirm.
    Unsubscribe(u16, u8),
}

/// Whether a command was sent while others were in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Queued {
    Alone,
    BehindOthers,
}

impl Pending {
    /// When it has waited for too long, if it has a time of its own. `least` is the shortest time that means anything.
    pub(super) fn overdue_at(&self, least: Duration) -> Instant {
        self.sent.after(self.silence.max(least))
    }

    /// What a reply is to this command.
    pub(super) fn pair(&self, reply: &Reply<'_>) -> Paired {
        match (self.kind, reply) {
            (Kind::Script(_), Reply::Error(line))
                if self.form == Form::Hash && line.starts_with(b"NOSCRIPT") =>
            {
                Paired::NoScript
            }
            (_, Reply::Error(_)) => Paired::Refused,
            (Kind::Script(_), _) if self.read(reply, |_| {}) => Paired::Ran,
            (Kind::Asking, Reply::Simple(b"OK"))
            | (Kind::Question, Reply::Array(_) | Reply::Opaque | Reply::Null) => Paired::Ran,
            _ => Paired::Mismatch,
        }
    }

    /// Reads the result for each lock. False if the reply does not begin with the nonce, or has not one result of the
    /// script's form for each lock.
    pub(super) fn read<'a>(&self, reply: &Reply<'a>, mut each: impl FnMut(Outcome<'a>)) -> bool {
        let (Kind::Script(script), Reply::Array(elements)) = (self.kind, reply) else { return false };
        let Some((Reply::Bulk(echo), mut results)) = elements.split_first() else { return false };
        if *echo != digits_of(self.nonce) {
            return false;
        }
        for _ in &self.tags {
            // A lock alone may have several results, for several keys.
            let size = if self.tags.len() == 1 { results.len() } else { 1 };
            let Some((result, rest)) = results.split_at_checked(size) else { return false };
            match script.returns.read(result, self.locks) {
                Some(Said::Answer(answer)) => each(Outcome::Answer(answer)),
                Some(Said::Error(line)) => each(Outcome::Error(line)),
                None => return false,
            }
            results = rest;
        }
        results.is_empty()
    }
}
