//! One connection to a server: turns received bytes into handshake steps, replies and wake-ups.

use std::rc::Rc;

use crate::{
    error::{Cause, NodeError, ServerError},
    id::ConnectionId,
    resp::{Limits, Malformed, Reply, Scanner, decode},
    script::Answer,
    time::{Duration, Instant},
};

use super::{
    Tag,
    endpoint::{Endpoint, Transport},
    error_reply,
    handshake::{self, Dialect, Handshake, Next},
    known::Paired,
    outcome::Outcome,
    part::Part,
    pending::Queued,
    pipeline::{Order, Pipeline},
    subscriptions::{self, Push, Subscriptions},
};

/// A server may always take this many round trips to answer, however short `nodeTimeout` is: one for a command, one for its
/// repetition with EVAL, and one because some take longer than others.
const ROUND_TRIPS: u64 = 3;

/// How long a server that is answering the handshake may take for its next step, though the time for the connection is
/// over: a stall of the event loop may have used it up and ended just before, so that nobody noticed.
const STEP_PATIENCE: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, Hash)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    /// The handshake step whose reply is awaited, and its deadline; `None` when the connection is ready.
    greeting: Option<(Handshake, Instant)>,
    /// The protocol version; RESP2 also after a server refused HELLO.
    pub(super) dialect: Dialect,
    /// Whether HELLO was sent.
    greeted_in_resp3: bool,
    scanner: Scanner,
    pub(super) pipeline: Pipeline,
    pub(super) out: Vec<u8>,
    /// What the last reply says to locks that have not been told yet, the last first.
    answers: Vec<ConnectionEvent>,
    /// Why the server refused the ASKING before the command whose answer is next.
    unasked: Option<NodeError>,
    /// When bytes were last received, or the connection was made.
    heard: Instant,
    /// When the last step of the handshake was written.
    greeted: Instant,
    /// How long the server takes to answer.
    round_trip: Option<Duration>,
    /// Whether a command got a valid answer. Connections that end without one count as failures for the backoff.
    pub(super) proven: bool,
    /// Whether the server sends wake-ups on this connection, at least on those shard channels to which it is subscribed.
    pub(super) wakes: bool,
    pub(super) subscriptions: Subscriptions,
    /// Whether the server has said that it is part of a cluster.
    pub(super) is_cluster: bool,
    part: Part,
}

/// What the received bytes mean for the node.
#[derive(Clone, Debug, Hash)]
pub(super) enum ConnectionEvent {
    /// Nothing, until more bytes are received.
    Idle,
    /// The handshake is complete.
    Ready,
    /// A wake-up, or the end of a subscription.
    Push(Push),
    /// The reply to a command.
    Reply(Tag, Result<Answer, NodeError>),
    /// The server did nothing. The command is to be sent again: with the script, or without the others of its run.
    Repeat(Tag),
    /// The reply to the question where locks are, as bytes, or why there is none.
    Answer(Result<Vec<u8>, NodeError>),
    /// The command will get no answer, and its outcome is unknown. The others are not concerned.
    Unanswered(Tag, NodeError),
    /// The connection cannot be used any more.
    Ended(NodeError),
    /// The commands were refused with READONLY: the server is a replica now, and the connection is of no use (rule 17).
    Demoted(Vec<Tag>, NodeError),
}

impl Connection {
    /// A connection that was just made. If it is a session of our own, its handshake must be complete by `until`.
    pub(super) fn new(
        id: ConnectionId,
        endpoint: &Endpoint,
        part: Part,
        dialect: Dialect,
        (first_nonce, replicas): (u64, u32),
        until: Instant,
        now: Instant,
    ) -> Self {
        let mut out = Vec::new();
        let (greeting, order) = match endpoint.transport {
            Transport::Stream => {
                (Some((Handshake::begin(dialect, endpoint, &mut out), until)), Order::AsSent)
            }
            Transport::Commands => (None, Order::PerKey),
            Transport::Independent => (None, Order::Independent),
        };
        Self {
            id,
            greeting,
            dialect,
            greeted_in_resp3: dialect == Dialect::Resp3,
            scanner: Scanner::new(if part == Part::Member { MAP_LIMITS } else { Limits::default() }),
            pipeline: Pipeline::new(first_nonce, order, replicas),
            out,
            answers: Vec::new(),
            unasked: None,
            heard: now,
            greeted: now,
            round_trip: None,
            proven: false,
            wakes: false,
            subscriptions: Subscriptions::default(),
            is_cluster: false,
            part,
        }
    }

    pub(super) const fn is_ready(&self) -> bool {
        self.greeting.is_none()
    }

    /// How long the server may always take to answer, once it has answered anything.
    pub(super) fn round_trips(&self) -> Option<Duration> {
        self.round_trip.map(|round_trip| round_trip.times(ROUND_TRIPS))
    }

