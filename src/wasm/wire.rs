//! The numbers that cross the boundary to TypeScript. `pkg-template/src/core/wire.ts` has the same lists, and
//! `tests/js/unit/wire.test.js` compares them.

#![allow(missing_docs, reason = "wire.ts says what the numbers of each record are")]

use crate::{Cause, Code, Loss, ReleaseOutcome, Vote};

/// How many numbers come before the first record: the count of all numbers, the delay until `timeout` in ms, or infinity, how
/// many locks owe the application something, and 1 if calls that come one by one should be drained together, else 0.
pub const HEAD_LENGTH: usize = 4;

/// How many numbers a record has; the first is its kind.
pub const RECORD_LENGTH: usize = 10;

/// The kinds of record.
pub mod kind {
    pub const GRANTED: f64 = 1.0;
    pub const FAILED: f64 = 2.0;
    pub const LOST: f64 = 3.0;
    pub const RELEASED: f64 = 4.0;
    pub const EXTENDED: f64 = 5.0;
    pub const VERIFIED: f64 = 6.0;
    pub const OPERATION_FAILED: f64 = 7.0;
    pub const VOTE: f64 = 8.0;
    pub const CLOSING: f64 = 9.0;
    pub const CONTENDED: f64 = 10.0;
    pub const RENEWED: f64 = 11.0;
    pub const DEGRADED: f64 = 12.0;
    pub const CONNECTION: f64 = 13.0;
    pub const RENEW_FAILED: f64 = 14.0;
    pub const REASON: f64 = 15.0;
    pub const CONNECT: f64 = 20.0;
    pub const CLOSE: f64 = 21.0;
    pub const TRANSMIT: f64 = 22.0;
}

/// The flags of `acquire`.
pub mod flag {
    pub const RENEW: u32 = 1;
    pub const FAIR: u32 = 2;
    pub const ADOPT: u32 = 4;
}

/// Obstacles to a connection.
pub mod obstacle {
    pub const PERMISSION: u32 = 1;
    pub const CERTIFICATE: u32 = 2;
}

/// The code of an error.
pub(super) const fn code(code: Code) -> f64 {
    match code {
        Code::Timeout => 1.0,
        Code::Lost => 2.0,
        Code::Quorum => 3.0,
        Code::Connection => 4.0,
        Code::Server => 5.0,
        Code::Protocol => 6.0,
        Code::Overloaded => 7.0,
        Code::Closed => 8.0,
        Code::Internal => 9.0,
    }
}

/// The cause of a connection error.
pub(super) const fn cause(cause: Cause) -> f64 {
    match cause {
        Cause::Unknown => 0.0,
        Cause::Transport(_) => 1.0,
        Cause::Obstacle(..) => 3.0,
        Cause::ConnectTimeout => 2.0,
    }
}

/// The outcome of a server's vote.
pub(super) const fn vote(vote: &Vote) -> f64 {
    match vote {
        Vote::Granted => 0.0,
        Vote::Held => 1.0,
        Vote::Failed(_) => 2.0,
        Vote::Undecided => 3.0,
    }
}

/// The reason for a loss.
pub(super) const fn loss(loss: Loss) -> f64 {
    match loss {
        Loss::Expired => 1.0,
        Loss::NotOurs => 2.0,
        Loss::MaxHold => 3.0,
        Loss::Closed => 4.0,
        Loss::Gone => 5.0,
    }
}

/// The outcome of a release.
pub(super) const fn outcome(outcome: ReleaseOutcome) -> f64 {
    match outcome {
        ReleaseOutcome::Released => 0.0,
        ReleaseOutcome::Expired => 1.0,
        ReleaseOutcome::Unknown => 2.0,
    }
}
