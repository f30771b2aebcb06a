//! Pairs the replies on one connection with its commands (rule 7).
//!
//! The k-th reply on a connection answers the k-th command (RESP specification, pipelining). A command keeps its place
//! until its reply arrives, even if no lock waits for that reply any more, so a late reply is never paired with another
//! command. In addition every script echoes a nonce: a wrong nonce means that the peer is out of step, and ends the
//! connection.

mod independent;
mod questions;

use std::collections::VecDeque;

use super::{
    Tag,
    command::Command,
    known::{KnownScripts, Paired},
    outcome::Outcome,
    pending::{Kind, Pending, Queued},
    replication::Replication,
    run::{Form, MOST_LOCKS},
    runs::{MOST_OPEN, Runs},
};
use crate::{
    resp::Reply,
    time::{Duration, Instant},
};

/// The smallest half of a turn's commands that is sent ahead of the other half.
const SMALLEST_HALF: usize = 4;

/// How many locks that wait for answers are a backlog.
const BACKLOG: usize = 16;

/// Which commands may be in flight at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    /// All: the server runs them in the order in which they were sent.
    #[default]
    AsSent,
    /// One command per key: a later command may overtake an earlier one, and a release must not overtake its acquire.
    PerKey,
    /// The same, and each command goes its own way, maybe to a server of its own: silence and failures concern it alone.
    Independent,
}

/// A command that is sent only when earlier commands on the same keys have been answered.
#[derive(Clone, Debug, Hash)]
struct Deferred {
    pending: Pending,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Pipeline {
    order: Order,
    queue: VecDeque<Pending>,
    deferred: Vec<Deferred>,
    nonce: u64,
    /// The last commands in the queue, as long as others may join them.
    runs: Runs,
    /// How many locks asked for something that the driver has not taken yet.
    unsent: usize,
    /// How many locks wait for the answer to what the driver took.
    awaited: usize,
    /// How many locks were answered since the driver last took something.
    answered: usize,
    /// How many of the next commands go alone, because the server refused a run for the sake of one of them.
    alone: usize,
    scripts: KnownScripts,
    replication: Replication,
}

impl Pipeline {
    /// Nonces count up from a random number, so that a reply to another connection does not match. `replicas` must confirm
    /// what is granted.
    pub(crate) fn new(first_nonce: u64, order: Order, replicas: u32) -> Self {
        Self { order, nonce: first_nonce, replication: Replication::new(replicas), ..Self::default() }
    }

    /// How many replies are awaited, or will be.
    pub(crate) fn len(&self) -> usize {
        self.queue.len().saturating_add(self.deferred.len()).saturating_add(self.replication.is_next().into())
    }

    /// Sends a lock's command. It joins an open run if it can.
    pub(crate) fn push(&mut self, tag: Tag, command: &Command<'_>, now: Instant, out: &mut Vec<u8>) {
        let is_alone = self.alone > 0;
        self.alone = self.alone.saturating_sub(1);
        self.unsent = self.unsent.saturating_add(1);
        self.replication.concerns(command.call.script, command.replication);
        if !is_alone
            && let Some(behind) = self.runs.join(&command.call)
            && let Some(run) = self.queue.iter_mut().rev().nth(behind)
        {
            run.tags.push(tag);
            run.silence = run.silence.min(command.silence);
            return;
        }
        if is_alone || self.runs.len() == MOST_OPEN {
            self.close_runs(out);
        }
        let nonce = self.nonce;
        self.nonce = nonce.wrapping_add(1);
        let Command { call, silence, .. } = command;
        let pending = Pending {
            tags: vec![tag],
            kind: Kind::Script(call.script),
            nonce,
            form: Form::Hash,
            sent: now,
            queued: if self.len() == 0 { Queued::Alone } else { Queued::BehindOthers },
            silence: *silence,
            locks: call.keys.count(),
            keys: match self.order {
                Order::AsSent => Vec::new(),
                Order::PerKey | Order::Independent => call.keys.locks().map(<[u8]>::to_vec).collect(),
            },
            wait: None,
        };
        self.runs.open(call, nonce);
        if self.is_free(&pending, self.deferred.len()) {
            self.queue.push_back(pending);
            if is_alone || self.order != Order::AsSent {
                self.close_runs(out);
            }
        } else {
            let mut bytes = Vec::new();
            let (form, _) = self.scripts.form_of(call.script, false, &mut bytes);
            self.runs.close(|_, run| run.close(form, &mut bytes));
            self.deferred.push(Deferred { pending: Pending { form, ..pending }, bytes });
        }
    }

    /// Appends the open runs to `out`. No command joins them any more.
    pub(crate) fn close_runs(&mut self, out: &mut Vec<u8>) {
        let Self { runs, queue, scripts, order, .. } = self;
        runs.close(|left, run| {
            let Some(script) = run.script() else { return };
            let (form, first_has_source) = scripts.form_of(script, *order == Order::AsSent, out);
            let mut commands = queue.iter_mut().rev().skip(left.saturating_sub(1));
            if let Some(command) = commands.next() {
                command.form = form;
            }
            // An earlier command may get the source.
            if first_has_source && let Some(first) = commands.find(|first| first.kind == Kind::Script(script))
            {
                first.form = Form::Source;
            }
            run.close(form, out);
        });
    }

    /// Appends what is still to be written before the bytes are taken: the open runs, and the WAIT for what it grants.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) {
        self.close_runs(out);
        if let Some(last) = self.queue.back_mut() {
            last.wait = self.replication.close(last.sent, last.silence, out).or(last.wait);
        }
    }

