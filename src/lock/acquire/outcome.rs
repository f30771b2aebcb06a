//! What an attempt came to, if not to a grant, and how the application is told.

use crate::{
    error::{Code, LockError, Vote},
    event::Loss,
    quorum::Round,
    time::Duration,
};

/// What an attempt came to, if not to a grant.
#[derive(Clone, Debug, Default, Hash)]
pub(super) enum AttemptOutcome {
    #[default]
    Unknown,
    /// Another holds it, for this long at most; `None` for ever.
    Taken(Option<Duration>),
    /// Too many servers failed.
    Faulty(Round),
    /// It was granted, but too late to be of use.
    Late,
    /// The token that is to be adopted does not hold it.
    NotOurs,
}

impl AttemptOutcome {
    /// What the application is told after so many attempts, if the last of them is still in flight, and a `wait` of so
    /// many ms.
    pub(super) fn failure(&self, in_flight: Option<&Round>, attempts: u32, wait: u64) -> LockError {
        let why = match (self, in_flight) {
            (Self::Faulty(round), _) => return fault_of(round, attempts, wait),
            (Self::Unknown, Some(round)) => return fault_of(round, attempts, wait),
            (Self::NotOurs, _) => return LockError::new(Code::Lost, attempts, Loss::NotOurs.describe()),
            (Self::Taken(None), _) => {
                "; a key that never expires is in the way, which no lock of redlatch is"
            }
            (Self::Late, _) => return too_late(attempts),
            _ => "; another holds it",
        };
        let plural = if attempts == 1 { "" } else { "s" };
        let text = format!("not acquired within {wait} ms ({attempts} attempt{plural}{why})");
        LockError::new(Code::Timeout, attempts, &text)
    }
}

/// A grant with nothing left of it is no word that another holds the lock: the server took too long.
pub(in crate::lock) fn too_late(attempts: u32) -> LockError {
    LockError::new(
        Code::Connection,
        attempts,
        "the lock was granted, but its lease was over before the answer was here",
    )
}

/// What is told of servers that failed: of one, its own fault; of several, how each voted.
fn fault_of(round: &Round, attempts: u32, wait: u64) -> LockError {
    let votes = round.votes(wait);
    if let [(node, Vote::Failed(fault))] = votes.as_slice() {
        let mut failure = LockError::from_fault(fault, *node, attempts);
        if attempts > 1 {
            failure.message = format!("{} (attempt {attempts}, the last)", failure.message).into();
        }
        return failure;
    }
    let count = |kind: fn(&Vote) -> bool| votes.iter().filter(|(_, vote)| kind(vote)).count();
    let text = format!(
        "no majority of {} servers: {} granted, {} held by another, {} failed",
        votes.len(),
        count(|vote| matches!(vote, Vote::Granted)),
        count(|vote| matches!(vote, Vote::Held)),
        count(|vote| matches!(vote, Vote::Failed(_)))
    );
    LockError { votes, ..LockError::new(Code::Quorum, attempts, &text) }
}
