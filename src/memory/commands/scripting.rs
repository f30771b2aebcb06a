use super::context::{Context, Outcome, integer};
use crate::{
    memory::{
        reply::{ErrorReply, Reply},
        scripts,
        server::Server,
    },
    script::Script,
};

type Words<'a> = &'a [Vec<u8>];

pub(super) fn eval(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let (source, rest) = arguments.split_first().ok_or_else(ErrorReply::syntax)?;
    let (keys, arguments) = split_keys(rest)?;
    let script = Script::by_source(source).ok_or_else(foreign_script)?;
    cx.server.cached.insert(script.sha1);
    run(cx, script, keys, arguments)
}

pub(super) fn evalsha(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let no_script = || ErrorReply::new("NOSCRIPT No matching script. Please use EVAL.");
    let (sha1, rest) = arguments.split_first().ok_or_else(ErrorReply::syntax)?;
    let sha1: [u8; 40] = sha1.to_ascii_lowercase().try_into().map_err(|_| no_script())?;
    let (keys, arguments) = split_keys(rest)?;
    let cached = Script::by_sha1(&sha1).filter(|_| cx.server.cached.contains(&sha1));
    run(cx, cached.ok_or_else(no_script)?, keys, arguments)
}

fn run(cx: &mut Context<'_>, script: &'static Script, keys: &[Vec<u8>], arguments: &[Vec<u8>]) -> Outcome {
    let Some(session) = cx.server.sessions.get(&cx.id) else { return Err(ErrorReply::syntax()) };
    let (user, asking) = (cx.server.user_of(session)?.clone(), session.asking);
    let now = cx.now;
    // By its fields, for a script reads the view of the cluster while it changes keys.
    let Server { databases, cluster, trouble, .. } = &mut *cx.server;
    let limits = scripts::Limits { user: &user, trouble: *trouble, cluster: cluster.as_ref(), asking };
    let keyspace = databases.entry(cx.database).or_default();
    let mut call = scripts::Call::new(script, keys, arguments, limits, keyspace, now);
    let reply = scripts::run(&mut call);
    let published = call.into_published();
    // Redis sends a script's messages when the script ends, before its reply.
    for (scope, channel, message) in published {
        cx.server.publish(scope, &channel, &message);
    }
    reply
}

/// The number of keys, the keys, and the arguments.
pub(super) fn split_keys(words: Words<'_>) -> Result<(Words<'_>, Words<'_>), ErrorReply> {
    let (count, rest) = words.split_first().ok_or_else(ErrorReply::syntax)?;
    let count = integer(count)?;
    if count < 0 {
        return Err(ErrorReply::new("ERR Number of keys can't be negative"));
    }
    let split = usize::try_from(count).ok().and_then(|count| rest.split_at_checked(count));
    split.ok_or_else(|| ErrorReply::new("ERR Number of keys can't be greater than number of args"))
}

fn foreign_script() -> ErrorReply {
    ErrorReply::beyond("this script: it knows those of redlatch, and runs no Lua")
}

pub(super) fn load(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let source = arguments.first().ok_or_else(ErrorReply::syntax)?;
    let script = Script::by_source(source).ok_or_else(foreign_script)?;
    cx.server.cached.insert(script.sha1);
    Ok(Reply::bulk(script.sha1))
}

pub(super) fn exists(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let known = |sha1: &Vec<u8>| {
        let sha1: Option<[u8; 40]> = sha1.to_ascii_lowercase().try_into().ok();
        sha1.is_some_and(|sha1| cx.server.cached.contains(&sha1))
    };
    Ok(Reply::Array(arguments.iter().map(|sha1| Reply::Integer(known(sha1).into())).collect()))
}

pub(super) fn flush(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    super::server::mode(arguments)
        .map_err(|_| ErrorReply::new("ERR SCRIPT FLUSH only support SYNC|ASYNC option"))?;
    cx.server.flush_scripts();
    Ok(Reply::OK)
}
