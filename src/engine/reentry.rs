//! Several locks with one token: re-entry, and parked locks.

use super::Engine;
use crate::{
    entropy::Entropy,
    error::Code,
    id::{HandleId, LockId},
    lock::{Input, Lock, Reentry, Start},
    time::Instant,
    timers::TimerOwner,
};

/// How a new lock relates to the locks that have its token and at least one of its keys.
enum Relation {
    /// There is no such lock.
    None,
    /// This lock holds exactly the same keys, and is re-entered.
    Holds(LockId),
    /// Another lock has to end first.
    InTheWay,
}

impl<E: Entropy + 'static> Engine<E> {
    fn relation(&self, new: &Lock, now: Instant) -> Relation {
        let locks = self.owners.of(new.owner().token()).filter_map(|id| Some((id, self.locks.get(id)?)));
        #[cfg(test)]
        let locks = locks.inspect(|_| tests::count());
        let mut others = locks.filter(|(_, lock)| lock.conflicts_with(new) && !lock.is_parked());
        match others.next() {
            Some((id, lock)) if lock.provides(new.spec(), now) => Relation::Holds(id),
            Some(_) => Relation::InTheWay,
            None => Relation::None,
        }
    }

    /// Begins a lock whose token other locks may use. It is parked while another lock with the same token and a common
    /// key is acquired, held or released, because a release of the one would free the other.
    pub(super) fn begin_for_owner(&mut self, handle: HandleId, id: LockId, lock: Lock, now: Instant) {
        self.owners.keep(self.locks.iter().map(|(id, lock)| (&**lock.owner().token(), *id)));
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
        if !self.locks.get(held).is_some_and(|lock| lock.is_held()) {
            return self.refuse(handle, Code::Lost, "the lock ended before it could be re-entered");
        }
        self.handles.reenter(handle, held);
        let reentry =
            Reentry { handle, renew: request.spec().renew, until: request.waits_until(self.patience.now()) };
        self.transition(held, Input::Reenter(reentry), now);
    }

    /// Begins the parked locks with this token for which the way is free now.
    pub(super) fn unpark(&mut self, token: &[u8], now: Instant) {
        for id in self.owners.parked(token) {
            let lock = self.locks.get(id).filter(|lock| lock.is_parked());
            match lock.map(|lock| self.relation(lock, now)) {
                None => self.owners.unpark(token, id),
                Some(Relation::InTheWay) => {}
                Some(Relation::None) => {
                    self.owners.unpark(token, id);
                    self.deliver(id, Input::Unpark, now);
                }
                Some(Relation::Holds(held)) => {
                    if let Some(mut lock) = self.locks.remove(id) {
                        self.owed = self.owed.saturating_sub(1);
                        self.deadlines.remove(TimerOwner::Lock(id), &mut lock.queued_at);
                        self.patient_deadlines.remove(TimerOwner::Lock(id), &mut lock.patient_at);
                        self.owners.remove(token, id);
                        for handle in core::mem::take(&mut lock.handles) {
                            self.reenter(handle.id, held, &lock, now);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use crate::{Duration, Endpoint, Engine, Instant, Policy, Request, entropy::seeded::Seeded};

    thread_local! {
        static LOOKED_AT: Cell<u32> = const { Cell::new(0) };
    }

    /// A new lock is compared with another one.
    pub(super) fn count() {
        LOOKED_AT.set(LOOKED_AT.get() + 1);
    }

    /// An adoption is compared only with the locks of its own token, however many locks there are.
    #[test]
    fn an_adoption_looks_only_at_the_locks_of_its_token() {
        const LOCKS: u32 = 10_000;
        let mut engine = Engine::new(Policy::default(), Seeded(1));
        engine.add_node(Endpoint::default());
        let mut looked_at = || {
            for number in 0..LOCKS {
                let token = number.to_be_bytes().to_vec();
                let request = Request {
                    keys: vec![token.clone()],
                    token: Some(token),
                    ttl: Duration::from_millis(10_000),
                    wait: Duration::MAX,
                    renew: false,
                    max_hold: Duration::MAX,
                    fair: false,
                    adopt: Some(0),
                };
                engine.acquire(request, Instant::default()).unwrap();
            }
            LOOKED_AT.replace(0)
        };
        assert_eq!(looked_at(), 0, "no other lock has the token");
        assert_eq!(looked_at(), LOCKS, "one other lock each");
    }
}
