//! How long a waiter pauses between attempts.

use crate::{entropy::jitter, id::NodeId, lock::context::Context, time::Duration};

/// The longest pause of a waiter that gets wake-ups, as a multiple of `retry.max`.
const WOKEN_PAUSES: u64 = 4;

/// What the server answered to a denied attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Denial {
    /// The first node that denied.
    pub(crate) by: NodeId,
    /// How long the server expects the waiter to wait; `None` for ever.
    pub(crate) left: Option<Duration>,
}

/// The pause until the next attempt, with full jitter: `retry.min` to `retry.max`, or longer if the waiter gets
/// wake-ups. If the holder's lease ends sooner, the pause ends shortly after it, at a different time for each waiter.
pub(super) fn pause(denial: Option<Denial>, cx: &mut Context<'_>) -> Duration {
    let longest = cx.policy.retry_max;
    let mut wakers = cx.spec.placement.nodes().filter(|&node| denial.is_none_or(|denial| denial.by == node));
    let (min, max) = if wakers.all(|node| cx.hears(node)) {
        (longest, longest.times(WOKEN_PAUSES))
    } else {
        (cx.policy.retry_min, longest)
    };
    let pause = jitter(min, max, cx.shared.entropy);
    match denial.and_then(|denial| denial.left) {
        Some(left) if left < pause => {
            left.plus(jitter(Duration::from_millis(1), cx.policy.retry_min, cx.shared.entropy)).min(pause)
        }
        _ => pause,
    }
}
