use crate::time::Duration;

/// What a round asks the nodes to do. The kind of lock decides which script does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    /// Take the keys. The waiter is registered if an earlier command may have done that.
    Acquire(Waiter),
    /// Take over a lock that the token holds already, and extend its lease.
    Adopt,
    /// Raise the fence counter of the keys' slot to at least this fence.
    Raise(u64),
    /// Extend the lease to at least this span from now. Zero only checks whether the token holds the keys.
    Extend(Duration),
    /// Delete the keys that the token holds.
    Release(Waiter),
}

/// Whether a lock has a waiter on the nodes, which its grant or its release removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Waiter {
    /// The lock has no waiter on the nodes.
    Absent,
    /// The lock may have a registration or a ticket on the nodes.
    Registered,
}
