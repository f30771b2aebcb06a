//! Commands on sorted sets, as far as the scripts use them: with integer scores that a double represents exactly.

use super::context::{Context, Outcome, integer};
use crate::memory::{
    reply::{ErrorReply, Reply},
    sorted_set::SortedSet,
};

/// 2^53: a double does not represent every larger integer.
const LARGEST: u64 = 1 << 53;

pub(super) fn zadd(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let (key, pairs) = arguments.split_first().ok_or_else(ErrorReply::syntax)?;
    let mut scored = Vec::new();
    for pair in pairs.chunks(2) {
        let [score, member] = pair else { return Err(ErrorReply::syntax()) };
        let score = integer(score).ok().filter(|score| score.unsigned_abs() <= LARGEST);
        scored.push((score.ok_or_else(|| ErrorReply::beyond("options of ZADD, and broken scores"))?, member));
    }
    let now = cx.millis();
    let added = cx.keyspace().with_sorted_set(key, now, |set| {
        scored.iter().filter(|(score, member)| set.add(member, *score)).count()
    })?;
    Ok(Reply::count(added))
}

pub(super) fn zrem(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let (key, members) = arguments.split_first().ok_or_else(ErrorReply::syntax)?;
    let now = cx.millis();
    let removed = cx
        .keyspace()
        .with_sorted_set(key, now, |set| members.iter().filter(|member| set.remove(member)).count())?;
    Ok(Reply::count(removed))
}

pub(super) fn zpopmin(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let [key] = arguments else { return Err(ErrorReply::beyond("the count of ZPOPMIN")) };
    let now = cx.millis();
    let first = cx.keyspace().with_sorted_set(key, now, SortedSet::pop_first)?;
    Ok(Reply::Array(match first {
        Some((score, member)) => vec![Reply::Bulk(member), Reply::Score(score)],
        None => Vec::new(),
    }))
}

/// Reads a sorted set. A missing key is an empty set.
fn look<T>(
    cx: &mut Context<'_>,
    key: Option<&Vec<u8>>,
    at: impl FnOnce(&SortedSet) -> T,
) -> Result<T, ErrorReply> {
    let now = cx.millis();
    let key = key.ok_or_else(ErrorReply::syntax)?;
    let none = SortedSet::default();
    Ok(at(cx.keyspace().sorted_set(key, now)?.unwrap_or(&none)))
}

pub(super) fn zcard(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    look(cx, arguments.first(), |set| Reply::count(set.len()))
}

pub(super) fn zscore(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let [key, member] = arguments else { return Err(ErrorReply::syntax()) };
    look(cx, Some(key), |set| set.score(member).map_or(Reply::Null, Reply::Score))
}

pub(super) fn zrank(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let [key, member] = arguments else { return Err(ErrorReply::beyond("options of ZRANK")) };
    look(cx, Some(key), |set| set.rank(member).map_or(Reply::Null, Reply::count))
}

pub(super) fn zrange(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let [key, first, last, options @ ..] = arguments else { return Err(ErrorReply::syntax()) };
    let scored = match options {
        [] => false,
        [option] if option.eq_ignore_ascii_case(b"WITHSCORES") => true,
        [option, ..]
            if [&b"BYSCORE"[..], b"BYLEX", b"REV", b"LIMIT"]
                .contains(&option.to_ascii_uppercase().as_slice()) =>
        {
            return Err(ErrorReply::beyond("this option of ZRANGE"));
        }
        _ => return Err(ErrorReply::syntax()),
    };
    let (first, last) = (integer(first)?, integer(last)?);
    look(cx, Some(key), |set| {
        // Negative ranks count from the end.
        let length = i64::try_from(set.len()).unwrap_or(i64::MAX);
        let place = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
        let (first, last) = (place(first).max(0), place(last));
        let taken = usize::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or(0);
        let entries = set.entries().iter().skip(usize::try_from(first).unwrap_or(0)).take(taken);
        if scored {
            Reply::Scored(entries.map(|(score, member)| (member.clone(), *score)).collect())
        } else {
            Reply::Array(entries.map(|(_, member)| Reply::bulk(member)).collect())
        }
    })
}
