use std::rc::Rc;

use super::{owner::Owner, spec::Spec, step::Residue};
use crate::id::LockId;

/// What a transition of one lock makes necessary for others. The engine carries effects out in order, after the
/// transition.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Effect {
    /// An attempt left residue under a token that is no longer used.
    CleanUp(Box<(Spec, Owner, Residue)>),
    /// This waiter is now the leader.
    Lead(LockId),
    /// This waiter has lost its position and has to join the queue again.
    Rejoin(LockId),
    /// A reply to the lock `seen_by` said that `head`, another waiter of this client, is the head of a queue.
    AdoptHead { head: LockId, seen_by: LockId },
    /// A lock with this token was granted or ended: parked locks with the token may begin, or re-enter it.
    Unblocked(Rc<[u8]>),
}
