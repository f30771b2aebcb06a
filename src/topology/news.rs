//! News of where locks are.

use super::slots::Slots;
use crate::{
    error::NodeError,
    id::{LockId, NodeId},
};

/// What follows from news of where locks are.
#[derive(Debug)]
pub(crate) enum RouteNews {
    /// These slots have other servers now. The locks were waiting for news. The `former` server is to be left.
    Changed { slots: Vec<Slots>, waiting: Vec<LockId>, former: Option<NodeId> },
    /// Nobody knows. The locks were waiting for news.
    Unavailable(Vec<LockId>, NodeError),
}
