//! Asks the nodes of a placement, and counts their votes. Nothing here knows a lock.

mod ballot;
mod lease;
mod round;
mod tally;

pub(crate) use ballot::Ballot;
pub(crate) use lease::{Lease, SHORTEST, allowance, default_node_timeout, notice, validity};
pub(crate) use round::{Ask, Heard, Round, Terms};
pub(crate) use tally::Verdict;
