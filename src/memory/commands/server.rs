//! Commands about the whole server.

use super::context::{Context, Outcome, integer};
use crate::memory::reply::{ErrorReply, Reply};

pub(super) fn time(cx: &mut Context<'_>, _: &[Vec<u8>]) -> Outcome {
    let micros = cx.now.as_micros();
    let part = |number: u64| Reply::bulk(number.to_string());
    Ok(Reply::Array(vec![part(micros / 1_000_000), part(micros % 1_000_000)]))
}

/// Answers at once, because the number of replicas in step does not change meanwhile.
pub(super) fn wait(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let [needed, timeout] = arguments else { return Err(ErrorReply::syntax()) };
    integer(needed)?;
    let timeout =
        integer(timeout).map_err(|_| ErrorReply::new("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(ErrorReply::new("ERR timeout is negative"));
    }
    Ok(Reply::Integer(cx.server.replicas.into()))
}

pub(super) fn flush_all(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    mode(arguments)?;
    cx.server.flush();
    Ok(Reply::OK)
}

pub(super) fn flush_db(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    mode(arguments)?;
    cx.keyspace().clear();
    Ok(Reply::OK)
}

/// SYNC and ASYNC do the same here.
pub(super) fn mode(arguments: &[Vec<u8>]) -> Result<(), ErrorReply> {
    match arguments {
        [] => Ok(()),
        [mode] if mode.eq_ignore_ascii_case(b"SYNC") || mode.eq_ignore_ascii_case(b"ASYNC") => Ok(()),
        _ => Err(ErrorReply::syntax()),
    }
}
