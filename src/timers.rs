//! The timers of one lock, and the deadline queue of all owners of timers.

use crate::{
    id::{LockId, NodeId},
    index::Index,
    time::{Duration, Instant},
};

/// Everything that a lock does because of time alone. `Wait`, `Answer` and `Round` are patient: they mean that something
/// did not come in time, so they use listening time (rule 16). The others use the caller's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
pub(crate) enum Timer {
    /// Validity is about to end: the lock is lost. First of those that are not patient, so that a loss comes before anything else that
    /// is due (rule 6).
    Lease,
    /// The longest hold that the application allowed is over: the lock is lost.
    MaxHold,
    /// The longest wait is over: the acquire fails. On a held lock: pending re-entries whose wait is over fail.
    Wait,
    /// The application has waited long enough for a release: its outcome is unknown. Clean-up goes on in the
    /// background.
    Answer,
    /// Clean-up ends: every lease that was requested has expired.
    GiveUp,
    /// A node has not answered in time.
    Round,
    /// The next attempt is due, to acquire or to release.
    Retry,
    /// The next renewal is due.
    Renew,
}

/// The timers that mean that something did not come in time, so that they use listening time, in the order in which they
/// fire if several are due.
const PATIENT: [Timer; 3] = [Timer::Wait, Timer::Answer, Timer::Round];

/// The other timers, in that order.
const PLAIN: [Timer; 5] = [Timer::Lease, Timer::MaxHold, Timer::GiveUp, Timer::Retry, Timer::Renew];

/// Every timer is in one of the two lists, so the table has a slot for it.
const _: () = assert!(index(Timer::Renew) + 1 == PATIENT.len() + PLAIN.len());

/// When a timer is due that is not armed.
const NEVER: Instant = Instant::LAST;

/// The timers of one lock: when each is due.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TimerTable([Instant; PATIENT.len() + PLAIN.len()]);

impl Default for TimerTable {
    fn default() -> Self {
        Self([NEVER; PATIENT.len() + PLAIN.len()])
    }
}

impl TimerTable {
    /// Arms `timer`, or moves it.
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        *self.slot(timer) = at;
    }

    /// Disarms `timer`.
    pub(crate) fn stop(&mut self, timer: Timer) {
        *self.slot(timer) = NEVER;
    }

    /// When `timer` is due, if it is armed.
    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        self.0.get(index(timer)).copied().filter(|&at| at != NEVER)
    }

    /// Whether `timer` is armed.
    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.get(timer).is_some()
    }

    /// Disarms every timer.
    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    /// When the next timer is due, of those that are not patient.
    #[must_use]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.earliest(PLAIN)
    }

    /// When the next patient timer is due, in listening time.
    #[must_use]
    pub(crate) fn next_patient(&self) -> Option<Instant> {
        self.earliest(PATIENT)
    }

    /// Disarms and returns the first timer that is due at `now`, of those that are not patient.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        self.take(now, PLAIN)
    }

    /// Disarms and returns the first patient timer that is due at this listening time.
    pub(crate) fn take_due_patient(&mut self, listening: Instant) -> Option<Timer> {
        self.take(listening, PATIENT)
    }

    fn earliest<const N: usize>(&self, of: [Timer; N]) -> Option<Instant> {
        of.into_iter().filter_map(|timer| self.get(timer)).min()
    }

    fn take<const N: usize>(&mut self, by: Instant, of: [Timer; N]) -> Option<Timer> {
        let due = of.into_iter().find(|&timer| self.get(timer).is_some_and(|at| at <= by))?;
        self.stop(due);
        Some(due)
    }

    #[allow(clippy::indexing_slicing, reason = "the table has a slot for every variant")]
    fn slot(&mut self, timer: Timer) -> &mut Instant {
        &mut self.0[index(timer)]
    }
}

#[allow(clippy::as_conversions, reason = "a field-less enum has no other conversion")]
const fn index(timer: Timer) -> usize {
    timer as usize
}

/// The owner of timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TimerOwner {
    Lock(LockId),
    Node(NodeId),
    /// The question where locks are.
    News,
}

impl TimerOwner {
    /// The owner as a number. Locks come before nodes, so their timers fire first if several are due.
    fn number(self) -> u64 {
        match self {
            Self::Lock(LockId(lock)) => lock.into(),
            Self::Node(NodeId(node)) => u64::from(node) | NODE,
            Self::News => NEWS,
        }
    }

