//! One node's part in a round.

use crate::{error::NodeError, script::Answer, time::Instant};

/// The state of one node in a round.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ballot {
    /// Not asked yet, because its connection is being made.
    Waiting,
    /// Asked. The time was taken before the command was sent.
    Asked(Instant),
    /// Answered the command that was sent at this time.
    Answered(Instant, Answer),
    /// Failed. If a command was sent, at this time, its outcome is unknown.
    Failed(NodeError, Option<Instant>),
}

impl Ballot {
    /// Whether the node may have run the command. `registered` if a denial leaves a waiter registration there.
    pub(super) fn may_have_written(&self, registered: bool) -> bool {
        match self {
            Self::Answered(_, Answer::Wait { .. }) => registered,
            Self::Waiting | Self::Failed(_, None) => false,
            Self::Asked(_) | Self::Failed(_, Some(_)) | Self::Answered(..) => true,
        }
    }

    /// Whether the node may hold a grant. Not after a transient error, which a script raises before it writes (rule 3).
    pub(super) fn may_hold(&self) -> bool {
        let refused = matches!(self, Self::Failed(NodeError::Server(error), _) if error.transient);
        !refused && self.may_have_written(false)
    }
}

/// Whether the answer confirms the command for all `keys` keys.
pub(super) fn is_yes(answer: Answer, keys: usize) -> bool {
    match answer {
        Answer::Fence(_) => true,
        Answer::Wait { .. } => false,
        Answer::Flag(flag) => flag,
        Answer::Count(count) => usize::try_from(count) == Ok(keys),
    }
}
