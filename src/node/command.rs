//! What a lock asks a server to do.

use crate::{script::Call, time::Duration};

/// A script call, and how long its connection may be silent.
pub(crate) struct Command<'a> {
    pub(crate) call: Call<'a>,
    /// How long the connection may be silent while this command is at the head of the pipeline, or three round trips if
    /// they take longer.
    pub(crate) silence: Duration,
    /// How long replicas may take to confirm what the command grants.
    pub(crate) replication: Duration,
}
