//! Decodes the replies of scripts.

use crate::{resp::Reply, time::Duration};

/// The form of a script's reply, after the nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// The fence, or the hint as a negative number, 0 for ever; behind the hint of a fair script `joined, ahead`. The text of
    /// an error that concerns this lock alone.
    Grants,
    /// `1` or `0`.
    Flag,
    /// `1` or `0` for each key.
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

/// What a reply after the nonce says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    Answer(Answer),
    /// The text of an error.
    Error(&'a [u8]),
}

impl Returns {
    /// Decodes a reply without its nonce, for a lock of so many `keys`. `None` if the reply does not have this form.
    pub(crate) fn read<'a>(self, reply: &[Reply<'a>], keys: usize) -> Option<Said<'a>> {
        let answer = match (self, reply) {
            (Self::Grants, [result]) => match integer(result) {
                Some(number) => grant(number, false, 0)?,
                None => return error(result),
            },
            (Self::Grants, [hint, joined, ahead]) => {
                let hint = integer(hint).filter(|&hint| hint <= 0)?;
                grant(hint, flag(joined)?, u32::try_from(integer(ahead)?).ok()?)?
            }
            (Self::Flag, [result]) => Answer::Flag(flag(result)?),
            (Self::Count, _) if reply.len() == keys => {
                let mut count = 0_u64;
                for result in reply {
                    count = count.saturating_add(flag(result)?.into());
                }
                Answer::Count(count)
            }
            _ => return None,
        };
        Some(Said::Answer(answer))
    }
}

/// A positive number is a fence. Another one is a hint: the negative ms to wait, 0 for ever.
fn grant(number: i64, joined: bool, ahead: u32) -> Option<Answer> {
    if let Ok(fence @ 1..) = u64::try_from(number) {
        return Some(Answer::Fence(fence));
    }
    let left = (number < 0).then(|| Duration::from_millis(number.unsigned_abs()));
    Some(Answer::Wait { left, joined, ahead })
}

/// The text of an error, which begins with a word in capital letters, or with the line of the script (Redis before 7).
fn error<'a>(reply: &Reply<'a>) -> Option<Said<'a>> {
    match reply {
        Reply::Bulk(text) | Reply::Simple(text)
            if text.first()?.is_ascii_uppercase() || text.starts_with(b"@user_script") =>
        {
            Some(Said::Error(text))
        }
        _ => None,
    }
}

fn flag(reply: &Reply<'_>) -> Option<bool> {
    match integer(reply)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
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
    fn integers_may_be_decimal_strings() {
        use Reply::{Bulk, Integer, Simple};
        let grant = |reply: &[Reply<'static>]| Returns::Grants.read(reply, 1);
        let count = |reply: &[Reply<'static>]| Returns::Count.read(reply, reply.len().max(1));
        let answer = |answer| Some(Said::Answer(answer));
        assert_eq!(grant(&[Bulk(b"1700000000000000")]), answer(Answer::Fence(1_700_000_000_000_000)));
        let wait = |left, joined, ahead| answer(Answer::Wait { left, joined, ahead });
        assert_eq!(grant(&[Integer(-7)]), wait(Some(Duration::from_millis(7)), false, 0));
        assert_eq!(grant(&[Bulk(b"0"), Simple(b"1"), Bulk(b"3")]), wait(None, true, 3));
        assert_eq!(grant(&[Integer(7), Integer(1), Integer(3)]), None, "a fence is no hint");
        assert_eq!(Returns::Flag.read(&[Bulk(b"0")], 2), answer(Answer::Flag(false)));
        assert_eq!(count(&[Simple(b"1"), Integer(0), Integer(1)]), answer(Answer::Count(2)));
        for odd in
            [&b""[..], b"-", b" 1", b"1 ", b"+1", b"1.0", b"1e3", b"0x1", b"99999999999999999999", b"one"]
        {
            assert_eq!(count(&[Bulk(odd)]), None, "{}", odd.escape_ascii());
            assert_eq!(grant(&[Bulk(odd)]), None, "{}", odd.escape_ascii());
        }
        assert_eq!(grant(&[Bulk(b"WRONGTYPE no")]), Some(Said::Error(b"WRONGTYPE no")));
        let redis_6 = b"@user_script: 21: The user executing the script can't run this command";
        assert_eq!(grant(&[Bulk(redis_6)]), Some(Said::Error(redis_6)));
        assert_eq!(grant(&[Integer(1), Integer(1)]), None);
        assert_eq!(count(&[]), None);
        assert_eq!(count(&[Integer(2)]), None);
    }
}
