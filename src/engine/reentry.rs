//! Locks of one owner: re-entry, and locks that wait until others of the same token are over.

use std::rc::Rc;

use super::{Engine, TimerOwner};
use crate::{
    entropy::Entropy,
    error::Code,
    id::{HandleId, LockId},
    lock::{Input, Lock, Reentry, Start},
    time::Instant,
};

/// What the other locks of its owner, for some of the same keys, mean for a new lock.
enum Relation {
    /// There are none.
    None,
    /// One holds just what is asked for: it is re-entered.
    Holds(LockId),
    /// One has to be over first.
    InTheWay,
}

impl<E: Entropy + 'static> Engine<E> {
    fn relation(&self, new: &Lock, now: Instant) -> Relation {
        let locks = self.owners.of(new.owner().token()).filter_map(|id| Some((id, self.locks.get(&id)?)));
        let mut others = locks.filter(|(_, lock)| lock.shares_keys_with(new) && !lock.is_parked());
        match others.next() {
            Some((id, lock)) if lock.provides(new.spec(), now) => Relation::Holds(id),
            Some(_) => Relation::InTheWay,
            None => Relation::None,
        }
    }

    /// Begins a lock with a token that other locks may use. The token must not be asked for while another lock of it is
    /// taken, held or released: a release of the one would free the other.
    pub(super) fn begin_for_owner(&mut self, handle: HandleId, id: LockId, lock: Lock, now: Instant) {
        match self.relation(&lock, now) {
            Relation::Holds(held) => self.reenter(handle, held, &lock, now),
            Relation::InTheWay => {
                self.owners.park(lock.owner().token(), id);
                self.begin(id, lock, Start::Parked, now);
            }
            Relation::None => self.begin(id, lock, Start::Attempt, now),
        }
    }

    fn reenter(&mut self, handle: HandleId, held: LockId, request: &Lock, now: Instant) {
        self.run_overdue(held, now);
        if !self.locks.get(&held).is_some_and(|lock| lock.is_held()) {
            return self.refuse(handle, Code::Lost, "the lock ended before it could be re-entered");
        }
        self.handles.add(handle, held);
        let reentry = Reentry { handle, renew: request.spec().renew, until: request.waits_until(now) };
        self.transition(held, Input::Reenter(reentry), now);
    }

    /// Begins the locks that waited for others with this token, as far as they are not in the way any more.
    pub(super) fn unpark(&mut self, token: &Rc<[u8]>, now: Instant) {
        for id in self.owners.take_parked(token) {
            let Some(lock) = self.locks.get(&id).filter(|lock| lock.is_parked()) else { continue };
            match self.relation(lock, now) {
                Relation::InTheWay => self.owners.park(token, id),
                Relation::None => self.deliver(id, Input::Unpark, now),
                Relation::Holds(held) => {
                    if let Some(mut lock) = self.locks.remove(&id) {
                        self.deadlines.remove(TimerOwner::Lock(id), &mut lock.queued_at);
                        self.owners.remove(token, id);
                        for handle in core::mem::take(&mut lock.handles) {
                            self.reenter(handle, held, &lock, now);
                        }
                    }
                }
            }
        }
    }
}
