//! Ids that several floors use. Each kind of id wraps around after 2^32.

/// The application's reference to one acquisition, from [`acquire`](crate::Engine::acquire) until the lock failed, was
/// lost or was released. After re-entry several handles share one lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandleId(pub u32);

/// A lock machine, from the first attempt until the last clean-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LockId(pub(crate) u32);

/// An operation on a held lock, from [`extend`](crate::Engine::extend) or [`verify`](crate::Engine::verify).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u32);

/// A server. The first server that was added is 0, the next 1, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A connection, from the request to make it until it ended. A new connection to the same server has a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);
