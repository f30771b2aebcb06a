//! The plain lock: whichever waiter asks first when it is free gets it.

use super::wait::{Denial, pause};
use crate::{
    id::NodeId,
    lock::context::Context,
    planted::{Planted, planted},
    time::Instant,
};

/// A waiter registers where it is woken: elsewhere it polls, and nobody would read the message.
pub(super) fn registers(node: NodeId, cx: &mut Context<'_>) -> bool {
    !cx.spec.is_single_attempt() && cx.waker() == Some(node)
}

/// Every waiter asks by itself. With wake-ups that is only the safety net.
pub(super) fn next_attempt(denial: Option<Denial>, cx: &mut Context<'_>) -> Option<Instant> {
    if planted(Planted::NoSafetyNet) && denial.is_some() && cx.waker().is_some() {
        return None;
    }
    Some(cx.now.after(pause(denial, cx)))
}
