//! One server's part in a question that is put to all.

use crate::{
    error::NodeError,
    planted::{Planted, planted},
    script::Answer,
    time::{Duration, Instant},
};

/// One server's part in a round.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ballot {
    /// Not asked yet, for its connection is being made.
    Waiting,
    /// Asked at that time, before anything was sent.
    Asked(Instant),
    /// It answered what was asked at that time.
    Answered(Instant, Answer),
    /// It did not; if it was asked, at that time, the outcome there is unknown.
    Failed(NodeError, Option<Instant>),
}

/// How long the connection to one of several servers may hold up the others' vote, if that is longer than an answer may take.
const DIAL_PATIENCE: Duration = Duration::from_millis(1000);

impl Ballot {
    /// When the server is to be given up on. A single server's connection is waited for until it fails by itself.
    pub(super) fn deadline(&self, patience: Duration, begun: Instant, several: bool) -> Option<Instant> {
        match self {
            Self::Asked(sent) => Some(sent.after(patience)),
            Self::Waiting if several => Some(begun.after(patience.max(DIAL_PATIENCE))),
            _ => None,
        }
    }

    /// Whether the server may have done what was asked, or did. `registered` if a no leaves us among those who wait.
    pub(super) fn may_have_written(&self, registered: bool) -> bool {
        match self {
            Self::Answered(_, Answer::Wait { .. }) => registered,
            Self::Waiting | Self::Failed(_, None) => false,
            Self::Asked(_) | Self::Failed(_, Some(_)) | Self::Answered(..) => true,
        }
    }

    /// Whether the server may keep for us what others want: not if it told an error that may pass, for those are
    /// raised before a script writes.
    pub(super) fn may_hold(&self) -> bool {
        let refused = matches!(self, Self::Failed(NodeError::Server(error), _) if error.transient);
        !refused && self.may_have_written(false)
    }
}

/// Whether the answer is that what was asked for is so on all keys.
pub(super) fn is_yes(answer: Answer, keys: usize) -> bool {
    match answer {
        Answer::Fence(_) => true,
        Answer::Wait { .. } => planted(Planted::NoIsYes),
        Answer::Flag(flag) => flag,
        Answer::Count(count) if planted(Planted::SomeKeysAreAll) => count > 0,
        Answer::Count(count) => usize::try_from(count) == Ok(keys),
    }
}
