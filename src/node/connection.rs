//! One connection to a server, from the handshake on: what was received on it, and what that means.

use std::rc::Rc;

use crate::{
    error::NodeError,
    id::{ConnectionId, LockId},
    resp::{Limits, Reply, Scanner, decode},
    script::Answer,
    time::Instant,
};

use super::{
    Tag,
    endpoint::{Endpoint, Transport},
    error_reply,
    handshake::{Handshake, Next},
    pipeline::{Order, Paired, Pipeline},
};

#[derive(Clone, Debug, Hash)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    /// The step of the handshake that is awaited, and until when; `None` when ready.
    greeting: Option<(Handshake, Instant)>,
    scanner: Scanner,
    pub(super) pipeline: Pipeline,
    pub(super) out: Vec<u8>,
    heard: Instant,
    /// Whether it has answered a command properly: connections that never do are made ever more rarely.
    pub(super) proven: bool,
    /// Whether the server sends us wake-ups.
    pub(super) wakes: bool,
    /// Set when the connection is to end once the reply at hand is delivered.
    doomed: Option<NodeError>,
}

/// What a connection has to say.
#[derive(Debug)]
pub(super) enum Said {
    /// Nothing more until more is received.
    Nothing,
    /// The handshake is over.
    Ready,
    /// A message names this lock.
    Wake(LockId),
    Reply(Tag, Result<Answer, NodeError>),
    NoScript(Tag),
    /// It cannot be used any more.
    Over(NodeError),
}

impl Connection {
    /// A connection that was made, and has to be greeted `until` then if it is a session of our own.
    pub(super) fn new(
        id: ConnectionId,
        endpoint: &Endpoint,
        first_nonce: u64,
        until: Instant,
        now: Instant,
    ) -> Self {
        let mut out = Vec::new();
        let (greeting, order) = match endpoint.transport {
            Transport::Stream => (Some((Handshake::begin(endpoint, &mut out), until)), Order::AsSent),
            Transport::Commands => (None, Order::PerKey),
        };
        Self {
            id,
            greeting,
            scanner: Scanner::new(Limits::default()),
            pipeline: Pipeline::new(first_nonce, order),
            out,
            heard: now,
            proven: false,
            wakes: false,
            doomed: None,
        }
    }

    pub(super) const fn is_ready(&self) -> bool {
        self.greeting.is_none()
    }

    pub(super) fn received(&mut self, bytes: &[u8], now: Instant) {
        self.heard = now;
        self.scanner.push(bytes);
    }

    /// When it counts as dead, if nothing is heard until then.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.greeting {
            Some((_, until)) => Some(until),
            None => self.pipeline.silent_at(self.heard),
        }
    }

    /// The next thing in what was received. `channel` is where wake-ups come.
    pub(super) fn next(&mut self, endpoint: &Endpoint, channel: &[u8]) -> Said {
        loop {
            if let Some(fault) = self.doomed.take() {
                return Said::Over(fault);
            }
            // A subscription is answered by a push; all others are messages.
            let awaits_push = matches!(self.greeting, Some((Handshake::Subscribe, _)));
            let reply = match self.scanner.next_frame().map(|frame| frame.map(decode)) {
                Ok(None) => return Said::Nothing,
                Ok(Some(Ok(reply))) => reply,
                Ok(Some(Err(error))) | Err(error) => {
                    return Said::Over(NodeError::Protocol(error.describe().into()));
                }
            };
            match (&reply, self.greeting) {
                (Reply::Push(elements), _) if !awaits_push => match woken(elements, channel) {
                    Some(lock) => return Said::Wake(lock),
                    None => continue,
                },
                (_, Some((step, until))) => {
                    self.wakes |= awaits_push && matches!(reply, Reply::Push(_));
                    return match step.on_reply(&reply, endpoint, channel, &mut self.out) {
                        Next::Await(step) => {
                            self.greeting = Some((step, until));
                            continue;
                        }
                        Next::Done => {
                            self.greeting = None;
                            Said::Ready
                        }
                        Next::Refused(line) => Said::Over(server_fault(line, endpoint)),
                        Next::Mismatch => Said::Over(NodeError::Protocol(NOT_REDIS.into())),
                    };
                }
                _ => {}
            }
            return match self.pipeline.pair(&reply, &mut self.out) {
                Paired::Answer(tag, answer) => {
                    self.proven = true;
                    Said::Reply(tag, Ok(answer))
                }
                Paired::NoScript(tag) => Said::NoScript(tag),
                Paired::Error(tag, line) => {
                    let fault = server_fault(line, endpoint);
                    // A replica now: the name may lead to the new master by the next connection.
                    if matches!(&fault, NodeError::Server(error) if error.prefix == "READONLY") {
                        self.doomed = Some(fault.clone());
                    }
                    Said::Reply(tag, Err(fault))
                }
                Paired::Mismatch => Said::Over(NodeError::Protocol(OUT_OF_STEP.into())),
            };
        }
    }
}

const NOT_REDIS: &str = "the server answered the handshake with something else; is it a Redis server?";
const OUT_OF_STEP: &str = "a reply does not belong to the command it came for; the connection was dropped, and what was asked may or may not have been done";

/// The lock that a push names, if it is a message on our channel: `message, <channel>, <lock number>`.
fn woken(push: &[Reply<'_>], channel: &[u8]) -> Option<LockId> {
    match push {
        [Reply::Bulk(b"message"), Reply::Bulk(on), Reply::Bulk(number)] if *on == channel => {
            core::str::from_utf8(number).ok()?.parse().ok().map(LockId)
        }
        _ => None,
    }
}

fn server_fault(line: &[u8], endpoint: &Endpoint) -> NodeError {
    NodeError::Server(Rc::new(error_reply::parse(line, &endpoint.password)))
}
