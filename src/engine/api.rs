//! The application's verbs.

use super::Engine;
use crate::{
    entropy::Entropy,
    error::{Code, InvalidRequest, LockError},
    event::{Event, Loss, ReleaseOutcome},
    handles::{Handle, Phase},
    id::{HandleId, LockId, OperationId},
    lock::{Input, Lock, Operation, Owner, Request, Spec, Start},
    script::into_sorted_set,
    time::{Duration, Instant},
};

/// The most lock machines at once: held, waiting or cleaning up.
const MOST_LOCKS: usize = 100_000;

impl<E: Entropy + 'static> Engine<E> {
    /// Call this to acquire, adopt or re-enter a lock. [`Event::Granted`] or [`Event::Failed`] follows, once.
    ///
    /// Call [`cancel`](Self::cancel) with the handle to give up before that.
    ///
    /// # Errors
    /// [`InvalidRequest`] if the request is invalid, with nothing sent.
    pub fn acquire(&mut self, request: Request, now: Instant) -> Result<HandleId, InvalidRequest> {
        self.run_due(now);
        let spec = Spec::new(&request, &self.topology, &self.policy)?;
        let id = self.next_id();
        let (handle, id) = (HandleId(id), LockId(id));
        if self.closed {
            self.refuse(handle, Code::Closed, "the client is closed");
            return Ok(handle);
        }
        let identified = self.topology.identify(&mut self.entropy);
        let owner = match request.token.as_deref() {
            Some(token) => Ok(Owner::with(token)),
            None => Owner::draw(&self.policy.label, &mut self.entropy),
        };
        match (identified, owner) {
            (Ok(()), Ok(owner)) if self.locks.len() < MOST_LOCKS => {
                let lock = Lock::new(spec, owner, Some(handle));
                if request.token.is_some() {
                    self.begin_for_owner(handle, id, lock, now);
                } else {
                    self.begin(id, lock, Start::Attempt, now);
                }
                self.carry_out_effects(now);
                self.settle_nodes(now);
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

    /// Call this to release a held lock. [`Event::Released`] follows, once, at the latest after two node timeouts (or three
    /// round trips, if they take longer) and a second, in listening time. In its place [`Event::Lost`] follows if the lock is
    /// gone.
    ///
    /// May be called spuriously: if the lock is not held any more, nothing happens and no event follows.
    pub fn release(&mut self, handle: HandleId, now: Instant) {
        self.send_no_more_extensions(handle);
        self.run_due(now);
        match self.hold_of(handle) {
            Hold::Only(held) => self.deliver_and_follow(held, Input::Release, now),
            Hold::OneOfSeveral(held) => {
                self.deliver_and_follow(held, Input::Leave(handle), now);
                self.events.push_back(Event::Released { lock: handle, outcome: ReleaseOutcome::Released });
            }
            Hold::None => {}
        }
        self.settle_nodes(now);
    }

    /// Call this to extend a lease to at least `ttl` from now. A lease is never shortened, and zero counts as 1 ms.
    /// [`Event::Extended`] or [`Event::OperationFailed`] follows, once.
    pub fn extend(&mut self, handle: HandleId, ttl: Duration, now: Instant) -> OperationId {
        self.operate(handle, Operation::Extend(ttl.max(Duration::from_millis(1))), now)
    }

    /// Call this to check on the servers whether the token still holds a lock. [`Event::Verified`] or
    /// [`Event::OperationFailed`] follows, once.
    pub fn verify(&mut self, handle: HandleId, now: Instant) -> OperationId {
        self.operate(handle, Operation::Verify, now)
    }

    /// Call this to give up a handle, whatever the state of its lock. No event about the lock's fate names the handle
    /// any more, and the residue of the lock is released in the background. May be called spuriously.
    pub fn cancel(&mut self, handle: HandleId, now: Instant) {
        self.send_no_more_extensions(handle);
        self.run_due(now);
        match self.hold_of(handle) {
            Hold::OneOfSeveral(held) => self.deliver_and_follow(held, Input::Leave(handle), now),
            Hold::Only(held) => self.deliver_and_follow(held, Input::Cancel, now),
            Hold::None => {
                if let Some((lock, _)) = self.lock_of(handle) {
                    self.deliver_and_follow(lock, Input::Cancel, now);
                }
            }
        }
        self.settle_nodes(now);
        // The overdue timers ran first; this also withdraws their events.
        self.forget(handle);
    }

    /// Call this once the application is done with all locks. Pending acquires and re-entries fail with
    /// [`Code::Closed`], and so does every later [`acquire`](Self::acquire). Held locks are lost and released:
    /// [`Event::Lost`] comes at once, [`Event::Released`] follows. Clean-up is complete when [`busy`](Self::busy)
    /// returns zero. It tries each unreachable server once more, and then gives that server up.
    ///
    /// The handles in `occupied` are those under which the application still works. They get [`Event::Closing`], and
    /// stay held and renewed until the application releases them (rule 18).
    pub fn close(&mut self, occupied: &[HandleId], now: Instant) {
        self.run_due(now);
        self.closed = true;
        let occupied = into_sorted_set(occupied.iter().copied());
        let mut handles = Vec::new();
        let mut releasing = Vec::new();
        for &(id, ref lock) in self.locks.iter() {
            // A lock that is being released keeps its handle until the outcome is reported.
            if lock.is_held() || lock.is_waiting() {
                handles.extend_from_slice(&lock.handles);
            } else {
                releasing.push(id);
            }
        }
        let is_held = |handle: &&Handle| handle.phase == Phase::Informed;
        // All are cancelled before the first report: each cancel looks through the events.
        for handle in handles.iter().filter(|handle| !is_held(handle)) {
            self.cancel(handle.id, now);
        }
        for handle in handles.iter().filter(|handle| !is_held(handle)) {
            self.refuse(handle.id, Code::Closed, "the client was closed before the lock was acquired");
        }
        for handle in handles.iter().filter(is_held) {
            if occupied.binary_search(&handle.id).is_ok() {
                self.events.push_back(Event::Closing { lock: handle.id });
            } else {
                self.events.push_back(Event::Lost { lock: handle.id, loss: Loss::Closed, reason: None });
                if let Some(lock) = self.locks.get_mut(self.handles.lock(handle.id)) {
                    lock.tell(handle.id, Phase::Lost);
                }
                self.release(handle.id, now);
            }
        }
        for id in releasing {
            self.deliver_and_follow(id, Input::Close, now);
        }
        self.settle_nodes(now);
    }

    /// How long a lock is still valid; zero if it is not held. May be called at any time; runs no timers.
    #[must_use]
    pub fn remaining(&self, handle: HandleId, now: Instant) -> Duration {
        match self.hold_of(handle) {
            Hold::None => Duration::ZERO,
            Hold::Only(held) | Hold::OneOfSeveral(held) => {
                self.locks.get(held).map_or(Duration::ZERO, |lock| lock.remaining(now))
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
                self.settle_nodes(now);
            }
            Hold::None => {
                let failure = LockError::new(Code::Lost, 0, "the lock is not held");
                self.events.push_back(Event::OperationFailed { op, lock: handle, failure });
            }
        }
        op
    }

    /// The lock of a handle, if the application still uses the handle.
    fn lock_of(&self, handle: HandleId) -> Option<(LockId, &Lock)> {
        let id = self.handles.lock(handle);
        self.locks.get(id).filter(|lock| lock.has(handle)).map(|lock| (id, &**lock))
    }

    /// The held lock of a handle.
    fn hold_of(&self, handle: HandleId) -> Hold {
        match self.lock_of(handle) {
            Some((id, lock)) if lock.is_held() => match lock.handles.as_slice() {
                [only] if only.phase != Phase::Asking => Hold::Only(id),
                _ => Hold::OneOfSeveral(id),
            },
            _ => Hold::None,
        }
    }

    /// Removes a handle, and the queued events about its fate. The results of operations stay in the queue.
    fn forget(&mut self, forgotten: HandleId) {
        if let Some(lock) = self.locks.get_mut(self.handles.lock(forgotten)) {
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

    /// Keeps overdue timers from extending a lock that its last handle gives up (rule 5).
    fn send_no_more_extensions(&mut self, handle: HandleId) {
        if let Hold::Only(held) = self.hold_of(handle)
            && let Some(lock) = self.locks.get_mut(held)
        {
            lock.close();
        }
    }

    pub(super) fn refuse(&mut self, handle: HandleId, code: Code, text: &str) {
        self.handles.remove(handle);
        self.events.push_back(Event::Failed { lock: handle, failure: LockError::new(code, 0, text) });
    }

    /// A number that no handle and no lock has.
    pub(super) fn next_id(&mut self) -> u32 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            let id = self.last_id;
            let is_free = !self.locks.has(LockId(id)) && !self.handles.has(id);
            if id != 0 && is_free {
                return id;
            }
        }
    }
}

/// The held lock of a handle.
enum Hold {
    /// The handle has no held lock.
    None,
    /// The handle is the only one of this lock.
    Only(LockId),
    /// The lock has other handles, or the handle's re-entry is pending.
    OneOfSeveral(LockId),
}
