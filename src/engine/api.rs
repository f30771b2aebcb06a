//! What an application asks of an engine.

use super::{Engine, handles::Hold};
use crate::{
    entropy::Entropy,
    error::{Code, InvalidRequest, LockError},
    event::{Event, ReleaseOutcome},
    id::{LockId, OperationId},
    lock::{Input, Lock, Operation, Owner, Request, Spec, Start},
    planted::{Planted, planted},
    time::{Duration, Instant},
};

/// Locks that may be held, waited for and cleaned up after at once.
const MOST_LOCKS: usize = 100_000;

impl<E: Entropy + 'static> Engine<E> {
    /// Asks for a lock. [`Event::Granted`] or [`Event::Failed`] follows, once.
    ///
    /// # Errors
    /// [`InvalidRequest`] if the request is not in order, with nothing sent.
    pub fn acquire(&mut self, request: Request, now: Instant) -> Result<LockId, InvalidRequest> {
        self.run_due(now);
        let placement = self.topology.placement().ok_or(InvalidRequest::NoNode)?;
        let spec = Spec::new(&request, placement, &self.policy)?;
        let id = self.next_lock();
        let identified = self.topology.identify(&mut self.entropy);
        let owner = Owner::new(request.token.as_deref(), &mut self.entropy);
        match (identified, owner) {
            (Ok(()), Ok(owner)) if self.locks.len() < MOST_LOCKS => {
                let lock = Lock::new(spec, owner, vec![id]);
                if request.token.is_some() {
                    self.begin_for_owner(id, lock, now);
                } else {
                    self.begin(id, lock, Start::Attempt, now);
                }
                self.follow_up(now);
                self.note_nodes();
            }
            (Ok(()), Ok(_)) => {
                self.refuse(id, Code::Overloaded, "too many locks are held or waited for at once")
            }
            _ => {
                let text = "this runtime has no secure randomness (crypto.getRandomValues), without which owners cannot be told apart";
                self.refuse(id, Code::Internal, text);
            }
        }
        Ok(id)
    }

    /// Lets go of a lock that is held. [`Event::Released`] follows, once; nothing if it is not held any more.
    pub fn release(&mut self, lock: LockId, now: Instant) {
        self.close(lock);
        self.run_due(now);
        match self.hold_of(lock) {
            Hold::Only(held) => self.touch(held, Input::Release, now),
            Hold::OneOfSeveral(held) => {
                self.leave(lock, held, now);
                self.events.push_back(Event::Released { lock, outcome: ReleaseOutcome::Released });
            }
            Hold::None => {}
        }
        self.note_nodes();
    }

    /// Extends a lease to at least `ttl` from now; it is never shortened. [`Event::Extended`] or [`Event::OperationFailed`]
    /// follows, once.
    pub fn extend(&mut self, lock: LockId, ttl: Duration, now: Instant) -> OperationId {
        self.operate(lock, Operation::Extend(ttl.max(Duration::from_millis(1))), now)
    }

    /// Asks the servers whether a lock is ours. [`Event::Verified`] or [`Event::OperationFailed`] follows, once.
    pub fn verify(&mut self, lock: LockId, now: Instant) -> OperationId {
        self.operate(lock, Operation::Verify, now)
    }

    /// Forgets a lock, whatever its state: nothing more is heard of it, and what may be left of it is cleaned up.
    pub fn cancel(&mut self, lock: LockId, now: Instant) {
        self.close(lock);
        self.run_due(now);
        match self.hold_of(lock) {
            Hold::OneOfSeveral(held) => self.leave(lock, held, now),
            Hold::Only(held) => self.touch(held, Input::Cancel, now),
            Hold::None if self.locks.get(&lock).is_some_and(|each| each.holders.contains(&lock)) => {
                self.touch(lock, Input::Cancel, now);
            }
            // A void number. A lock that was queued_at again is kept under it even after it was left under it.
            Hold::None => {}
        }
        self.note_nodes();
        // What was due, and came first, is not heard any more either.
        if !planted(Planted::CancelledHeard) {
            self.forget(lock);
        }
    }

    /// How long a lock may still be believed in: zero if it is not held.
    #[must_use]
    pub fn remaining(&self, lock: LockId, now: Instant) -> Duration {
        match self.hold_of(lock) {
            Hold::None => Duration::ZERO,
            Hold::Only(held) | Hold::OneOfSeveral(held) => {
                self.locks.get(&held).map_or(Duration::ZERO, |lock| lock.remaining(now))
            }
        }
    }

    fn operate(&mut self, lock: LockId, operation: Operation, now: Instant) -> OperationId {
        self.run_due(now);
        self.last_op = self.last_op.wrapping_add(1);
        let op = OperationId(self.last_op);
        match self.hold_of(lock) {
            Hold::Only(held) | Hold::OneOfSeveral(held) => {
                self.touch(held, Input::Operate(op, operation), now);
                self.note_nodes();
            }
            Hold::None => {
                let failure = LockError::new(Code::Lost, 0, "the lock is not held");
                self.events.push_back(Event::OperationFailed { op, lock, failure });
            }
        }
        op
    }

    /// Takes what is to be told of a lock's own fate out of the queue of events; answers to questions stay.
    fn forget(&mut self, forgotten: LockId) {
        let concerns = |event: &Event| match *event {
            Event::Granted { lock, .. }
            | Event::Failed { lock, .. }
            | Event::Lost { lock, .. }
            | Event::Released { lock, .. } => lock == forgotten,
            _ => false,
        };
        if self.events.iter().any(concerns) {
            self.events.retain(|event| !concerns(event));
            self.aliases.retain(|&(alias, _)| alias != forgotten);
        }
    }

    /// Keeps what is overdue from extending a lock that its last holder is done with.
    fn close(&mut self, lock: LockId) {
        if let Hold::Only(held) = self.hold_of(lock)
            && let Some(lock) = self.locks.get_mut(&held)
        {
            lock.close();
        }
    }

    pub(super) fn refuse(&mut self, lock: LockId, code: Code, text: &str) {
        self.events.push_back(Event::Failed { lock, failure: LockError::new(code, 0, text) });
    }

    pub(super) fn next_lock(&mut self) -> LockId {
        loop {
            self.last_lock = self.last_lock.wrapping_add(1);
            let id = LockId(self.last_lock);
            if self.last_lock != 0 && !self.locks.contains_key(&self.primary(id)) {
                return id;
            }
        }
    }
}
