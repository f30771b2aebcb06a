//! Writes events as records of numbers.

use std::{collections::VecDeque, rc::Rc};

use super::{
    convert::{float, millis},
    entropy::Runtime,
    wire::{self, HEAD_LENGTH, RECORD_LENGTH, kind},
};
use crate::{Cause, Code, ConnectionId, Engine, Event, Instant, LockError, Vote};

/// Turns the engine's output into numbers; strings wait in a queue of their own until JavaScript fetches them.
#[derive(Default)]
pub(super) struct Records {
    details: VecDeque<Rc<str>>,
    numbers: Vec<f64>,
    /// The bytes whose addresses are among the numbers.
    outgoing: Vec<Vec<u8>>,
}

/// How many numbers the array may have room for after a drain: 64 KiB. A single drain may need much more.
const MOST_KEPT: usize = 8192;

impl Records {
    pub(super) fn drain(&mut self, engine: &mut Engine<Runtime>, now: Instant) -> &[f64] {
        let mut numbers = self.start();
        while let Some(event) = engine.poll_event(now) {
            self.event(&event, &mut numbers);
        }
        while let Some((node, connection)) = engine.poll_connect() {
            push(&mut numbers, &[kind::CONNECT, connection.0.into(), node.0.into()]);
        }
        while let Some(connection) = engine.poll_close() {
            push(&mut numbers, &[kind::CLOSE, connection.0.into()]);
        }
        while let Some(bytes) = engine.poll_transmit() {
            self.transmit(bytes, &mut numbers);
        }
        let delay = engine.poll_timeout().map_or(f64::INFINITY, |at| millis(at.since(now)));
        self.end(numbers, delay, engine.owed(), engine.has_backlog())
    }

    /// Only what should be written at once; `None` if there is nothing. What the last drain returned is gone then.
    pub(super) fn drain_early(&mut self, engine: &mut Engine<Runtime>) -> Option<&[f64]> {
        if !engine.has_early_transmit() {
            return None;
        }
        let mut numbers = self.start();
        while let Some(bytes) = engine.poll_early_transmit() {
            self.transmit(bytes, &mut numbers);
        }
        Some(self.end(numbers, 0.0, 0, false))
    }

    fn start(&mut self) -> Vec<f64> {
        self.details.clear();
        self.outgoing.clear();
        let mut numbers = core::mem::take(&mut self.numbers);
        numbers.clear();
        numbers.shrink_to(MOST_KEPT);
        numbers.resize(HEAD_LENGTH, 0.0);
        numbers
    }

    fn end(&mut self, mut numbers: Vec<f64>, delay: f64, owed: usize, has_backlog: bool) -> &[f64] {
        let head = [count(numbers.len()), delay, count(owed), f64::from(has_backlog)];
        for (slot, number) in numbers.iter_mut().zip(head) {
            *slot = number;
        }
        self.numbers = numbers;
        &self.numbers
    }

    fn transmit(&mut self, (connection, bytes): (ConnectionId, Vec<u8>), numbers: &mut Vec<f64>) {
        let [address, length] = [bytes.as_ptr().addr(), bytes.len()].map(count);
        push(numbers, &[kind::TRANSMIT, connection.0.into(), address, length]);
        self.outgoing.push(bytes);
    }

    pub(super) fn detail(&mut self) -> String {
        self.details.pop_front().as_deref().unwrap_or_default().to_owned()
    }

