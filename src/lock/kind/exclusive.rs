//! The plain lock: whichever waiter asks first when it is free gets it.

use super::wait::{Denial, pause};
use crate::{id::NodeId, lock::context::Context, time::Instant};

/// A waiter registers where it is woken: elsewhere it polls, and nobody would read the message.
pub(super) fn registers(node: NodeId, cx: &mut Context<'_>) -> bool {
    !cx.spec.is_single_attempt() && cx.waker() == Some(node)
}

/// Every waiter asks by itself. With wake-ups that is only the safety net.
pub(super) fn next_attempt(denial: Option<Denial>, cx: &mut Context<'_>) -> Option<Instant> {
    Some(cx.now.after(pause(denial, cx)))
}
