//! The outcome of an attempt that did not get the lock, and the error for the application.

use std::rc::Rc;

use crate::{
    error::{Cause, Code, LockError, NodeError, Vote},
    event::Loss,
    lock::{failure::too_late, kind::Denial},
    quorum::{BallotState, Round, Verdict},
    script::Answer,
};

/// The outcome of an attempt that did not get the lock.
#[derive(Clone, Debug, Default, Hash)]
pub(super) enum AttemptOutcome {
    /// No attempt has ended yet.
    #[default]
    Unknown,
    /// Another owner holds the lock, or it is another waiter's turn.
    Denied(Denial),
    /// Too many nodes failed.
    Failed(Round),
    /// The grant arrived after its lease had expired.
    Late,
    /// The token to adopt does not hold the lock.
    NotOurs,
}

impl AttemptOutcome {
    pub(super) const fn denial(&self) -> Option<Denial> {
        match self {
            Self::Denied(denial) => Some(*denial),
            _ => None,
        }
    }

    /// Whether a further attempt would end in the same way.
    pub(super) fn is_permanent(&self) -> bool {
        match self {
            Self::Failed(round) => round.is_permanently_unreachable(),
            Self::NotOurs => true,
            Self::Unknown | Self::Denied(_) | Self::Late => false,
        }
    }

    /// The error after this many attempts, of which the last may still be in flight, with a `wait` in ms. A timeout, if the
    /// time alone was short: others held the lock, or it is not decided yet. Otherwise the fault.
    pub(super) fn error(&self, in_flight: Option<&Round>, attempts: u32, wait: u64) -> LockError {
        let why = match (self, in_flight) {
            (Self::Failed(round), _) => return error_of(round, attempts, wait),
            (Self::Unknown, Some(round)) if round.is_faulty() => return error_of(round, attempts, wait),
            (Self::Unknown, Some(round)) if round.verdict() == Verdict::Pending => {
                if round.is_asking() {
                    "; no answer yet"
                } else {
                    "; no connection yet"
                }
            }
            (Self::NotOurs, _) => return LockError::new(Code::Lost, attempts, Loss::NotOurs.describe()),
            (Self::Late, _) => return too_late(attempts),
            (Self::Denied(Denial { left: None, .. }), _) => {
                "; the key has no TTL, so redlatch did not create it"
            }
            _ => "; another owner holds it",
        };
        let made = if attempts == 1 { " attempt" } else { " attempts" };
        let text =
            ["not acquired within ", &wait.to_string(), " ms (", &attempts.to_string(), made, why, ")"]
                .concat();
        let reason = in_flight.and_then(|round| reason_of(round, attempts));
        LockError { reason, ..LockError::new(Code::Timeout, attempts, &text) }
    }
}

/// Why the attempt in flight at the end of the wait was undecided, if a node had failed.
fn reason_of(round: &Round, attempts: u32) -> Option<Rc<LockError>> {
    let (node, error) = round.error()?;
    Some(Rc::new(LockError::from_node(error, node, attempts)))
}

/// The error of a failed round: the vote of each node, or the error of the first that failed if each is needed.
fn error_of(round: &Round, attempts: u32, wait: u64) -> LockError {
    let votes: Vec<_> = {
        let is_open = round.verdict() == Verdict::Pending;
        round.ballots().iter().map(|ballot| (ballot.server, vote(&ballot.vote, is_open, wait))).collect()
    };
    let failed = || {
        votes.iter().find_map(|(node, vote)| match vote {
            Vote::Failed(error) => Some((*node, error)),
            _ => None,
        })
    };
    if let Some((node, error)) = failed().filter(|_| !round.has_votes()) {
        let mut error = LockError::from_node(error, node, attempts);
        if attempts > 1 {
            error.message =
                [&error.message, " (attempt ", &attempts.to_string(), ", the last)"].concat().into();
        }
        return error;
    }
    let count = |kind: fn(&Vote) -> bool| votes.iter().filter(|(_, vote)| kind(vote)).count();
    let mut text = [
        "no majority of ",
        &votes.len().to_string(),
        " votes: ",
        &count(|vote| matches!(vote, Vote::Granted)).to_string(),
        " granted, ",
        &count(|vote| matches!(vote, Vote::Held)).to_string(),
        " held by another, ",
        &count(|vote| matches!(vote, Vote::Failed(_))).to_string(),
        " failed",
    ]
    .concat();
    let undecided = count(|vote| matches!(vote, Vote::Undecided));
    if undecided > 0 {
        text.push_str(", ");
        text.push_str(&undecided.to_string());
        text.push_str(" undecided");
    }
    // A server's own fault says more than the end of the wait.
    let reason = round
        .error()
        .or_else(failed)
        .map(|(node, error)| Rc::new(LockError::from_node(error, node, attempts)));
    LockError { votes, reason, ..LockError::new(Code::Quorum, attempts, &text) }
}

/// A node's vote. A node that has not voted missed the end of `wait` if the vote `is_open`; else it is undecided.
fn vote(ballot: &BallotState, is_open: bool, wait: u64) -> Vote {
    let late = |what: &str| {
        let text = [what, " within the wait of ", &wait.to_string(), " ms"].concat();
        Vote::Failed(NodeError::connection(Cause::Unknown, &text))
    };
    match ballot {
        BallotState::Answered(Answer::Wait { .. } | Answer::Flag(false)) => Vote::Held,
        BallotState::Answered(_) => Vote::Granted,
        BallotState::Failed(error) => Vote::Failed(error.clone()),
        _ if !is_open => Vote::Undecided,
        BallotState::Behind(..) | BallotState::Asked(..) => late("no answer"),
        BallotState::Later | BallotState::Waiting(_) => late("no connection"),
    }
}
