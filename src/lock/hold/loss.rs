//! How a held lock ends: it is lost, for a reason that is reported to the application (rule 19), or released.

use std::rc::Rc;

use super::Hold;
use crate::{
    error::{Code, LockError},
    event::{Event, Loss},
    handles::Phase,
    lock::{
        context::Context,
        failure::too_late,
        step::{Report, Residue, Scope, Step},
    },
    quorum::Round,
    script::{Verb, Waiter},
    time::Duration,
};

impl Hold {
    /// An extension failed: if the lock is lost before another succeeds, this is why.
    pub(super) fn note_fault(&mut self, error: LockError, is_renewal: bool, cx: &mut Context<'_>) {
        let failure = Rc::new(error);
        if is_renewal {
            cx.observe(|lock| Event::RenewFailed { lock, failure: Rc::clone(&failure) });
        }
        self.fault = Some(failure);
    }

    /// Why the lease was not extended in time, if that was tried.
    fn why_expired(&mut self, cx: &Context<'_>) -> Option<Rc<LockError>> {
        let round = self.round.as_ref().filter(|round| round.verb != Verb::Extend(Duration::ZERO));
        if let Some((node, error)) = round.and_then(Round::error) {
            return Some(Rc::new(LockError::from_node(error, node, 0)));
        }
        let silence = || {
            let node = cx.spec.placement.only();
            let text = "the extension got no answer before the lease ended";
            Rc::new(LockError { node, ..LockError::new(Code::Connection, 0, text) })
        };
        self.fault.take().or_else(|| round.map(|_| silence()))
    }

    pub(super) fn lose(mut self: Box<Self>, loss: Loss, cx: &mut Context<'_>) -> Step<Box<Self>> {
        cx.count(|counters| &mut counters.lost);
        // A lock that was taken from us, or that we gave up, was not lost because an extension failed.
        let reason = if loss == Loss::Expired { self.why_expired(cx) } else { None };
        for handle in cx.handles.clone() {
            match handle.phase {
                Phase::Informed => {
                    cx.forget(handle.id);
                    cx.emit(Event::Lost { lock: handle.id, loss, reason: reason.clone() });
                }
                Phase::Granted => cx.fail(handle.id, too_late(self.attempts)),
                // A pending re-entry fails with the operations. One that was lost is being released.
                Phase::Asking | Phase::Lost => {}
            }
        }
        if loss == Loss::NotOurs {
            self.operations.deny(cx);
        }
        self.end_with(Report::ToNobody, &|| LockError::new(Code::Lost, 0, loss.describe()), cx)
    }

    /// Ends the lock: its operations fail with `error`, and its residue is released.
    #[allow(clippy::boxed_local, reason = "states are boxed, whatever their size on a target")]
    pub(super) fn end_with(
        mut self: Box<Self>,
        report: Report,
        error: &dyn Fn() -> LockError,
        cx: &mut Context<'_>,
    ) -> Step<Box<Self>> {
        if !self.operations.is_empty() {
            self.operations.fail_all(&error(), cx);
        }
        cx.withdraw_grants();
        Step::Release(Residue { scope: Scope::All, waiter: Waiter::Absent, longest: self.longest, report })
    }
}
