//! How the servers of a voter belong together.

use super::{
    address::Address,
    cluster::Cluster,
    sentinel::Sentinels,
    slots::{Route, Slot},
};
use crate::{
    error::NodeError,
    id::{LockId, NodeId},
    time::Instant,
};

/// How the servers belong together.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) enum Deployment {
    /// A single server has all locks.
    #[default]
    Server,
    /// One cluster: each has some of the slots.
    Cluster(Box<Cluster>),
    /// Sentinels, and the master that they name.
    Sentinel(Box<Sentinels>),
}

impl Deployment {
    /// Whether the server of a lock may become another one.
    pub(crate) const fn is_routed(&self) -> bool {
        !matches!(self, Self::Server)
    }

    /// The server of a slot, if it is known. `None` for a single server.
    pub(crate) fn route(&self, slot: Slot) -> Option<Route> {
        match self {
            Self::Server => None,
            Self::Cluster(cluster) => cluster.route(slot),
            Self::Sentinel(sentinels) => sentinels.route(),
        }
    }

    /// Lets a lock wait for news of where locks are. False if none is needed.
    pub(crate) fn wait(&mut self, lock: LockId) -> bool {
        match self {
            Self::Cluster(cluster) if cluster.is_unknown() => cluster.wait(lock),
            Self::Sentinel(sentinels) if sentinels.is_in_doubt() => sentinels.wait(lock),
            _ => return false,
        }
        true
    }

    /// What is known may be wrong.
    pub(crate) fn want(&mut self) {
        match self {
            Self::Server => {}
            Self::Cluster(cluster) => cluster.want(),
            Self::Sentinel(sentinels) => sentinels.want(),
        }
    }

    /// The server cannot be reached. Another one may have its locks now. `needed` says whether anything waits for it.
    pub(crate) fn lose(&mut self, node: NodeId, error: &NodeError, needed: bool) {
        match self {
            Self::Cluster(cluster) if needed && cluster.has_slots(node) => cluster.lose(node),
            Self::Server | Self::Cluster(_) => {}
            Self::Sentinel(sentinels) => sentinels.lose(node, error, needed),
        }
    }

    /// Whether a server is of use, as far as is known.
    pub(crate) fn serves(&self, node: NodeId) -> bool {
        match self {
            Self::Server => true,
            Self::Cluster(cluster) => cluster.has_slots(node),
            Self::Sentinel(sentinels) => sentinels.serves(node),
        }
    }

    /// The address of a server, as it was announced.
    pub(crate) fn address(&self, node: NodeId) -> Option<&Address> {
        match self {
            Self::Server => None,
            Self::Cluster(cluster) => cluster.address(node),
            Self::Sentinel(sentinels) => sentinels.address(node),
        }
    }

    /// Whether both are the same servers, as far as is known: the maps of two clusters have a server in common, or two
    /// masters one address.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Cluster(one), Self::Cluster(other)) => one.is_same(other),
            (Self::Sentinel(one), Self::Sentinel(other)) => one.is_same(other),
            _ => false,
        }
    }

    /// When to ask for news next. `owed` says whether the application waits for anything.
    pub(crate) fn deadline(&self, owed: bool) -> Option<Instant> {
        match self {
            Self::Server => None,
            Self::Cluster(cluster) => cluster.deadline(owed),
            Self::Sentinel(sentinels) => sentinels.deadline(owed),
        }
    }
}
