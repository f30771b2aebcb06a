//! Asks the nodes of a placement, and counts their votes. Nothing here knows a lock.

mod ask;
mod ballot;
mod lease;
mod round;
mod tally;

pub(crate) use ask::{Ask, Terms};
pub(crate) use ballot::BallotState;
pub(crate) use lease::{Lease, SHORTEST, allowance, notice, validity};
pub(crate) use round::{Heard, Round};
pub(crate) use tally::Verdict;
