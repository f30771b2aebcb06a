//! Operations on a held lock. One round at a time serves all operations that were queued during the round before.

use crate::{
    error::{Code, LockError},
    event::Event,
    id::{HandleId, OperationId},
    lock::{
        context::Context,
        input::{Operation, Reentry},
    },
    time::{Duration, Instant},
};

/// A reason to start a round for a held lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Task {
    /// A renewal. The application does not wait for its result.
    Renew,
    /// The lock is confirmed on a new connection. It is lost if the answer is no, and nothing follows otherwise.
    Confirm,
    /// The application requested an operation.
    Operate(HandleId, OperationId, Operation),
    /// The application re-enters the lock.
    Reenter(Reentry),
}

/// The tasks of the round in flight, and of the next round.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Operations {
    serving: Vec<Task>,
    queued: Vec<Task>,
}

impl Operations {
    pub(super) fn is_empty(&self) -> bool {
        self.serving.is_empty() && self.queued.is_empty()
    }

    /// Whether a task was asked for by the application, or renews the lock.
    pub(super) fn is_owed(&self) -> bool {
        self.serving.iter().chain(&self.queued).any(|task| *task != Task::Confirm)
    }

    pub(super) fn queue(&mut self, task: Task) {
        self.queued.push(task);
    }

    /// Moves the queued tasks into the round that is about to start. Returns the lease to request, or `None` if no task
    /// is queued. A renewal requests `ttl`.
    pub(super) fn serve_queued(&mut self, ttl: Duration) -> Option<Duration> {
        self.serving = core::mem::take(&mut self.queued);
        let leases = self.serving.iter().map(|task| match *task {
            Task::Renew => ttl,
            Task::Operate(_, _, Operation::Extend(ttl)) => ttl,
            Task::Operate(_, _, Operation::Verify) | Task::Reenter(_) | Task::Confirm => Duration::ZERO,
        });
        leases.max()
    }

    /// The listening time at which the first wait of a re-entry is over.
    pub(super) fn next_wait(&self) -> Option<Instant> {
        self.reentries().filter_map(|reentry| reentry.until).min()
    }

    /// Fails the re-entries whose wait is over.
    pub(super) fn expire_reentries(&mut self, cx: &mut Context<'_>) {
        let by = cx.believed;
        let is_over = |task: &mut Task| matches!(task, Task::Reenter(Reentry { until: Some(until), .. }) if *until <= by);
        for tasks in [&mut self.serving, &mut self.queued] {
            for task in tasks.extract_if(.., is_over) {
                let text = "re-entry timed out: no server confirmed the lock within `wait`";
                fail(task, &LockError::new(Code::Timeout, 1, text), cx);
            }
        }
    }

    /// Removes the re-entry of a handle that the application gave up.
    pub(super) fn withdraw_reentry(&mut self, handle: HandleId) {
        for tasks in [&mut self.serving, &mut self.queued] {
            tasks.retain(|task| !matches!(task, Task::Reenter(reentry) if reentry.handle == handle));
        }
    }

    /// The round was won: the nodes confirmed that the token holds the lock.
    pub(super) fn succeed(&mut self, fence: u64, rtt: Duration, cx: &mut Context<'_>) {
        for task in core::mem::take(&mut self.serving) {
            match task {
                Task::Renew => {
                    cx.count(|counters| &mut counters.renewed);
                    cx.observe(|lock| Event::Renewed { lock, rtt });
                }
                Task::Confirm => {}
                Task::Operate(lock, op, Operation::Extend(_)) => cx.emit(Event::Extended { op, lock }),
                Task::Operate(lock, op, Operation::Verify) => {
                    cx.emit(Event::Verified { op, lock, ours: true });
                }
                Task::Reenter(Reentry { handle, .. }) => cx.grant(handle, fence, 1),
            }
        }
    }

    /// The nodes answered "not yours", which is a valid result for a verification.
    pub(super) fn deny(&mut self, cx: &mut Context<'_>) {
        for task in self.serving.extract_if(.., |task| matches!(task, Task::Operate(_, _, Operation::Verify)))
        {
            if let Task::Operate(lock, op, _) = task {
                cx.emit(Event::Verified { op, lock, ours: false });
            }
        }
    }

    /// Whether the round in flight serves a renewal.
    pub(super) fn is_renewing(&self) -> bool {
        self.serving.contains(&Task::Renew)
    }

    /// The round in flight failed.
    pub(super) fn fail(&mut self, error: &LockError, cx: &mut Context<'_>) {
        for task in core::mem::take(&mut self.serving) {
            fail(task, error, cx);
        }
    }

    /// The lock ended: all tasks fail.
    pub(super) fn fail_all(&mut self, error: &LockError, cx: &mut Context<'_>) {
        self.fail(error, cx);
        for task in core::mem::take(&mut self.queued) {
            fail(task, error, cx);
        }
    }

    fn reentries(&self) -> impl Iterator<Item = &Reentry> {
        self.serving.iter().chain(&self.queued).filter_map(|task| match task {
            Task::Reenter(reentry) => Some(reentry),
            _ => None,
        })
    }
}

fn fail(task: Task, error: &LockError, cx: &mut Context<'_>) {
    match task {
        Task::Renew | Task::Confirm => {}
        Task::Operate(lock, op, _) => {
            cx.emit(Event::OperationFailed { op, lock, failure: error.clone() });
        }
        Task::Reenter(Reentry { handle, .. }) => cx.fail(handle, error.clone()),
    }
}