    /// Until when the handshake must be complete, if this is one that began with HELLO: when the server hangs up before,
    /// another connection may do better in RESP2.
    pub(super) fn may_dislike_hello(&self) -> Option<Instant> {
        self.greeting.filter(|_| self.greeted_in_resp3).map(|(_, until)| until)
    }

    pub(super) fn received(&mut self, bytes: &[u8], now: Instant) {
        self.heard = now;
        self.scanner.push(bytes);
    }

    /// When the connection counts as dead unless bytes are received before. The server may always take `round_trips` to
    /// answer.
    pub(super) fn deadline(&self, round_trips: Duration) -> Option<Instant> {
        match self.greeting {
            Some((_, until)) => Some(until.max(self.greeted.after(STEP_PATIENCE))),
            None => self.pipeline.silent_at(self.heard, round_trips),
        }
    }

    /// The next event in the received bytes. `channel` is the channel of this client's wake-ups.
    pub(super) fn next(&mut self, endpoint: &Endpoint, channel: &[u8]) -> ConnectionEvent {
        loop {
            if let Some(answer) = self.answers.pop() {
                return answer;
            }
            // The reply to SUBSCRIBE is a push. Every other push is a message.
            let awaits_push = matches!(self.greeting, Some((Handshake::Subscribe, _)));
            let awaits_hello = matches!(self.greeting, Some((Handshake::Hello, _)));
            let frame = match self.scanner.next_frame() {
                Ok(None) => return ConnectionEvent::Idle,
                Ok(Some(frame)) => frame,
                // A peer that is Redis begins with a type byte.
                Err(Malformed::UnknownType(_)) if awaits_hello => {
                    return ConnectionEvent::Ended(NodeError::NotRedis);
                }
                Err(error) => return ConnectionEvent::Ended(NodeError::Protocol(error.describe().into())),
            };
            // Only a master grants locks. The name may resolve to it for the next connection.
            if awaits_hello && self.part == Part::Alone && handshake::is_replica(frame) {
                return ConnectionEvent::Ended(server_error(handshake::REPLICA, endpoint));
            }
            self.is_cluster |= awaits_hello && handshake::is_cluster(frame);
            let reply = match decode(frame) {
                Ok(reply) => reply,
                Err(error) => return ConnectionEvent::Ended(NodeError::Protocol(error.describe().into())),
            };
            // Which command is answered, and how.
            let mut answered = (0, &reply);
            match (&reply, self.greeting) {
                (Reply::Push(elements), _) if self.pipeline.order() == Order::Independent => {
                    let [Reply::Bulk(what), Reply::Bulk(nonce), content] = elements.as_slice() else {
                        continue;
                    };
                    // What comes too late is for nobody.
                    let Some(place) = self.pipeline.place_of(nonce) else { continue };
                    match (*what, content) {
                        (b"answer", reply) => answered = (place, reply),
                        (b"unanswered", Reply::Bulk(reason)) => {
                            let Some(tag) = self.pipeline.give_up(place, &mut self.out) else { continue };
                            let reason = String::from_utf8_lossy(reason);
                            let error = NodeError::connection(Cause::Unknown, &reason);
                            return ConnectionEvent::Unanswered(tag, error);
                        }
                        _ => continue,
                    }
                }
                (Reply::Push(elements), _) if !awaits_push => {
                    match self.subscriptions.hear(elements, channel, self.part, &mut self.pipeline) {
                        Some(push) => return ConnectionEvent::Push(push),
                        None => continue,
                    }
                }
                (_, Some((step, until))) => {
                    measure(&mut self.round_trip, (self.greeted, Queued::Alone), self.heard);
                    self.greeted = self.heard;
                    let own_channel = subscriptions::in_handshake(channel);
                    self.wakes |= awaits_push && matches!(reply, Reply::Push(_));
                    self.wakes |= own_channel.is_empty() && awaits_hello && reply == Reply::Opaque;
                    if awaits_hello && matches!(reply, Reply::Error(_)) {
                        self.dialect = Dialect::Resp2;
                    }
                    return match step.on_reply(&reply, endpoint, own_channel, &mut self.out) {
                        Next::Await(step) => {
                            self.greeting = Some((step, until));
                            continue;
                        }
                        Next::Done => {
                            self.greeting = None;
                            ConnectionEvent::Ready
                        }
                        Next::Refused(line) => ConnectionEvent::Ended(server_error(line, endpoint)),
                        Next::Mismatch => ConnectionEvent::Ended(NodeError::Protocol(NOT_REDIS.into())),
                    };
                }
                _ => {}
            }
            let (place, reply) = answered;
            if let Some(asked) = self.pipeline.sent_at(place) {
                measure(&mut self.round_trip, asked, self.heard);
            }
            let news = self.pipeline.is_question_next().then(|| match reply {
                Reply::Error(line) => Err(server_error(line, endpoint)),
                _ => Ok(frame.bytes.to_vec()),
            });
            let asking = self.pipeline.is_asking_next().then(|| match reply {
                Reply::Error(line) => Some(server_error(line, endpoint)),
                _ => None,
            });
            if let (Some(slot), Reply::Error(line)) = (self.pipeline.subscription_next(), reply) {
                self.subscriptions.refused(slot);
                // Without the right to subscribe, or the command, waiters poll.
                self.wakes &= subscriptions::may_be_had_later(line);
            }
            let answers = &mut self.answers;
            let tell = |tag, outcome| answers.push(event_of(tag, outcome, endpoint));
            match self.pipeline.pair(place, reply, &mut self.out, tell) {
                Paired::Ran => self.proven = true,
                // Of independent commands, it concerns only the server of this one.
                Paired::Refused if self.pipeline.order() == Order::Independent => {}
                Paired::Refused => {
                    if let Some(demoted) = self.demoted() {
                        return demoted;
                    }
                }
                Paired::NoScript => {}
                Paired::Mismatch => return ConnectionEvent::Ended(NodeError::Protocol(OUT_OF_STEP.into())),
            }
            self.answers.reverse();
            match asking {
                Some(refusal) => self.unasked = refusal,
                None => {
                    // Without ASKING, the server only redirects the command back.
                    if let Some(refusal) = self.unasked.take()
                        && let Some(ConnectionEvent::Reply(_, result @ Err(_))) = self.answers.last_mut()
                    {
                        *result = Err(refusal);
                    }
                }
            }
            // A server that was asked again is believed when it answers the last time.
            if let Some(reply) = news
                && !self.pipeline.awaits_answer()
            {
                return ConnectionEvent::Answer(reply);
            }
        }
    }

