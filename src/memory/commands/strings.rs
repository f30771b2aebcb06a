use super::context::{Context, Outcome, integer};
use crate::memory::reply::{ErrorReply, Reply};

pub(super) fn get(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let now = cx.millis();
    let key = arguments.first().ok_or_else(ErrorReply::syntax)?;
    Ok(cx.keyspace().get(key, now)?.map_or(Reply::Null, Reply::bulk))
}

/// On which condition a key is written.
enum Only {
    Always,
    IfAbsent,
    IfPresent,
}

/// What happens to a key's expiry.
enum Expiry<'a> {
    None,
    Keep,
    /// A number of units of this many ms.
    In(&'a [u8], i64),
}

pub(super) fn set(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let [key, text, options @ ..] = arguments else { return Err(ErrorReply::syntax()) };
    let (mut only, mut expiry) = (Only::Always, Expiry::None);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match (option.to_ascii_uppercase().as_slice(), &only, &expiry) {
            (b"NX", Only::Always, _) => only = Only::IfAbsent,
            (b"XX", Only::Always, _) => only = Only::IfPresent,
            (b"KEEPTTL", _, Expiry::None) => expiry = Expiry::Keep,
            (b"PX", _, Expiry::None) => {
                expiry = Expiry::In(options.next().ok_or_else(ErrorReply::syntax)?, 1);
            }
            (b"EX", _, Expiry::None) => {
                expiry = Expiry::In(options.next().ok_or_else(ErrorReply::syntax)?, 1000);
            }
            (b"GET" | b"PXAT" | b"EXAT", ..) => return Err(ErrorReply::beyond("this option of SET")),
            _ => return Err(ErrorReply::syntax()),
        }
    }
    let now = cx.millis();
    let at = match expiry {
        Expiry::In(span, unit) => {
            let span = integer(span)?;
            let at = i64::try_from(now).ok().and_then(|now| span.checked_mul(unit)?.checked_add(now));
            let at = at.filter(|_| span > 0).and_then(|at| u64::try_from(at).ok());
            Some(at.ok_or_else(|| ErrorReply::bad_expiry("set"))?)
        }
        Expiry::None | Expiry::Keep => None,
    };
    let exists = cx.keyspace().exists(key, now);
    match only {
        Only::IfAbsent if exists => return Ok(Reply::Null),
        Only::IfPresent if !exists => return Ok(Reply::Null),
        _ => {}
    }
    let at = match expiry {
        Expiry::Keep => cx.keyspace().expiry(key, now).unwrap_or(None),
        Expiry::None | Expiry::In(..) => at,
    };
    cx.keyspace().set(key, text, at);
    Ok(Reply::OK)
}

pub(super) fn incr(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let now = cx.millis();
    let key = arguments.first().ok_or_else(ErrorReply::syntax)?;
    let number = cx.keyspace().get(key, now)?.map_or(Ok(0), integer)?;
    let number =
        number.checked_add(1).ok_or_else(|| ErrorReply::new("ERR increment or decrement would overflow"))?;
    cx.keyspace().set_text(key, number.to_string().as_bytes(), now);
    Ok(Reply::Integer(number))
}
