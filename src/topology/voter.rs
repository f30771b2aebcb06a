//! One vote: a server, or servers that have the locks in turn.

use std::rc::Rc;

use super::Deployment;
use crate::{
    error::{NodeError, ServerError},
    id::NodeId,
    node::{Node, same_servers},
};

/// A voter, by its place among the voters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct VoterId(pub(super) u32);

impl VoterId {
    /// The node that stands for the voter in the placement of a lock, unless that has several slots.
    pub(crate) const fn node(self) -> NodeId {
        NodeId(self.0)
    }

    /// Its place among the voters.
    pub(super) fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A server, a cluster, or a master with its sentinels. Each server belongs to one voter.
#[derive(Clone, Debug, Hash)]
pub(super) struct Voter {
    pub(super) id: VoterId,
    /// Its first server, which errors name as long as it is not known which one has the locks.
    pub(super) first: NodeId,
    pub(super) deployment: Deployment,
    /// What the servers are like that are announced: those of a cluster, or the master of sentinels.
    pub(super) pattern: Option<Node>,
    /// Why it has no vote at present.
    refused: Option<Rc<ServerError>>,
}

impl Voter {
    /// A server.
    pub(super) const fn new(id: VoterId, first: NodeId) -> Self {
        Self { id, first, deployment: Deployment::Server, pattern: None, refused: None }
    }

    /// The same voter, with these servers.
    pub(super) fn of(self, deployment: Deployment, pattern: Option<Node>) -> Self {
        Self { deployment, pattern, ..self }
    }

    /// Why it has no vote, if it has none.
    pub(super) fn refusal(&self) -> Option<NodeError> {
        self.refused.clone().map(NodeError::Server)
    }

    /// Refuses its vote as long as an earlier voter has the same servers: one server would vote twice. Returns whether its vote
    /// counted until now, and does no more.
    pub(super) fn compare(&mut self, earlier: &[Self]) -> bool {
        let is_same = earlier.iter().any(|other| self.deployment.is_same(&other.deployment));
        let counted = self.refused.is_none();
        self.refused = is_same.then(|| Rc::new(same_servers()));
        is_same && counted
    }
}
