//! Commands on keys of any type.

use super::context::{Context, Outcome, integer};
use crate::memory::reply::{ErrorReply, Reply};

pub(super) fn del(cx: &mut Context<'_>, keys: &[Vec<u8>]) -> Outcome {
    let now = cx.millis();
    let keyspace = cx.keyspace();
    Ok(Reply::count(keys.iter().filter(|key| keyspace.remove(key, now)).count()))
}

pub(super) fn exists(cx: &mut Context<'_>, keys: &[Vec<u8>]) -> Outcome {
    let now = cx.millis();
    let keyspace = cx.keyspace();
    Ok(Reply::count(keys.iter().filter(|key| keyspace.exists(key, now)).count()))
}

pub(super) fn type_of(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let now = cx.millis();
    let key = arguments.first().ok_or_else(ErrorReply::syntax)?;
    Ok(Reply::Simple(cx.keyspace().type_of(key, now)))
}

pub(super) fn pttl(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let now = cx.millis();
    let key = arguments.first().ok_or_else(ErrorReply::syntax)?;
    Ok(Reply::Integer(cx.keyspace().pttl(key, now)))
}

pub(super) fn pexpire(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let [key, millis] = arguments else { return Err(ErrorReply::beyond("options of PEXPIRE")) };
    let (millis, now) = (integer(millis)?, cx.millis());
    Ok(Reply::Integer(cx.keyspace().pexpire(key, millis, now, "pexpire")?.into()))
}
