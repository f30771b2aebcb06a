use std::collections::BTreeSet;

use super::{
    cluster::Asking,
    reply::{ErrorReply, Protocol, Reply},
    scope::Scope,
};
use crate::resp::{Limits, Reply as Frame, Scanner, decode};

/// A client's session. The caller chooses the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// The state of one client's session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Session {
    input: Scanner,
    output: Vec<u8>,
    closed: bool,
    pub(super) protocol: Protocol,
    /// The authenticated user; `None` before authentication.
    pub(super) user: Option<Vec<u8>>,
    pub(super) database: u32,
    pub(super) name: Vec<u8>,
    pub(super) channels: BTreeSet<Vec<u8>>,
    pub(super) shard_channels: BTreeSet<Vec<u8>>,
    pub(super) asking: Asking,
}

/// The largest command: a lock's command contains a few keys of up to 64 KiB.
const LIMITS: Limits = Limits { depth: 1, elements: 16_384, bytes: 16 * 1024 * 1024 };

const MALFORMED: &str = "expected an array of bulk strings";

/// How many words a command may have before authentication, and how many bytes each (networking.c of Redis).
const UNKNOWN_WORDS: usize = 10;
const UNKNOWN_BYTES: usize = 16_384;

impl Session {
    /// A new session. `opened` if the default user needs no password.
    pub(super) fn new(opened: bool) -> Self {
        Self {
            input: Scanner::new(LIMITS),
            output: Vec::new(),
            closed: false,
            protocol: Protocol::Resp2,
            user: opened.then(|| b"default".to_vec()),
            database: 0,
            name: Vec::new(),
            channels: BTreeSet::new(),
            shard_channels: BTreeSet::new(),
            asking: Asking::No,
        }
    }

    /// Whether it may only listen: it has subscriptions, and RESP2 has no pushes.
    pub(super) fn only_listens(&self) -> bool {
        let has_none = self.channels.is_empty() && self.shard_channels.is_empty();
        self.protocol == Protocol::Resp2 && !has_none
    }

    /// The channels of either scope to which it is subscribed.
    pub(super) const fn channels_of(&mut self, scope: Scope) -> &mut BTreeSet<Vec<u8>> {
        match scope {
            Scope::Everywhere => &mut self.channels,
            Scope::Shard => &mut self.shard_channels,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !self.closed {
            self.input.push(bytes);
        }
    }

    /// The next complete command, or the error that ends the session.
    pub(super) fn next_command(&mut self) -> Option<Result<Vec<Vec<u8>>, ErrorReply>> {
        if self.closed {
            return None;
        }
        loop {
            let frame = match self.input.next_frame() {
                Ok(frame) => frame.map(decode)?,
                Err(error) => Err(error),
            };
            match frame {
                // An empty command gets no reply.
                Ok(Frame::Null) => {}
                Ok(Frame::Array(parts)) if parts.is_empty() => {}
                Ok(Frame::Array(parts)) => {
                    let texts = parts.into_iter().map(|part| match part {
                        Frame::Bulk(text) => Some(text.to_vec()),
                        _ => None,
                    });
                    let words = match texts.collect::<Option<Vec<_>>>() {
                        Some(words) => words,
                        None => return Some(Err(self.break_off(MALFORMED))),
                    };
                    if self.user.is_none() && words.len() > UNKNOWN_WORDS {
                        return Some(Err(self.break_off("unauthenticated multibulk length")));
                    }
                    if self.user.is_none() && words.iter().any(|word| word.len() > UNKNOWN_BYTES) {
                        return Some(Err(self.break_off("unauthenticated bulk length")));
                    }
                    return Some(Ok(words));
                }
                _ => return Some(Err(self.break_off(MALFORMED))),
            }
        }
    }

    fn break_off(&mut self, why: &str) -> ErrorReply {
        self.closed = true;
        ErrorReply::new(format!("ERR Protocol error: {why}"))
    }

    pub(super) fn write(&mut self, result: &Result<Reply, ErrorReply>) {
        match result {
            Ok(reply) => reply.encode(self.protocol, &mut self.output),
            Err(error) => error.encode(&mut self.output),
        }
    }

    /// Writes the reply to a command. If `earlier`, the output from before the command ran, was taken out: between it and
    /// what the command pushed.
    pub(super) fn write_behind(&mut self, earlier: Option<Vec<u8>>, result: &Result<Reply, ErrorReply>) {
        let Some(earlier) = earlier else { return self.write(result) };
        let pushed = core::mem::replace(&mut self.output, earlier);
        self.write(result);
        self.output.extend(pushed);
    }

    pub(super) fn take_output(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.output)
    }

    pub(super) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }
}