    /// The bytes of all commands so far were taken.
    pub(crate) fn transmitted(&mut self) {
        self.scripts.transmitted();
        if self.unsent > 0 {
            self.awaited = self.awaited.saturating_add(core::mem::take(&mut self.unsent));
            self.answered = 0;
        }
    }

    /// Whether the server has nothing to do, and half as many commands wait as it answered last, or a whole run. To send
    /// them now lets it work while the application goes on: otherwise the client and the server would take turns.
    pub(crate) const fn is_half_full(&self) -> bool {
        let half = self.answered / 2;
        self.awaited == 0 && self.unsent >= if half < SMALLEST_HALF { MOST_LOCKS } else { half }
    }

    /// Whether the server has so much to do that a command reaches it no later if it is sent together with those that the
    /// application adds soon.
    pub(crate) const fn has_backlog(&self) -> bool {
        self.awaited >= BACKLOG
    }

    /// Whether a command may be sent: no unanswered command, and none of the first `deferred` deferred ones, shares a
    /// key.
    fn is_free(&self, command: &Pending, deferred: usize) -> bool {
        let shares = |other: &Pending| command.keys.iter().any(|key| other.keys.contains(key));
        // With `Order::AsSent` no command has keys here, so the queue, which may be long, is not searched.
        command.keys.is_empty()
            || !self
                .queue
                .iter()
                .chain(self.deferred.iter().take(deferred).map(|other| &other.pending))
                .any(shares)
    }

    /// Sends the deferred commands that no earlier command blocks any more.
    fn send_free(&mut self, out: &mut Vec<u8>) {
        let mut index = 0;
        while let Some(deferred) = self.deferred.get(index) {
            if !self.is_free(&deferred.pending, index) {
                index = index.saturating_add(1);
            } else {
                let Deferred { pending, bytes } = self.deferred.remove(index);
                out.extend(bytes);
                self.queue.push_back(pending);
            }
        }
    }

    /// Pairs a reply with the command at this place, 0 for the head, and removes that command unless they do not match.
    /// `tell` gets what the reply says to each of its locks. Deferred commands that become free are appended to `out`.
    pub(crate) fn pair<'a>(
        &mut self,
        place: usize,
        reply: &Reply<'a>,
        out: &mut Vec<u8>,
        mut tell: impl FnMut(Tag, Outcome<'a>),
    ) -> Paired {
        if self.replication.is_next() {
            return if self.replication.pair(reply, tell) { Paired::Ran } else { Paired::Mismatch };
        }
        if self.queue.len() <= self.runs.len() {
            // Bytes that answer nothing: no run must look as if it waited for the next reply.
            self.close_runs(out);
        }
        let paired = self.queue.get(place).map_or(Paired::Mismatch, |head| head.pair(reply));
        if paired == Paired::Mismatch {
            return paired;
        }
        let Some(head) = self.queue.remove(place) else { return Paired::Mismatch };
        self.awaited = self.awaited.saturating_sub(head.tags.len());
        self.answered = self.answered.saturating_add(head.tags.len());
        if let Kind::Script(script) = head.kind {
            self.scripts.learn(script, head.form, paired);
        }
        self.replication.expect(head.wait);
        match reply {
            Reply::Error(line) => {
                let is_for_one = head.tags.len() > 1 && concerns_one(line);
                if is_for_one {
                    self.alone = head.tags.len();
                }
                let repeats = is_for_one || paired == Paired::NoScript;
                let outcome = if repeats { Outcome::Repeat } else { Outcome::Error(line) };
                head.tags.iter().for_each(|&tag| tell(tag, outcome));
            }
            _ => {
                let mut tags = head.tags.iter();
                let replication = &mut self.replication;
                head.read(reply, |outcome| {
                    if let Some(&tag) = tags.next()
                        && !replication.hold_back(tag, outcome)
                    {
                        tell(tag, outcome);
                    }
                });
            }
        }
        self.send_free(out);
        paired
    }

    /// Which commands may be in flight at once.
    pub(crate) const fn order(&self) -> Order {
        self.order
    }

    /// When the command at this place was sent, and whether others were in flight then. `None` if replicas are waited for.
    pub(crate) fn sent_at(&self, place: usize) -> Option<(Instant, Queued)> {
        self.queue.get(place).filter(|_| !self.replication.is_next()).map(|head| (head.sent, head.queued))
    }

    /// When the connection counts as dead unless bytes are received before, or, if each command has its own time, when the
    /// first of them is given up. `heard` is when bytes were last received, `least` the shortest silence that means anything.
    pub(crate) fn silent_at(&self, heard: Instant, least: Duration) -> Option<Instant> {
        if self.order == Order::Independent {
            return self.queue.iter().map(|command| command.overdue_at(least)).min();
        }
        self.replication
            .silent_at(heard, least)
            .or_else(|| self.queue.front().map(|head| head.sent.max(heard).after(head.silence.max(least))))
    }

    /// Appends the tags of all commands, each of which now has an unknown outcome.
    pub(crate) fn into_tags(self, tags: &mut Vec<Tag>) {
        tags.extend(self.replication.tags());
        for pending in self.queue {
            tags.extend(pending.tags);
        }
        for deferred in self.deferred {
            tags.extend(deferred.pending.tags);
        }
    }
}

/// Whether a server refuses a whole run for the sake of one of its locks, so that each must be asked alone.
fn concerns_one(line: &[u8]) -> bool {
    [&b"NOPERM"[..], b"CROSSSLOT", b"TRYAGAIN"].iter().any(|word| line.starts_with(word))
}

#[cfg(test)]
mod tests;
