use std::rc::Rc;

use super::{owner::Owner, spec::Spec, step::Residue};
use crate::id::LockId;

/// What a transition of one lock means for others. The engine carries effects out in order, after the transition.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Effect {
    /// An attempt left residue under a token that is asked for no more.
    CleanUp(Box<(Spec, Owner, Residue)>),
    /// This waiter is the leader of its client's waiters from now on.
    Lead(LockId),
    /// This waiter has to ask for a new position in the queue.
    Rejoin(LockId),
    /// A reply said that the waiter `head` of this client is at the head of a queue. The lock `seen_by` got the reply.
    AdoptHead { head: LockId, seen_by: LockId },
    /// A lock with this token came to be held, or is over: locks that wait for it, or to re-enter it, may go on.
    Unblocked(Rc<[u8]>),
}