    /// Gives up one of the commands that got no answer in time, if each has its own time.
    pub(super) fn give_up_overdue(&mut self, round_trips: Duration, now: Instant) -> Option<Tag> {
        self.pipeline.give_up_overdue(round_trips, now, &mut self.out)
    }

    /// Takes the answers back if the error in them calls for a new connection: the name may resolve to the new master then.
    fn demoted(&mut self) -> Option<ConnectionEvent> {
        let Some(ConnectionEvent::Reply(_, Err(error))) = self.answers.first() else { return None };
        if !error.calls_for_new_connection() {
            return None;
        }
        let error = error.clone();
        let mut tags = Vec::new();
        for answer in core::mem::take(&mut self.answers) {
            if let ConnectionEvent::Reply(tag, _) = answer {
                tags.push(tag);
            }
        }
        Some(ConnectionEvent::Demoted(tags, error))
    }
}

/// What one lock is told.
fn event_of(tag: Tag, outcome: Outcome<'_>, endpoint: &Endpoint) -> ConnectionEvent {
    let error = match outcome {
        Outcome::Answer(answer) => return ConnectionEvent::Reply(tag, Ok(answer)),
        Outcome::Repeat => return ConnectionEvent::Repeat(tag),
        Outcome::Error(line) => error_reply::parse(line, &endpoint.password),
        Outcome::Fewer { confirmed, needed, within } => {
            error_reply::too_few_replicas(confirmed, needed, within)
        }
        Outcome::Unconfirmed(line) => {
            ServerError { ran: true, ..error_reply::parse(line, &endpoint.password) }
        }
    };
    ConnectionEvent::Reply(tag, Err(NodeError::Server(Rc::new(error))))
}

/// Updates the round-trip time: a command sent at `asked` was answered at `heard`. A shorter time is taken over at once,
/// because longer ones may include a stall. Of a longer time, an eighth of the difference is added, so that the value
/// follows a route that became longer; and only for a command that was sent alone, because others waited in a queue.
fn measure(round_trip: &mut Option<Duration>, (asked, queued): (Instant, Queued), heard: Instant) {
    let passed = heard.since(asked);
    *round_trip = Some(match *round_trip {
        Some(known) if known < passed && queued == Queued::Alone => known.plus(passed.minus(known).part(8)),
        Some(known) => known.min(passed),
        None => passed,
    });
}

/// Limits of replies where one may be the map of a cluster: it has some 13 values and 200 bytes for each range of slots.
const MAP_LIMITS: Limits = Limits { depth: 8, elements: 65_536, bytes: 2 * 1024 * 1024 };

const NOT_REDIS: &str = "unexpected reply to the handshake; is this a Redis server?";
const OUT_OF_STEP: &str =
    "reply does not match its command; connection dropped, pending commands have an unknown outcome";

fn server_error(line: &[u8], endpoint: &Endpoint) -> NodeError {
    NodeError::Server(Rc::new(error_reply::parse(line, &endpoint.password)))
}
