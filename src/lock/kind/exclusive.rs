//! The plain lock: the first waiter that attempts to take it when it is free gets it.

use super::wait::{Denial, pause};
use crate::{id::NodeId, lock::context::Context, time::Instant};

/// A waiter registers only on the node that sends it wake-ups. On other nodes it would not receive the message.
pub(super) fn registers(node: NodeId, cx: &mut Context<'_>) -> bool {
    !cx.spec.is_single_attempt() && cx.waker() == Some(node)
}

/// Every waiter polls. Behind wake-ups, polling is only the safety net (rule 11).
pub(super) fn next_attempt(denial: Option<Denial>, cx: &mut Context<'_>) -> Option<Instant> {
    Some(cx.now.after(pause(denial, cx)))
}
