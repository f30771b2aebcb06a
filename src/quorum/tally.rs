//! Counts the votes of a round and decides as early as possible (rule 2).

/// The number of votes of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tally {
    pub(crate) yes: usize,
    pub(crate) no: usize,
    /// Errors, and answers that did not arrive in time.
    pub(crate) failed: usize,
    pub(crate) pending: usize,
}

/// The result of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Enough nodes said yes.
    Won,
    /// So many nodes said no that there cannot be enough yes votes.
    Denied,
    /// There cannot be enough yes votes, because nodes failed.
    Unreachable,
    /// Not decided yet.
    Pending,
}

impl Tally {
    /// The verdict where `needed` nodes must say yes.
    pub(crate) fn verdict(self, needed: usize) -> Verdict {
        let nodes = self.yes.saturating_add(self.no).saturating_add(self.failed).saturating_add(self.pending);
        if self.yes >= needed {
            Verdict::Won
        } else if self.no > nodes.saturating_sub(needed) {
            Verdict::Denied
        } else if self.yes.saturating_add(self.pending) < needed {
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
    fn every_vote_of_up_to_seven_nodes_is_decided_rightly_and_as_early_as_possible() {
        for nodes in 1..=7 {
            let needed = nodes / 2 + 1;
            for yes in 0..=nodes {
                for no in 0..=nodes - yes {
                    for failed in 0..=nodes - yes - no {
                        let pending = nodes - yes - no - failed;
                        let expected = if yes >= needed {
                            Verdict::Won
                        } else if yes + pending >= needed {
                            Verdict::Pending
                        } else if nodes - no < needed {
                            Verdict::Denied
                        } else {
                            Verdict::Unreachable
                        };
                        let tally = Tally { yes, no, failed, pending };
                        assert_eq!(tally.verdict(needed), expected, "{tally:?}");
                    }
                }
            }
        }
    }
}
