//! Pairs the replies on one connection with its commands (rule 7).
//!
//! The k-th reply on a connection answers the k-th command (RESP specification, pipelining). A command keeps its place
//! until its reply arrives, even if no lock waits for that reply any more, so a late reply is never paired with another
//! command. In addition every script echoes a nonce: a wrong nonce means that the peer is out of step, and ends the
//! connection.

use std::collections::VecDeque;

use super::{
    Tag,
    command::{Command, Form, digits_of, with_source},
};
use crate::{
    resp::Reply,
    script::{Answer, Said, Script},
    time::{Duration, Instant},
};

/// A command whose reply has not arrived.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Pending {
    pub(crate) tag: Tag,
    script: &'static Script,
    nonce: u64,
    form: Form,
    /// The listening time of sending.
    sent: Instant,
    queued: Queued,
    silence: Duration,
    /// The number of lock keys.
    locks: usize,
    /// The lock keys; empty with [`Order::AsSent`].
    keys: Vec<Vec<u8>>,
}

/// Whether a command was sent while others were in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Queued {
    Alone,
    BehindOthers,
}

/// Which commands may be in flight at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    /// All: the server runs them in the order in which they were sent.
    #[default]
    AsSent,
    /// One command per key: a later command may overtake an earlier one, and a release must not overtake its acquire.
    PerKey,
}

/// A command that is sent only when earlier commands on the same keys have been answered.
#[derive(Clone, Debug, Hash)]
struct Deferred {
    pending: Pending,
    bytes: Vec<u8>,
}

/// What a reply turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Paired<'a> {
    Answer(Tag, Answer),
    /// The server does not have the script, and did nothing.
    NoScript(Tag),
    Error(Tag, &'a [u8]),
    /// The reply does not belong to the command.
    Mismatch,
}

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Pipeline {
    order: Order,
    queue: VecDeque<Pending>,
    deferred: VecDeque<Deferred>,
    nonce: u64,
    /// What is known of the scripts that were used on this connection.
    scripts: Vec<(&'static Script, Known)>,
}

/// Whether the server has a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Known {
    /// One command used it, and has no answer yet. `unsent` is where its bytes begin among those not sent yet.
    Asked {
        unsent: Option<usize>,
    },
    /// A command with its source is in flight, so later commands may use the hash. Without it, each of many commands
    /// that are sent before the first answer would get NOSCRIPT.
    OnItsWay,
    Yes,
    /// It got NOSCRIPT and has not run since. It is sent with EVAL for every lock, because the lock that got NOSCRIPT
    /// may have given up by then.
    No,
}

