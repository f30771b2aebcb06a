//! Decodes the replies of scripts.

use crate::{resp::Reply, time::Duration};

/// The form of a script's reply, behind the nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// `1, fence` or `0, pttl` or `0, pttl, joined, ahead`.
    FenceOrWait,
    /// `1` or `0`.
    Flag,
    /// A number of keys.
    Count,
}

/// A script's reply behind the nonce, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Granted, with this fence.
    Fence(u64),
    /// Denied: another owner holds the lock, or it is another waiter's turn.
    Wait {
        /// How long the server expects the waiter to wait; `None` for ever.
        left: Option<Duration>,
        /// Whether the waiter joined the queue with this attempt: it had no position before, or had lost it.
        joined: bool,
        /// The lock number of another waiter of this client that is the head of a queue; 0 if there is none.
        ahead: u32,
    },
    /// Yes or no.
    Flag(bool),
    /// How many keys were deleted.
    Count(u64),
}

impl Returns {
    /// Decodes a reply without its nonce. `None` if the reply does not have this form.
    #[must_use]
    pub fn read(self, reply: &[Reply<'_>]) -> Option<Answer> {
        match (self, reply) {
            (Self::FenceOrWait, [Reply::Integer(1), Reply::Bulk(fence)]) => {
                Some(Answer::Fence(decimal(fence)?))
            }
            (Self::FenceOrWait, [Reply::Integer(0), Reply::Integer(wait)]) => wait_of(*wait, false, 0),
            (
                Self::FenceOrWait,
                [Reply::Integer(0), Reply::Integer(wait), Reply::Integer(joined), Reply::Integer(ahead)],
            ) => wait_of(*wait, *joined == 1, u32::try_from(*ahead).ok()?),
            (Self::Flag, [Reply::Integer(flag @ (0 | 1))]) => Some(Answer::Flag(*flag == 1)),
            (Self::Count, [Reply::Integer(count)]) => Some(Answer::Count(u64::try_from(*count).ok()?)),
            _ => None,
        }
    }
}

/// A denial. `millis` is the server's hint: -1 means for ever.
fn wait_of(millis: i64, joined: bool, ahead: u32) -> Option<Answer> {
    let left = if millis == -1 { None } else { Some(Duration::from_millis(u64::try_from(millis).ok()?)) };
    Some(Answer::Wait { left, joined, ahead })
}

/// A fence: a decimal number above 0.
fn decimal(text: &[u8]) -> Option<u64> {
    let text =
        core::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok().filter(|&number| number > 0)
}
