use crate::time::Duration;

/// What a round asks of the nodes; the kind of lock decides by which script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    /// Take the keys.
    Acquire,
    /// Take over what the token holds already, and extend it.
    Adopt,
    /// Extend the lease to at least this span from now; zero only asks whether the token holds the keys.
    Extend(Duration),
    /// Delete the keys that the token holds.
    Release(Waiter),
}

/// Whether a release also ends a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Waiter {
    /// Nothing of ours waits on the node.
    Absent,
    /// A registration or a place in a queue may be left there: it is removed too.
    Registered,
}
