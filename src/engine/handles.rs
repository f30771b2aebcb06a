//! Owners with tokens of their own: re-entry, where one lock is known to the application by several numbers, and locks that
//! have to wait for each other.

use super::{Engine, TimerOwner};
use crate::{
    entropy::Entropy,
    error::Code,
    id::LockId,
    lock::{Input, Lock, Owner, Reentry, Spec, Start},
    planted::{Planted, planted},
    time::Instant,
};

/// What a number of the application's stands for.
pub(super) enum Hold {
    /// No lock that is held.
    None,
    /// The only holder of this lock.
    Only(LockId),
    /// One of several holders of this lock.
    OneOfSeveral(LockId),
}

/// What another lock of the same owner, for some of the same keys, means for a new one.
enum Relation {
    /// There is none.
    None,
    /// It holds just what is asked for: it is queued_at again.
    Holds(LockId),
    /// It has to be gone first.
    InTheWay,
}

impl<E: Entropy + 'static> Engine<E> {
    /// What another lock of the same owner means for a new one. Looked for one by one: owners that bring a token along
    /// are rare.
    fn relation(&self, owner: &Owner, spec: &Spec, now: Instant) -> Relation {
        let mut others =
            self.locks.iter().filter(|(id, lock)| lock.concerns(owner, spec) && !self.parked.contains(id));
        match others.next() {
            Some((&id, lock)) if lock.provides(spec, now) => Relation::Holds(id),
            Some(_) => Relation::InTheWay,
            None => Relation::None,
        }
    }

    /// Begins a lock whose owner is the application's own. The same token must not be asked for while another lock of it
    /// is taken, held or released: a release of the one would free the other.
    pub(super) fn begin_for_owner(&mut self, id: LockId, lock: Lock, now: Instant) {
        match self.relation(lock.owner(), lock.spec(), now) {
            Relation::Holds(held) => self.reenter(id, held, &lock, now),
            Relation::InTheWay => {
                self.parked.push(id);
                self.begin(id, lock, Start::Parked, now);
            }
            Relation::None => self.begin(id, lock, Start::Attempt, now),
        }
    }

    fn reenter(&mut self, id: LockId, held: LockId, lock: &Lock, now: Instant) {
        self.catch_up(held, now);
        if !self.locks.get(&held).is_some_and(|lock| lock.is_held()) {
            return self.refuse(id, Code::Lost, "the lock that was to be queued_at again is over");
        }
        self.aliases.push((id, held));
        let reentry = Reentry { handle: id, renew: lock.spec().renew, until: lock.waits_until(now) };
        self.step(held, Input::Reenter(reentry), now);
    }

    /// Begins those that waited until another lock of the same owner was out of the way.
    pub(super) fn unpark(&mut self, now: Instant) {
        let mut next = 0;
        while let Some(&id) = self.parked.get(next) {
            let Some(lock) = self.locks.get(&id).filter(|lock| lock.is_waiting()) else {
                self.parked.remove(next);
                continue;
            };
            match self.relation(lock.owner(), lock.spec(), now) {
                Relation::InTheWay => next = next.saturating_add(1),
                Relation::None => {
                    self.parked.remove(next);
                    self.step(id, Input::Unpark, now);
                }
                Relation::Holds(held) => {
                    self.parked.remove(next);
                    if let Some(mut lock) = self.locks.remove(&id) {
                        self.deadlines.remove(TimerOwner::Lock(id), &mut lock.queued_at);
                        self.reenter(id, held, &lock, now);
                    }
                }
            }
        }
    }

    /// The number of the lock that a holder's number stands for.
    pub(super) fn primary(&self, holder: LockId) -> LockId {
        let alias = self.aliases.iter().find(|&&(alias, _)| alias == holder);
        alias.map_or(holder, |&(_, held)| held)
    }

    /// Under which number a lock is kept that the application knows by `holder`, if it is held.
    pub(super) fn hold_of(&self, holder: LockId) -> Hold {
        let id = self.primary(holder);
        match self.locks.get(&id) {
            Some(lock) if lock.is_held() => match lock.holders.as_slice() {
                [only]
                    if *only == holder
                        && !self.aliases.iter().any(|&(alias, held)| held == id && alias != holder) =>
                {
                    Hold::Only(id)
                }
                holders if holders.contains(&holder) || id != holder => Hold::OneOfSeveral(id),
                _ => Hold::None,
            },
            _ => Hold::None,
        }
    }

    /// One of several holders is done.
    pub(super) fn leave(&mut self, holder: LockId, held: LockId, now: Instant) {
        if planted(Planted::LeavesForAll) {
            self.touch(held, Input::Cancel, now);
        }
        self.touch(held, Input::Leave(holder), now);
        self.aliases.retain(|&(alias, _)| alias != holder);
    }
}
