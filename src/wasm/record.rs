use std::{collections::VecDeque, rc::Rc};

use super::{Runtime, float, millis};
use crate::{Code, Engine, Event, Instant, LockError, NodeError, Vote};

/// How many numbers a record has. The first is its kind.
const RECORD: usize = 10;

// The kinds, as in core.ts.
const GRANTED: f64 = 1.0;
const FAILED: f64 = 2.0;
const LOST: f64 = 3.0;
const RELEASED: f64 = 4.0;
const EXTENDED: f64 = 5.0;
const VERIFIED: f64 = 6.0;
const OP_FAILED: f64 = 7.0;
const CONTENDED: f64 = 10.0;
const RENEWED: f64 = 11.0;
const DEGRADED: f64 = 12.0;
const CONNECTION: f64 = 13.0;
const CONNECT: f64 = 20.0;
const CLOSE: f64 = 21.0;
const TRANSMIT: f64 = 22.0;

/// Writes what the engine has to say as numbers; texts wait apart until they are fetched.
#[derive(Default)]
pub(super) struct Records {
    details: VecDeque<Rc<str>>,
}

impl Records {
    pub(super) fn drain(&mut self, engine: &mut Engine<Runtime>, now: Instant) -> Vec<f64> {
        self.details.clear();
        let mut numbers = vec![f64::INFINITY];
        while let Some(event) = engine.poll_event(now) {
            self.event(&event, &mut numbers);
        }
        while let Some((node, connection)) = engine.poll_connect() {
            push(&mut numbers, &[CONNECT, connection.0.into(), node.0.into()]);
        }
        while let Some(connection) = engine.poll_close() {
            push(&mut numbers, &[CLOSE, connection.0.into()]);
        }
        for connection in engine.wanting_to_write() {
            push(&mut numbers, &[TRANSMIT, connection.0.into()]);
        }
        if let (Some(delay), Some(at)) = (numbers.first_mut(), engine.poll_timeout()) {
            *delay = millis(at.since(now));
        }
        numbers
    }

    pub(super) fn detail(&mut self) -> String {
        self.details.pop_front().as_deref().unwrap_or_default().to_owned()
    }

    fn event(&mut self, event: &Event, numbers: &mut Vec<f64>) {
        match event {
            Event::Granted { lock, fence, token } => {
                let mut record = [0.0; RECORD];
                let head = [GRANTED, lock.0.into(), float(fence >> 32), float(fence & 0xffff_ffff)];
                let token = token.map(|token| token.words()).unwrap_or_default().map(f64::from);
                for (slot, number) in record.iter_mut().zip(head.into_iter().chain(token)) {
                    *slot = number;
                }
                numbers.extend(record);
            }
            Event::Failed { lock, failure } => {
                let [code, node, details] = self.failure(failure);
                let attempts = failure.attempts.into();
                push(numbers, &[FAILED, lock.0.into(), code, node, attempts, details]);
            }
            Event::Lost { lock, loss } => push(numbers, &[LOST, lock.0.into(), f64::from(loss.number())]),
            Event::Released { lock, outcome } => {
                push(numbers, &[RELEASED, lock.0.into(), f64::from(outcome.number())]);
            }
            Event::Extended { op, lock } => push(numbers, &[EXTENDED, op.0.into(), lock.0.into()]),
            Event::Verified { op, lock, ours } => {
                push(numbers, &[VERIFIED, op.0.into(), lock.0.into(), f64::from(*ours)]);
            }
            Event::Contended { lock } => push(numbers, &[CONTENDED, lock.0.into()]),
            Event::Renewed { lock } => push(numbers, &[RENEWED, lock.0.into()]),
            Event::Degraded { lock, missing } => {
                push(numbers, &[DEGRADED, lock.0.into(), f64::from(*missing)]);
            }
            Event::Connection { node, ready } => {
                push(numbers, &[CONNECTION, node.0.into(), f64::from(*ready)]);
            }
            Event::OperationFailed { op, lock, failure } => {
                let [code, node, details] = self.failure(failure);
                push(numbers, &[OP_FAILED, op.0.into(), lock.0.into(), code, node, details]);
            }
        }
    }

    /// The code, the server or -1, and how many texts were put aside.
    fn failure(&mut self, failure: &LockError) -> [f64; 3] {
        let mut details = 1.0;
        if failure.code == Code::Server {
            self.details.push_back(failure.prefix.clone());
            details = 2.0;
        }
        self.details.push_back(failure.message.clone());
        for (_, vote) in &failure.votes {
            let (outcome, message) = match vote {
                Vote::Granted => ("granted", ""),
                Vote::Held => ("held", ""),
                Vote::Failed(NodeError::Server(error)) => (error.prefix.as_str(), error.message.as_str()),
                Vote::Failed(fault) => (fault.code().name(), fault.message()),
            };
            self.details.extend([outcome.into(), message.into()]);
            details += 2.0;
        }
        [f64::from(failure.code.number()), failure.node.map_or(-1.0, |node| node.0.into()), details]
    }
}

fn push(numbers: &mut Vec<f64>, record: &[f64]) {
    numbers.extend(record.iter().copied().chain(core::iter::repeat(0.0)).take(RECORD));
}