impl Pipeline {
    /// Nonces count up from a random number, so that a reply to another connection does not match.
    pub(crate) fn new(first_nonce: u64, order: Order) -> Self {
        Self { order, nonce: first_nonce, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len().saturating_add(self.deferred.len())
    }

    pub(crate) fn push(&mut self, tag: Tag, command: &Command<'_>, now: Instant, out: &mut Vec<u8>) {
        let nonce = self.nonce;
        self.nonce = nonce.wrapping_add(1);
        let script = command.call.script;
        let form = self.form_of(script, out);
        let queued = if self.len() == 0 { Queued::Alone } else { Queued::BehindOthers };
        let keys = match self.order {
            Order::AsSent => Vec::new(),
            Order::PerKey => command.call.keys.locks().to_vec(),
        };
        let locks = command.call.keys.locks().len();
        let silence = command.silence;
        let pending = Pending { tag, script, nonce, form, sent: now, queued, silence, locks, keys };
        if self.is_free(&pending, self.deferred.len()) {
            command.write(form, nonce, out);
            self.queue.push_back(pending);
        } else {
            let mut bytes = Vec::new();
            command.write(form, nonce, &mut bytes);
            self.deferred.push_back(Deferred { pending, bytes });
        }
    }

    /// How to send the script. If only one command used it so far, and its bytes are still in `out`, that command gets the
    /// source: all commands keep their order, and none gets NOSCRIPT.
    fn form_of(&mut self, script: &'static Script, out: &mut Vec<u8>) -> Form {
        let Some(known) = self.known(script) else {
            let unsent = (self.order == Order::AsSent).then_some(out.len());
            self.scripts.push((script, Known::Asked { unsent }));
            return Form::Hash;
        };
        match *known {
            Known::Asked { unsent: Some(start) } => {
                *known = Known::OnItsWay;
                let longer = with_source(script, start, out);
                for (_, known) in &mut self.scripts {
                    if let Known::Asked { unsent: Some(other) } = known
                        && *other > start
                    {
                        *other = other.saturating_add(longer);
                    }
                }
                if let Some(first) = self.queue.iter_mut().rev().find(|first| first.script == script) {
                    first.form = Form::Source;
                }
                Form::Hash
            }
            Known::No => Form::Source,
            Known::Asked { unsent: None } | Known::OnItsWay | Known::Yes => Form::Hash,
        }
    }

    fn known(&mut self, script: &'static Script) -> Option<&mut Known> {
        self.scripts.iter_mut().find(|(each, _)| *each == script).map(|(_, known)| known)
    }

    /// The bytes of all commands so far were taken.
    pub(crate) fn transmitted(&mut self) {
        for (_, known) in &mut self.scripts {
            if let Known::Asked { unsent } = known {
                *unsent = None;
            }
        }
    }

    /// Notes what a reply says about the script of its command.
    fn learn(&mut self, script: &'static Script, form: Form, paired: &Paired<'_>) {
        let Some(known) = self.known(script) else { return };
        match paired {
            Paired::Answer(..) => *known = Known::Yes,
            Paired::NoScript(_) if *known != Known::OnItsWay => *known = Known::No,
            Paired::Error(..) if form == Form::Source => *known = Known::No,
            Paired::NoScript(_) | Paired::Error(..) | Paired::Mismatch => {}
        }
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
            } else if let Some(Deferred { pending, bytes }) = self.deferred.remove(index) {
                out.extend(bytes);
                self.queue.push_back(pending);
            }
        }
    }

    /// Pairs a reply with the command at the head, and removes that command unless they do not match. Deferred commands
    /// that become free are appended to `out`.
    pub(crate) fn pair<'a>(&mut self, reply: &Reply<'a>, out: &mut Vec<u8>) -> Paired<'a> {
        let paired = self.queue.front().map_or(Paired::Mismatch, |head| head.pair(reply));
        if paired != Paired::Mismatch
            && let Some(Pending { script, form, .. }) = self.queue.pop_front()
        {
            self.learn(script, form, &paired);
            self.send_free(out);
        }
        paired
    }

    /// When the command at the head was sent, and whether others were in flight then.
    pub(crate) fn head_sent(&self) -> Option<(Instant, Queued)> {
        self.queue.front().map(|head| (head.sent, head.queued))
    }

    /// When the connection counts as dead unless bytes are received before. `heard` is when bytes were last received,
    /// `least` the shortest silence that means anything.
    pub(crate) fn silent_at(&self, heard: Instant, least: Duration) -> Option<Instant> {
        self.queue.front().map(|head| head.sent.max(heard).after(head.silence.max(least)))
    }

    /// The tags of all commands, each of which now has an unknown outcome.
    pub(crate) fn into_tags(self) -> impl Iterator<Item = Tag> {
        self.queue
            .into_iter()
            .chain(self.deferred.into_iter().map(|other| other.pending))
            .map(|pending| pending.tag)
    }
}

impl Pending {
    fn pair<'a>(&self, reply: &Reply<'a>) -> Paired<'a> {
        match reply {
            Reply::Error(line) if self.form == Form::Hash && line.starts_with(b"NOSCRIPT") => {
                Paired::NoScript(self.tag)
            }
            Reply::Error(line) => Paired::Error(self.tag, line),
            Reply::Array(elements) => match elements.split_first() {
                Some((Reply::Bulk(echo), rest)) if *echo == digits_of(self.nonce) => {
                    match self.script.returns.read(rest, self.locks) {
                        Some(Said::Answer(answer)) => Paired::Answer(self.tag, answer),
                        Some(Said::Error(line)) => Paired::Error(self.tag, line),
                        None => Paired::Mismatch,
                    }
                }
                _ => Paired::Mismatch,
            },
            _ => Paired::Mismatch,
        }
    }
}

#[cfg(test)]
mod tests;
