//! Decodes the replies of scripts.

use crate::{resp::Reply, time::Duration};

/// The form of a script's reply, after the nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// `1, fence` or `0, pttl` or `0, pttl, joined, ahead`.
    FenceOrWait,
    /// `1` or `0`.
    Flag,
    /// A number of keys.
    Count,
}

/// A script's reply after the nonce, decoded.
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
        // No reply has more than four numbers.
        let mut numbers = [0; 4];
        for (number, element) in numbers.iter_mut().zip(reply) {
            *number = integer(element)?;
        }
        match (self, numbers.get(..reply.len())?) {
            // A client that turns strings into numbers would do so with some nonces too: it is refused at the first grant.
            (Self::FenceOrWait, &[1, fence]) if !matches!(reply, [_, Reply::Integer(_)]) => {
                Some(Answer::Fence(u64::try_from(fence).ok().filter(|&fence| fence > 0)?))
            }
            (Self::FenceOrWait, &[0, wait]) => wait_of(wait, false, 0),
            (Self::FenceOrWait, &[0, wait, joined, ahead]) => {
                wait_of(wait, joined == 1, u32::try_from(ahead).ok()?)
            }
            (Self::Flag, &[flag @ (0 | 1)]) => Some(Answer::Flag(flag == 1)),
            (Self::Count, &[count]) => Some(Answer::Count(u64::try_from(count).ok()?)),
            _ => None,
        }
    }
}

/// A denial. `millis` is the server's hint: -1 means for ever.
fn wait_of(millis: i64, joined: bool, ahead: u32) -> Option<Answer> {
    let left = if millis == -1 { None } else { Some(Duration::from_millis(u64::try_from(millis).ok()?)) };
    Some(Answer::Wait { left, joined, ahead })
}

/// An integer, also as a decimal string: some clients convert one into the other.
fn integer(reply: &Reply<'_>) -> Option<i64> {
    let text = match reply {
        Reply::Integer(number) => return Some(*number),
        Reply::Bulk(text) | Reply::Simple(text) => *text,
        _ => return None,
    };
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let text = core::str::from_utf8(text).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_may_be_decimal_strings_but_fences_are_strings() {
        use Reply::{Bulk, Integer, Simple};
        let read = |reply: &[Reply<'_>]| Returns::FenceOrWait.read(reply);
        assert_eq!(
            read(&[Bulk(b"1"), Bulk(b"1700000000000000")]),
            Some(Answer::Fence(1_700_000_000_000_000))
        );
        assert_eq!(read(&[Integer(1), Integer(7)]), None);
        let wait = Answer::Wait { left: None, joined: true, ahead: 3 };
        assert_eq!(read(&[Bulk(b"0"), Simple(b"-1"), Bulk(b"1"), Bulk(b"3")]), Some(wait));
        assert_eq!(Returns::Flag.read(&[Bulk(b"0")]), Some(Answer::Flag(false)));
        assert_eq!(Returns::Count.read(&[Simple(b"2")]), Some(Answer::Count(2)));
        for odd in
            [&b""[..], b"-", b" 1", b"1 ", b"+1", b"1.0", b"1e3", b"0x1", b"99999999999999999999", b"one"]
        {
            assert_eq!(Returns::Count.read(&[Bulk(odd)]), None, "{}", odd.escape_ascii());
        }
        assert_eq!(read(&[Integer(1), Bulk(b"0")]), None);
        assert_eq!(Returns::Count.read(&[]), None);
        assert_eq!(Returns::Count.read(&[Integer(1), Integer(1), Integer(1), Integer(1), Integer(1)]), None);
    }
}
