//! One node's part in a round.

use crate::{error::NodeError, script::Answer, time::Instant};

/// One node's part in a round.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ballot {
    /// Not asked yet: its connection is being made.
    Waiting,
    /// Asked at that time, taken before anything was sent.
    Asked(Instant),
    /// It answered the call of that time.
    Answered(Instant, Answer),
    /// It failed. If it was asked, at that time, the outcome there is unknown.
    Failed(NodeError, Option<Instant>),
}

impl Ballot {
    /// Whether the node may have carried out the call. `registered` if a denial leaves a registration of ours there.
    pub(super) fn may_have_written(&self, registered: bool) -> bool {
        match self {
            Self::Answered(_, Answer::Wait { .. }) => registered,
            Self::Waiting | Self::Failed(_, None) => false,
            Self::Asked(_) | Self::Failed(_, Some(_)) | Self::Answered(..) => true,
        }
    }

    /// Whether the node may keep a grant of ours. Not after a transient error: scripts raise those before they write.
    pub(super) fn may_hold(&self) -> bool {
        let refused = matches!(self, Self::Failed(NodeError::Server(error), _) if error.transient);
        !refused && self.may_have_written(false)
    }
}

/// Whether the answer confirms the call for all `keys` keys.
pub(super) fn is_yes(answer: Answer, keys: usize) -> bool {
    match answer {
        Answer::Fence(_) => true,
        Answer::Wait { .. } => false,
        Answer::Flag(flag) => flag,
        Answer::Count(count) => usize::try_from(count) == Ok(keys),
    }
}
