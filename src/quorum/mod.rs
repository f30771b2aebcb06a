//! One call to several servers, and what their votes come to.

mod ballot;
mod lease;
mod round;
mod tally;

pub(crate) use ballot::Ballot;
pub(crate) use lease::{Lease, SHORTEST, allowance, default_node_timeout, notice, validity};
pub(crate) use round::Round;
pub(crate) use tally::{Verdict, quorum};
