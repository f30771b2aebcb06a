//! What is sent in a cluster beside the calls of scripts: CLUSTER SLOTS, and ASKING.

use super::Pipeline;
use crate::{
    node::{
        pending::{Kind, Pending, Queued},
        run::Form,
    },
    resp::{push_bulk, push_header},
    time::{Duration, Instant},
};

/// How long a server may be silent while it is asked for the map of its cluster.
const MAP_SILENCE: Duration = Duration::from_millis(1000);

impl Pipeline {
    /// Asks for the map of the cluster.
    pub(crate) fn push_map(&mut self, now: Instant, out: &mut Vec<u8>) {
        self.push_plain(Kind::Map, &[b"CLUSTER", b"SLOTS"], MAP_SILENCE, now, out);
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
        self.close_run(out);
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

    /// Whether the next reply answers [`push_map`](Self::push_map).
    pub(crate) fn is_map_next(&self) -> bool {
        self.is_next(Kind::Map)
    }

    /// Whether one of the next replies answers [`push_map`](Self::push_map).
    pub(in crate::node) fn awaits_map(&self) -> bool {
        self.queue.iter().any(|command| command.kind == Kind::Map)
    }

    /// Whether the next reply answers [`push_asking`](Self::push_asking).
    pub(crate) fn is_asking_next(&self) -> bool {
        self.is_next(Kind::Asking)
    }

    fn is_next(&self, kind: Kind) -> bool {
        !self.replication.is_next() && self.queue.front().is_some_and(|head| head.kind == kind)
    }
}
