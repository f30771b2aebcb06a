//! What an application asks of an engine.

use super::Engine;
use crate::{
    entropy::Entropy,
    error::{Code, InvalidRequest, LockError},
    event::{Event, Loss, ReleaseOutcome},
    handles::{Handle, Phase},
    id::{HandleId, LockId, OperationId},
    lock::{Input, Lock, Operation, Owner, Request, Spec, Start},
    time::{Duration, Instant},
};

/// Locks that may be held, waited for and cleaned up after at once.
const MOST_LOCKS: usize = 100_000;

impl<E: Entropy + 'static> Engine<E> {
    /// Asks for a lock. [`Event::Granted`] or [`Event::Failed`] follows, once.
    ///
    /// # Errors
    /// [`InvalidRequest`] if the request is not in order, with nothing sent.
    pub fn acquire(&mut self, request: Request, now: Instant) -> Result<HandleId, InvalidRequest> {
        self.run_due(now);
        let placement = self.topology.placement().ok_or(InvalidRequest::NoNode)?;
        let spec = Spec::new(&request, placement, &self.policy)?;
        let id = self.next_id();
        let (handle, id) = (HandleId(id), LockId(id));
        if self.closed {
            self.refuse(handle, Code::Closed, "the client is closed");
            return Ok(handle);
        }
        let identified = self.topology.identify(&mut self.entropy);
        let owner = Owner::new(request.token.as_deref(), &mut self.entropy);
        match (identified, owner) {
            (Ok(()), Ok(owner)) if self.locks.len() < MOST_LOCKS => {
                let lock = Lock::new(spec, owner, Some(handle));
                if request.token.is_some() {
                    self.begin_for_owner(handle, id, lock, now);
                } else {
                    self.begin(id, lock, Start::Attempt, now);
                }
                self.carry_out_effects(now);
                self.update_node_deadlines();
            }
            (Ok(()), Ok(_)) => {
                self.refuse(handle, Code::Overloaded, "too many locks are held or waited for at once");
            }
            _ => {
                let text = "crypto.getRandomValues is unavailable; redlatch needs it to create lock tokens";
                self.refuse(handle, Code::Internal, text);
            }
        }
        Ok(handle)
    }

    /// Releases a held lock. [`Event::Released`] follows, once; nothing if it is not held any more.
    pub fn release(&mut self, handle: HandleId, now: Instant) {
        self.send_no_more_extensions(handle);
        self.run_due(now);
        match self.hold_of(handle) {
            Hold::Only(held) => self.deliver_and_follow(held, Input::Release, now),
            Hold::OneOfSeveral(held) => {
                self.leave(handle, held, now);
                self.events.push_back(Event::Released { lock: handle, outcome: ReleaseOutcome::Released });
            }
            Hold::None => {}
        }
        self.update_node_deadlines();
    }

    /// Extends a lease to at least `ttl` from now; it is never shortened. [`Event::Extended`] or [`Event::OperationFailed`]
    /// follows, once.
    pub fn extend(&mut self, handle: HandleId, ttl: Duration, now: Instant) -> OperationId {
        self.operate(handle, Operation::Extend(ttl.max(Duration::from_millis(1))), now)
    }

    /// Asks the servers whether a lock is ours. [`Event::Verified`] or [`Event::OperationFailed`] follows, once.
    pub fn verify(&mut self, handle: HandleId, now: Instant) -> OperationId {
        self.operate(handle, Operation::Verify, now)
    }

    /// Forgets a handle, whatever the state of its lock: no event names it any more, and what may be left of the lock is
    /// cleaned up.
    pub fn cancel(&mut self, handle: HandleId, now: Instant) {
        self.send_no_more_extensions(handle);
        self.run_due(now);
        match self.hold_of(handle) {
            Hold::OneOfSeveral(held) => self.leave(handle, held, now),
            Hold::Only(held) => self.deliver_and_follow(held, Input::Cancel, now),
            Hold::None => {
                if let Some((lock, _)) = self.lock_of(handle) {
                    self.deliver_and_follow(lock, Input::Cancel, now);
                }
            }
        }
        self.update_node_deadlines();
        // What was due, and came first, is not reported any more either.
        self.forget(handle);
    }

    /// Ends the use of all locks. What waits for a lock, or to re-enter one, fails with [`Code::Closed`], and so does every
    /// later [`acquire`](Self::acquire). Held locks are lost and released: [`Event::Lost`] comes at once, and
    /// [`Event::Released`] follows. Clean-up is over when [`busy`](Self::busy) is zero.
    pub fn close(&mut self, now: Instant) {
        self.run_due(now);
        self.closed = true;
        let handles = self.locks.values().flat_map(|lock| lock.handles.iter().copied());
        let (held, asking): (Vec<_>, Vec<_>) = handles.partition(|handle| handle.phase == Phase::Informed);
        for Handle { id, .. } in asking {
            self.cancel(id, now);
            self.refuse(id, Code::Closed, "the client was closed before the lock was acquired");
        }
        for Handle { id, .. } in held {
            if !matches!(self.hold_of(id), Hold::None) {
                self.events.push_back(Event::Lost { lock: id, loss: Loss::Closed });
                self.release(id, now);
            }
        }
    }

    /// How long a lock may still be believed in: zero if it is not held.
    #[must_use]
    pub fn remaining(&self, handle: HandleId, now: Instant) -> Duration {
        match self.hold_of(handle) {
            Hold::None => Duration::ZERO,
            Hold::Only(held) | Hold::OneOfSeveral(held) => {
                self.locks.get(&held).map_or(Duration::ZERO, |lock| lock.remaining(now))
            }
        }
    }

    fn operate(&mut self, handle: HandleId, operation: Operation, now: Instant) -> OperationId {
        self.run_due(now);
        self.last_op = self.last_op.wrapping_add(1);
        let op = OperationId(self.last_op);
        match self.hold_of(handle) {
            Hold::Only(held) | Hold::OneOfSeveral(held) => {
                self.deliver_and_follow(held, Input::Operate(handle, op, operation), now);
                self.update_node_deadlines();
            }
            Hold::None => {
                let failure = LockError::new(Code::Lost, 0, "the lock is not held");
                self.events.push_back(Event::OperationFailed { op, lock: handle, failure });
            }
        }
        op
    }

    /// The lock that a handle stands for, if the application still uses the handle.
    fn lock_of(&self, handle: HandleId) -> Option<(LockId, &Lock)> {
        let id = self.handles.lock(handle);
        self.locks.get(&id).filter(|lock| lock.has(handle)).map(|lock| (id, &**lock))
    }

    /// The held lock that a handle stands for.
    fn hold_of(&self, handle: HandleId) -> Hold {
        match self.lock_of(handle) {
            Some((id, lock)) if lock.is_held() => match lock.handles.as_slice() {
                [only] if only.phase != Phase::Asking => Hold::Only(id),
                _ => Hold::OneOfSeveral(id),
            },
            _ => Hold::None,
        }
    }

    /// One of several handles gives the lock up.
    fn leave(&mut self, handle: HandleId, held: LockId, now: Instant) {
        self.deliver_and_follow(held, Input::Leave(handle), now);
    }

    /// Takes a handle out of the table, and the events about its fate out of the queue. Answers to operations stay.
    fn forget(&mut self, forgotten: HandleId) {
        if let Some(lock) = self.locks.get_mut(&self.handles.lock(forgotten)) {
            lock.handles.retain(|handle| handle.id != forgotten);
        }
        self.handles.remove(forgotten);
        self.events.retain(|event| match *event {
            Event::Granted { lock, .. }
            | Event::Failed { lock, .. }
            | Event::Lost { lock, .. }
            | Event::Released { lock, .. } => lock != forgotten,
            _ => true,
        });
    }

    /// Keeps what is overdue from extending a lock that its last handle gives up.
    fn send_no_more_extensions(&mut self, handle: HandleId) {
        if let Hold::Only(held) = self.hold_of(handle)
            && let Some(lock) = self.locks.get_mut(&held)
        {
            lock.close();
        }
    }

    pub(super) fn refuse(&mut self, handle: HandleId, code: Code, text: &str) {
        self.handles.remove(handle);
        self.events.push_back(Event::Failed { lock: handle, failure: LockError::new(code, 0, text) });
    }

    /// A number that neither a handle nor a lock has.
    pub(super) fn next_id(&mut self) -> u32 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            let id = self.last_id;
            let is_free = !self.locks.contains_key(&LockId(id)) && !self.handles.has(id);
            if id != 0 && is_free {
                return id;
            }
        }
    }
}

/// What a handle stands for.
enum Hold {
    /// No lock that is held.
    None,
    /// This lock, alone.
    Only(LockId),
    /// This lock, which has other handles, or asks to re-enter it.
    OneOfSeveral(LockId),
}
