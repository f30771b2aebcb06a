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
    planted::{Planted, planted},
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
        let Command { script, patience, .. } = *command;
        let form = if self.unknown.contains(&script) { Form::Source } else { Form::Hash };
        let keys = match self.order {
            Order::AsSent => Vec::new(),
            Order::PerKey => command.keys.to_vec(),
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
                Paired::NoScript(_) if planted(Planted::UnknownForgotten) => {}
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
        let waited_for = self.queue.front().filter(|_| !planted(Planted::SilenceForgiven));
        waited_for.map(|head| head.sent.max(heard).after(head.patience))
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
                Some((Reply::Bulk(echo), rest))
                    if *echo == hex(self.nonce) || planted(Planted::NonceUnchecked) =>
                {
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
mod tests {
    use super::*;
    use crate::{
        lock::LockId,
        script::{EXCLUSIVE_ACQUIRE, EXCLUSIVE_RELEASE},
    };

    fn tag(lock: u32) -> Tag {
        Tag { lock: LockId(lock), round: 1 }
    }

    fn pushed(pipeline: &mut Pipeline, lock: u32, script: &'static Script) -> String {
        let mut out = Vec::new();
        let command = Command {
            script,
            keys: &[b"k".to_vec()],
            arguments: &[b"t"],
            patience: Duration::from_millis(500),
        };
        pipeline.push(tag(lock), &command, Instant::from_micros(3), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn released(nonce: &[u8]) -> Reply<'_> {
        Reply::Array(vec![Reply::Bulk(nonce), Reply::Integer(1)])
    }

    #[test]
    fn commands_are_written_by_hash_and_by_source() {
        let mut pipeline = Pipeline::new(0xab, Order::AsSent);
        let sha1 = core::str::from_utf8(&EXCLUSIVE_RELEASE.sha1).unwrap();
        let by_hash = format!(
            "*6\r\n$7\r\nEVALSHA\r\n$40\r\n{sha1}\r\n$1\r\n1\r\n$1\r\nk\r\n$16\r\n00000000000000ab\r\n$1\r\nt\r\n"
        );
        assert_eq!(pushed(&mut pipeline, 1, &EXCLUSIVE_RELEASE), by_hash);
        pipeline.pair(&Reply::Error(b"NOSCRIPT No matching script. Please use EVAL."), &mut Vec::new());
        assert!(pushed(&mut pipeline, 1, &EXCLUSIVE_RELEASE).contains(EXCLUSIVE_RELEASE.source));
    }

    #[test]
    fn replies_are_paired_in_order_by_nonce() {
        let mut pipeline = Pipeline::new(1, Order::AsSent);
        pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
        pushed(&mut pipeline, 8, &EXCLUSIVE_RELEASE);
        assert_eq!(
            pipeline.pair(&released(b"0000000000000001"), &mut Vec::new()),
            Paired::Answer(tag(7), Answer::Count(1))
        );
        assert_eq!(
            pipeline.pair(&released(b"0000000000000002"), &mut Vec::new()),
            Paired::Answer(tag(8), Answer::Count(1))
        );
        assert_eq!(
            pipeline.pair(&released(b"0000000000000003"), &mut Vec::new()),
            Paired::Mismatch,
            "nothing was asked"
        );
    }

    #[test]
    fn anothers_reply_is_a_mismatch() {
        let replies = [
            released(b"0000000000000002"),
            released(b"00000000000000001"),
            released(b""),
            Reply::Integer(1),
            Reply::Simple(b"OK"),
            Reply::Null,
            Reply::Opaque,
            Reply::Array(vec![]),
            Reply::Array(vec![Reply::Bulk(b"0000000000000001")]),
            Reply::Array(vec![Reply::Bulk(b"0000000000000001"), Reply::Integer(-1)]),
            Reply::Array(vec![Reply::Bulk(b"0000000000000001"), Reply::Integer(1), Reply::Integer(1)]),
        ];
        for reply in replies {
            let mut pipeline = Pipeline::new(1, Order::AsSent);
            pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
            assert_eq!(pipeline.pair(&reply, &mut Vec::new()), Paired::Mismatch, "{reply:?}");
        }
    }

    #[test]
    fn a_grant_without_a_proper_fence_is_a_mismatch() {
        for fence in [b"0".as_slice(), b"", b"-1", b"+1", b"1e3", b"18446744073709551616"] {
            let mut pipeline = Pipeline::new(1, Order::AsSent);
            pushed(&mut pipeline, 7, &EXCLUSIVE_ACQUIRE);
            let reply =
                Reply::Array(vec![Reply::Bulk(b"0000000000000001"), Reply::Integer(1), Reply::Bulk(fence)]);
            assert_eq!(pipeline.pair(&reply, &mut Vec::new()), Paired::Mismatch, "{fence:?}");
        }
    }

    /// One reply was lost, so that every error goes to the command before, which nobody waits for any more.
    #[test]
    fn a_script_that_is_unknown_is_sent_by_its_text_until_it_was_carried_out() {
        let mut pipeline = Pipeline::new(1, Order::AsSent);
        let line = Reply::Error(b"NOSCRIPT No matching script. Please use EVAL.");
        let sent = |pipeline: &mut Pipeline, script| pushed(pipeline, 7, script);
        sent(&mut pipeline, &EXCLUSIVE_ACQUIRE);
        pipeline.pair(&line, &mut Vec::new());
        assert!(sent(&mut pipeline, &EXCLUSIVE_ACQUIRE).contains(EXCLUSIVE_ACQUIRE.source));
        assert!(!sent(&mut pipeline, &EXCLUSIVE_RELEASE).contains(EXCLUSIVE_RELEASE.source), "only that one");
        let reply = [Reply::Bulk(b"0000000000000002"), Reply::Integer(0), Reply::Integer(5)];
        assert!(matches!(pipeline.pair(&Reply::Array(reply.to_vec()), &mut Vec::new()), Paired::Answer(..)));
        assert!(!sent(&mut pipeline, &EXCLUSIVE_ACQUIRE).contains(EXCLUSIVE_ACQUIRE.source));
    }

    #[test]
    fn unknown_script_is_told_once() {
        let mut pipeline = Pipeline::new(1, Order::AsSent);
        let line = Reply::Error(b"NOSCRIPT No matching script. Please use EVAL.");
        pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
        assert_eq!(pipeline.pair(&line, &mut Vec::new()), Paired::NoScript(tag(7)));
        pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
        assert!(matches!(pipeline.pair(&line, &mut Vec::new()), Paired::Error(..)));
    }

    #[test]
    fn silence_counts_from_the_last_sign_of_life() {
        let mut pipeline = Pipeline::new(1, Order::AsSent);
        assert_eq!(pipeline.silent_at(Instant::from_micros(9)), None);
        pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
        assert_eq!(pipeline.silent_at(Instant::from_micros(1)), Some(Instant::from_micros(500_003)));
        assert_eq!(pipeline.silent_at(Instant::from_micros(9)), Some(Instant::from_micros(500_009)));
    }

    fn pushed_on(pipeline: &mut Pipeline, keys: &[&str]) -> bool {
        let keys: Vec<_> = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
        let mut out = Vec::new();
        let command = Command {
            script: &EXCLUSIVE_RELEASE,
            keys: &keys,
            arguments: &[],
            patience: Duration::from_millis(500),
        };
        pipeline.push(tag(1), &command, Instant::from_micros(3), &mut out);
        !out.is_empty()
    }

    #[test]
    fn without_an_order_commands_on_one_key_wait_for_each_other() {
        let mut pipeline = Pipeline::new(1, Order::PerKey);
        assert!(pushed_on(&mut pipeline, &["a"]));
        assert!(pushed_on(&mut pipeline, &["b"]), "another key");
        assert!(!pushed_on(&mut pipeline, &["b", "a"]));
        assert!(!pushed_on(&mut pipeline, &["a"]), "behind one that is not sent itself");
        assert!(pushed_on(&mut pipeline, &["c"]));
        assert_eq!(pipeline.len(), 5);

        // Nonces in the order in which the commands were pushed, replies in that in which they were sent.
        let mut answered = |nonce: &[u8]| {
            let mut out = Vec::new();
            assert!(matches!(pipeline.pair(&released(nonce), &mut out), Paired::Answer(..)), "{nonce:?}");
            String::from_utf8(out).unwrap()
        };
        assert_eq!(answered(b"0000000000000001"), "", "b is not answered");
        let freed = answered(b"0000000000000002");
        assert!(freed.contains("0000000000000003") && !freed.contains("0000000000000004"), "{freed}");
        assert_eq!(answered(b"0000000000000005"), "");
        assert!(answered(b"0000000000000003").contains("0000000000000004"));
        assert_eq!(answered(b"0000000000000004"), "");
    }

    #[test]
    fn without_an_order_nothing_is_forgotten() {
        let mut pipeline = Pipeline::new(1, Order::PerKey);
        pushed_on(&mut pipeline, &["a"]);
        pushed_on(&mut pipeline, &["a"]);
        assert_eq!(pipeline.into_tags().count(), 2);
    }
}
