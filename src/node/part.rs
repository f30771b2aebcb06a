//! What a server is to the client.

/// What the client uses a server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// It has locks, and must be a master.
    Alone,
    /// It is part of a cluster, so that it may be a replica: it redirects to its primary.
    Member,
    /// It has no locks, and says which server has them.
    Sentinel,
}