    fn of_number(number: u64) -> Option<Self> {
        if number == NEWS {
            return Some(Self::News);
        }
        let id = u32::try_from(number & !NODE).ok()?;
        Some(if number & NODE == 0 { Self::Lock(LockId(id)) } else { Self::Node(NodeId(id)) })
    }
}

/// The bit that marks a node's number.
const NODE: u64 = 1 << 32;

/// The number of the map, behind all nodes.
const NEWS: u64 = 1 << 33;

/// The owners of timers, by their next deadline.
///
/// An owner may be queued earlier than its next timer is due, which costs one needless check, but never later. So the
/// queue need not change when a lock's next timer moves further away, which is the common case.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct DeadlineQueue {
    due: Index,
}

impl DeadlineQueue {
    /// Queues `owner` for its next timer. The owner keeps `queued_at`, the time for which it is queued.
    pub(crate) fn update(
        &mut self,
        owner: TimerOwner,
        queued_at: &mut Option<Instant>,
        next: Option<Instant>,
    ) {
        let Some(next) = next else { return };
        if queued_at.is_some_and(|at| at <= next) {
            return;
        }
        self.remove(owner, queued_at);
        self.due.insert(next.as_micros(), owner.number());
        *queued_at = Some(next);
    }

    /// Removes `owner` from the queue.
    pub(crate) fn remove(&mut self, owner: TimerOwner, queued_at: &mut Option<Instant>) {
        if let Some(at) = queued_at.take() {
            self.due.remove(at.as_micros(), owner.number());
        }
    }

    /// When the first owner is due.
    #[must_use]
    pub(crate) fn next(&self) -> Option<Instant> {
        // Not `Instant::from_micros`, whose cap a deadline may exceed.
        self.due.first().map(|(at, _)| Instant::default().after(Duration::from_micros(at)))
    }

    /// Removes and returns an owner that is due. The caller must clear the owner's `queued_at`.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<TimerOwner> {
        let (at, number) = self.due.first()?;
        if at > now.as_micros() {
            return None;
        }
        self.due.remove(at, number);
        TimerOwner::of_number(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: TimerOwner = TimerOwner::Lock(LockId(1));

    const fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn table_has_a_slot_for_every_timer() {
        for timer in PLAIN.into_iter().chain(PATIENT) {
            let mut table = TimerTable::default();
            table.set(timer, at(5));
            assert_eq!(
                [table.next(), table.next_patient()].into_iter().flatten().collect::<Vec<_>>(),
                [at(5)]
            );
            assert_eq!((table.take_due(at(4)), table.take_due_patient(at(4))), (None, None));
            assert_eq!(table.take_due(at(5)).or(table.take_due_patient(at(5))), Some(timer));
            assert_eq!((table.next(), table.next_patient()), (None, None));
        }
    }

    #[test]
    fn a_loss_comes_before_anything_else_that_is_due() {
        let mut table = TimerTable::default();
        table.set(Timer::Renew, at(1));
        table.set(Timer::Lease, at(9));
        assert_eq!(table.take_due(at(9)), Some(Timer::Lease));
    }

    #[test]
    fn owners_keep_their_identity_as_numbers() {
        for owner in
            [TimerOwner::Lock(LockId(u32::MAX)), TimerOwner::Node(NodeId(u32::MAX)), TimerOwner::News]
        {
            let mut queue = DeadlineQueue::default();
            queue.update(owner, &mut None, Some(at(1)));
            assert_eq!(queue.take_due(at(1)), Some(owner));
        }
    }

    #[test]
    fn the_deadline_queue_is_early_but_never_late() {
        let mut queue = DeadlineQueue::default();
        let mut queued_at = None;
        queue.update(LOCK, &mut queued_at, Some(at(10)));
        queue.update(LOCK, &mut queued_at, Some(at(20)));
        assert_eq!(queue.next(), Some(at(10)), "later is not worth a change");
        queue.update(LOCK, &mut queued_at, Some(at(5)));
        assert_eq!(queue.next(), Some(at(5)), "earlier is");
        assert_eq!(queue.take_due(at(5)), Some(LOCK));
        assert_eq!(queue.next(), None);
    }
}
