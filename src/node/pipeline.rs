//! The commands that wait for replies on one connection, and which reply belongs to which.
//!
//! The k-th reply on a connection answers the k-th command (RESP specification, pipelining). A command keeps its place
//! until its reply comes, also when nobody wants the reply any more: a late answer can never be taken for another's. On
//! top of that every script echoes a nonce; a wrong one means that the peer is not in step, and the connection is lost.

use std::collections::VecDeque;

use super::{
    Tag,
    command::{Command, Form, hex},
};
use crate::{
    resp::Reply,
    script::{Answer, Script},
    time::{Duration, Instant},
};

/// A command whose reply has not come.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Pending {
    pub(crate) tag: Tag,
    script: &'static Script,
    nonce: u64,
    form: Form,
    sent: Instant,
    patience: Duration,
    /// Only with [`Order::PerKey`].
    keys: Vec<Vec<u8>>,
}

/// Which commands may be under way at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    /// All: the server runs them in the order in which they are sent.
    #[default]
    AsSent,
    /// Those on different keys: what is sent later may run earlier, and a release must not overtake its acquire.
    PerKey,
}

/// A command that is not sent before others on the same keys are answered.
#[derive(Clone, Debug, Hash)]
struct Held {
    pending: Pending,
    bytes: Vec<u8>,
}

/// What a reply turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Paired<'a> {
    Answer(Tag, Answer),
    /// The server does not have the script: it did nothing.
    NoScript(Tag),
    Error(Tag, &'a [u8]),
    /// Not the reply to that command.
    Mismatch,
}

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Pipeline {
    order: Order,
    queue: VecDeque<Pending>,
    held: VecDeque<Held>,
    nonce: u64,
    /// Scripts that the server said it does not have, and has not carried out since: they are sent by their text, whoever
    /// asks. The lock that heard of it may have given up by then.
    unknown: Vec<&'static Script>,
}

impl Pipeline {
    /// Nonces count up from a random number, so that no other connection's reply fits.
    pub(crate) fn new(first_nonce: u64, order: Order) -> Self {
        Self { order, nonce: first_nonce, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len().saturating_add(self.held.len())
    }

    pub(crate) fn push(&mut self, tag: Tag, command: &Command<'_>, now: Instant, out: &mut Vec<u8>) {
        let nonce = self.nonce;
        self.nonce = nonce.wrapping_add(1);
        let (script, patience) = (command.call.script, command.patience);
        let form = if self.unknown.contains(&script) { Form::Source } else { Form::Hash };
        let keys = match self.order {
            Order::AsSent => Vec::new(),
            Order::PerKey => command.call.keys.to_vec(),
        };
        let pending = Pending { tag, script, nonce, form, sent: now, patience, keys };
        if self.is_free(&pending, self.held.len()) {
            command.write(form, nonce, out);
            self.queue.push_back(pending);
        } else {
            let mut bytes = Vec::new();
            command.write(form, nonce, &mut bytes);
            self.held.push_back(Held { pending, bytes });
        }
    }

    /// Whether a command may be sent though the unanswered ones and the first `held` of those not sent are not done.
    fn is_free(&self, command: &Pending, held: usize) -> bool {
        let shares = |other: &Pending| command.keys.iter().any(|key| other.keys.contains(key));
        // In order, no command has keys here: the queue, which may be long, is not looked through.
        command.keys.is_empty()
            || !self.queue.iter().chain(self.held.iter().take(held).map(|held| &held.pending)).any(shares)
    }

    /// Sends what nothing stands in the way of any more.
    fn send_free(&mut self, out: &mut Vec<u8>) {
        let mut index = 0;
        while let Some(held) = self.held.get(index) {
            if !self.is_free(&held.pending, index) {
                index = index.saturating_add(1);
            } else if let Some(Held { pending, bytes }) = self.held.remove(index) {
                out.extend(bytes);
                self.queue.push_back(pending);
            }
        }
    }

    /// Pairs a reply with the command at the head, which leaves the queue unless the reply is not its own.
    /// `out` takes the commands that it sets free.
    pub(crate) fn pair<'a>(&mut self, reply: &Reply<'a>, out: &mut Vec<u8>) -> Paired<'a> {
        let paired = self.queue.front().map_or(Paired::Mismatch, |head| head.pair(reply));
        if paired != Paired::Mismatch
            && let Some(Pending { script, .. }) = self.queue.pop_front()
        {
            match paired {
                Paired::NoScript(_) if !self.unknown.contains(&script) => self.unknown.push(script),
                Paired::Answer(..) => self.unknown.retain(|other| *other != script),
                _ => {}
            }
            self.send_free(out);
        }
        paired
    }

    /// When the connection counts as dead if nothing is heard until then. `heard` is when something was last.
    pub(crate) fn silent_at(&self, heard: Instant) -> Option<Instant> {
        self.queue.front().map(|head| head.sent.max(heard).after(head.patience))
    }

    /// Gives up: every command's outcome is unknown.
    pub(crate) fn into_tags(self) -> impl Iterator<Item = Tag> {
        self.queue
            .into_iter()
            .chain(self.held.into_iter().map(|held| held.pending))
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
                Some((Reply::Bulk(echo), rest)) if *echo == hex(self.nonce) => {
                    let answer = self.script.returns.read(rest);
                    answer.map_or(Paired::Mismatch, |answer| Paired::Answer(self.tag, answer))
                }
                _ => Paired::Mismatch,
            },
            _ => Paired::Mismatch,
        }
    }
}

#[cfg(test)]
mod tests;
