//! What is sent beside the calls of scripts: the question where locks are, ASKING, SSUBSCRIBE and SUNSUBSCRIBE.

use super::Pipeline;
use crate::{
    node::{
        pending::{Kind, Pending, Queued},
        run::Form,
    },
    resp::{push_bulk, push_header},
    time::{Duration, Instant},
};

/// How long a server may be silent while it is asked for something that no lock waits for.
const SILENCE: Duration = Duration::from_millis(1000);

/// SUNSUBSCRIBE names its channel so many times. A server that loses the slot meanwhile sends the same push once more and
/// unasked, and then an error: the last push shows that no error follows.
const TWICE: u8 = 2;

impl Pipeline {
    /// Asks where locks are.
    pub(crate) fn push_question(&mut self, question: &[&[u8]], now: Instant, out: &mut Vec<u8>) {
        self.push_plain(Kind::Question, question, SILENCE, now, out);
    }

    /// Subscribes to the channel in this slot.
    pub(in crate::node) fn push_subscribe(
        &mut self,
        slot: u16,
        channel: &[u8],
        now: Instant,
        out: &mut Vec<u8>,
    ) {
        self.push_plain(Kind::Subscribe(slot), &[b"SSUBSCRIBE", channel], SILENCE, now, out);
    }

    /// Ends that subscription.
    pub(in crate::node) fn push_unsubscribe(
        &mut self,
        slot: u16,
        channel: &[u8],
        now: Instant,
        out: &mut Vec<u8>,
    ) {
        let words = [b"SUNSUBSCRIBE", channel, channel];
        self.push_plain(Kind::Unsubscribe(slot, TWICE), &words, SILENCE, now, out);
    }

    /// The slot whose subscription the next reply is about, if it is about one.
    pub(in crate::node) fn subscription_next(&self) -> Option<u16> {
        match self.queue.front()?.kind {
            Kind::Subscribe(slot) if self.is_next(Kind::Subscribe(slot)) => Some(slot),
            _ => None,
        }
    }

    /// A push says that the subscription in this slot begins, or ends if not. It may answer the next command.
    pub(in crate::node) fn pair_push(&mut self, slot: u16, begins: bool) {
        if self.replication.is_next() {
            return;
        }
        let Some(head) = self.queue.front_mut() else { return };
        match &mut head.kind {
            Kind::Subscribe(of) if begins && *of == slot => {}
            Kind::Unsubscribe(of, left) if !begins && *of == slot => {
                *left = left.saturating_sub(1);
                if *left > 0 {
                    return;
                }
            }
            _ => return,
        }
        let wait = self.queue.pop_front().and_then(|head| head.wait);
        self.replication.expect(wait);
    }

    /// Lets the next command use a slot that is on its way to the server.
    pub(crate) fn push_asking(&mut self, silence: Duration, now: Instant, out: &mut Vec<u8>) {
        self.push_plain(Kind::Asking, &[b"ASKING"], silence, now, out);
    }

    fn push_plain(
        &mut self,
        kind: Kind,
        words: &[&[u8]],
        silence: Duration,
        now: Instant,
        out: &mut Vec<u8>,
    ) {
        self.close_runs(out);
        push_header(b'*', words.len(), out);
        words.iter().for_each(|word| push_bulk(word, out));
        let queued = if self.len() == 0 { Queued::Alone } else { Queued::BehindOthers };
        self.queue.push_back(Pending {
            tags: Vec::new(),
            kind,
            nonce: 0,
            form: Form::Source,
            sent: now,
            queued,
            silence,
            locks: 0,
            keys: Vec::new(),
            wait: None,
        });
    }

    /// Whether the next reply answers [`push_question`](Self::push_question).
    pub(crate) fn is_question_next(&self) -> bool {
        self.is_next(Kind::Question)
    }

    /// Whether one of the next replies answers [`push_question`](Self::push_question).
    pub(in crate::node) fn awaits_answer(&self) -> bool {
        self.queue.iter().any(|command| command.kind == Kind::Question)
    }

    /// Whether the next reply answers [`push_asking`](Self::push_asking).
    pub(crate) fn is_asking_next(&self) -> bool {
        self.is_next(Kind::Asking)
    }

    fn is_next(&self, kind: Kind) -> bool {
        !self.replication.is_next() && self.queue.front().is_some_and(|head| head.kind == kind)
    }
}