    fn event(&mut self, event: &Event, numbers: &mut Vec<f64>) {
        match event {
            Event::Granted { lock, fence, token, attempts } => {
                let mut record = [0.0; RECORD_LENGTH];
                let head = [kind::GRANTED, lock.0.into(), float(fence >> 32), float(fence & 0xffff_ffff)];
                let token = token.map(|token| token.words()).unwrap_or_default().map(f64::from);
                let attempts = [f64::from(*attempts)];
                for (slot, number) in record.iter_mut().zip(head.into_iter().chain(token).chain(attempts)) {
                    *slot = number;
                }
                numbers.extend(record);
            }
            Event::Failed { lock, failure } => self.error(kind::FAILED, lock.0, failure, numbers),
            Event::Lost { lock, loss, reason } => {
                self.details.push_back(loss.describe().into());
                push(numbers, &[kind::LOST, lock.0.into(), wire::loss(*loss), has(reason)]);
                if let Some(reason) = reason {
                    self.error(kind::REASON, 0, reason, numbers);
                }
            }
            Event::Closing { lock } => push(numbers, &[kind::CLOSING, lock.0.into()]),
            Event::Released { lock, outcome } => {
                push(numbers, &[kind::RELEASED, lock.0.into(), wire::outcome(*outcome)]);
            }
            Event::Extended { op, .. } => push(numbers, &[kind::EXTENDED, op.0.into()]),
            Event::Verified { op, ours, .. } => {
                push(numbers, &[kind::VERIFIED, op.0.into(), f64::from(*ours)])
            }
            Event::Contended { lock } => push(numbers, &[kind::CONTENDED, lock.0.into()]),
            Event::Renewed { lock, rtt } => push(numbers, &[kind::RENEWED, lock.0.into(), millis(*rtt)]),
            Event::RenewFailed { lock, failure } => {
                self.error(kind::RENEW_FAILED, lock.0, failure, numbers);
            }
            Event::Degraded { lock, missing } => {
                push(numbers, &[kind::DEGRADED, lock.0.into(), f64::from(*missing)]);
            }
            Event::Connection { node, error } => {
                push(numbers, &[kind::CONNECTION, node.0.into(), has(error)]);
                if let Some(error) = error {
                    let error = LockError::from_node(error, *node, 0);
                    self.error(kind::REASON, 0, &error, numbers);
                }
            }
            Event::OperationFailed { op, failure, .. } => {
                self.error(kind::OPERATION_FAILED, op.0, failure, numbers);
            }
        }
    }

    /// The record of an error, followed by a record for each vote, and by that of its reason, if there is one. The
    /// strings of each are the prefix, for an error reply, and the message.
    fn error(&mut self, kind: f64, id: u32, error: &LockError, numbers: &mut Vec<f64>) {
        let node = error.node.map_or(-1.0, |node| node.0.into());
        let [cause, connection] = cause_of(error.cause);
        let votes = error.votes.iter().map(|_| 1.0).sum();
        let code = wire::code(error.code);
        let attempts = error.attempts.into();
        let reason = has(&error.reason);
        push(numbers, &[kind, id.into(), code, node, cause, connection, attempts, votes, reason]);
        self.strings(error.code, &error.prefix, &error.message);
        for (node, vote) in &error.votes {
            let mut record = [kind::VOTE, node.0.into(), wire::vote(vote), 0.0, 0.0, 0.0];
            if let Vote::Failed(error) = vote {
                let [cause, connection] = cause_of(error.cause());
                record = [
                    kind::VOTE,
                    node.0.into(),
                    wire::vote(vote),
                    wire::code(error.code()),
                    cause,
                    connection,
                ];
                self.strings(error.code(), error.prefix(), error.message());
            }
            push(numbers, &record);
        }
        if let Some(reason) = &error.reason {
            self.error(kind::REASON, 0, reason, numbers);
        }
    }

    fn strings(&mut self, code: Code, prefix: &str, message: &str) {
        if code == Code::Server {
            self.details.push_back(prefix.into());
        }
        self.details.push_back(message.into());
    }
}

/// The number of a cause, and the connection that it names.
fn cause_of(cause: Cause) -> [f64; 2] {
    let connection = match cause {
        Cause::Transport(connection) | Cause::Obstacle(connection, _) => connection.0.into(),
        Cause::Unknown | Cause::ConnectTimeout => 0.0,
    };
    [wire::cause(cause), connection]
}

#[allow(clippy::as_conversions, reason = "addresses and lengths in wasm have 32 bits")]
fn count(number: usize) -> f64 {
    number as f64
}

/// 1 if a record follows, else 0.
fn has<T>(part: &Option<T>) -> f64 {
    f64::from(part.is_some())
}

fn push(numbers: &mut Vec<f64>, record: &[f64]) {
    numbers.extend(record.iter().copied().chain(core::iter::repeat(0.0)).take(RECORD_LENGTH));
}
