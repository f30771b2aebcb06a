//! Votes: when a question that was put to N servers is decided.
//!
//! Source: design rule 2; a majority, because two majorities have a server in common.

use crate::planted::{Planted, planted};

/// How many of `nodes` servers are a majority.
pub(crate) fn quorum(nodes: usize) -> usize {
    (nodes / 2).saturating_add(if planted(Planted::QuorumOfHalf) { 0 } else { 1 })
}

/// The state of a vote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tally {
    pub(crate) yes: usize,
    pub(crate) no: usize,
    /// No answer to be had, or an error.
    pub(crate) failed: usize,
    pub(crate) pending: usize,
}

/// What a vote has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A majority said yes.
    Won,
    /// A majority of yes has become impossible by answers of no alone.
    Denied,
    /// A majority of yes has become impossible, but for some servers' failure.
    Unreachable,
    /// Still open.
    Pending,
}

impl Tally {
    /// Decides as early as can be.
    pub(crate) fn verdict(self) -> Verdict {
        let nodes = self.yes.saturating_add(self.no).saturating_add(self.failed).saturating_add(self.pending);
        let quorum = quorum(nodes);
        if self.yes >= quorum {
            Verdict::Won
        } else if self.no > nodes.saturating_sub(quorum) {
            Verdict::Denied
        } else if self.yes.saturating_add(self.pending) < quorum && !planted(Planted::VoteNeverFails) {
            Verdict::Unreachable
        } else {
            Verdict::Pending
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majorities() {
        assert_eq!([1, 2, 3, 4, 5, 6, 7].map(quorum), [1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn every_vote_of_up_to_seven_servers_is_decided_rightly_and_as_early_as_can_be() {
        for nodes in 1..=7 {
            for yes in 0..=nodes {
                for no in 0..=nodes - yes {
                    for failed in 0..=nodes - yes - no {
                        let pending = nodes - yes - no - failed;
                        let can_win = yes + pending >= quorum(nodes);
                        let expected = if yes >= quorum(nodes) {
                            Verdict::Won
                        } else if can_win {
                            Verdict::Pending
                        } else if nodes - no < quorum(nodes) {
                            Verdict::Denied
                        } else {
                            Verdict::Unreachable
                        };
                        assert_eq!(
                            Tally { yes, no, failed, pending }.verdict(),
                            expected,
                            "{yes} {no} {failed} {pending}"
                        );
                    }
                }
            }
        }
    }
}
