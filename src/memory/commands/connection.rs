//! Commands about the connection: authentication, protocol version, database and subscriptions.

use super::context::{Context, Outcome, integer, wrong_arity};
use crate::memory::{
    cluster::ClusterView,
    reply::{ErrorReply, Protocol, Reply},
    scope::Scope,
    server::DATABASES,
    session::Session,
};

pub(super) fn hello(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let mut version = None;
    let mut rest = arguments.iter();
    if let Some(text) = rest.next() {
        let number = integer(text)
            .map_err(|_| ErrorReply::new("ERR Protocol version is not an integer or out of range"))?;
        version = Some(match number {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return Err(ErrorReply::new("NOPROTO unsupported protocol version")),
        });
    }
    while let Some(option) = rest.next() {
        let malformed = || {
            let text = [b"ERR Syntax error in HELLO option '", option.as_slice(), b"'"].concat();
            ErrorReply::new(text)
        };
        if option.eq_ignore_ascii_case(b"AUTH") {
            let (Some(user), Some(password)) = (rest.next(), rest.next()) else { return Err(malformed()) };
            log_in(cx, user, password)?;
        } else if option.eq_ignore_ascii_case(b"SETNAME") {
            rename(cx, rest.next().ok_or_else(malformed)?)?;
        } else {
            return Err(malformed());
        }
    }
    let (name, server_version) = (cx.server.name.clone(), cx.server.version.clone());
    let cluster = cx.server.cluster();
    let is_sentinel = cx.server.sentinel.is_some();
    let mode = match cluster {
        Some(_) => "cluster",
        None if is_sentinel => "sentinel",
        None => "standalone",
    };
    let is_replica = cx.server.is_replica || cluster.is_some_and(ClusterView::is_replica);
    let role = if is_replica { "replica" } else { "master" };
    let Some(session) = cx.server.sessions.get_mut(&cx.id) else { return Err(ErrorReply::syntax()) };
    if session.user.is_none() {
        return Err(ErrorReply::new(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    session.protocol = version.unwrap_or(session.protocol);
    let spoken = if session.protocol == Protocol::Resp3 { 3 } else { 2 };
    let entry = |name: &str, value| (Reply::bulk(name), value);
    Ok(Reply::Map(vec![
        entry("server", Reply::bulk(name)),
        entry("version", Reply::bulk(server_version)),
        entry("proto", Reply::Integer(spoken)),
        entry("id", Reply::Integer(i64::try_from(cx.id.0).unwrap_or(i64::MAX))),
        entry("mode", Reply::bulk(mode)),
        entry("role", Reply::bulk(role)),
        entry("modules", Reply::Array(Vec::new())),
    ]))
}

pub(super) fn auth(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    match arguments {
        [password] => {
            let open =
                cx.server.users.get(b"default".as_slice()).is_some_and(|user| user.needs_no_password());
            if open {
                return Err(ErrorReply::new(
                    "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
                ));
            }
            log_in(cx, b"default", password)?;
        }
        [user, password] => log_in(cx, user, password)?,
        _ => return Err(ErrorReply::syntax()),
    }
    Ok(Reply::OK)
}

fn log_in(cx: &mut Context<'_>, user: &[u8], password: &[u8]) -> Result<(), ErrorReply> {
    cx.server.authenticate(user, password)?;
    if let Some(session) = cx.server.sessions.get_mut(&cx.id) {
        session.user = Some(user.to_vec());
    }
    Ok(())
}

fn rename(cx: &mut Context<'_>, name: &[u8]) -> Result<(), ErrorReply> {
    if name.iter().any(|byte| !(b'!'..=b'~').contains(byte)) {
        return Err(ErrorReply::new(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    if let Some(session) = cx.server.sessions.get_mut(&cx.id) {
        session.name = name.to_vec();
    }
    Ok(())
}

pub(super) fn set_name(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    rename(cx, arguments.first().ok_or_else(ErrorReply::syntax)?)?;
    Ok(Reply::OK)
}

pub(super) fn get_name(cx: &mut Context<'_>, _: &[Vec<u8>]) -> Outcome {
    Ok(match cx.server.sessions.get(&cx.id) {
        Some(session) if !session.name.is_empty() => Reply::bulk(&session.name),
        _ => Reply::Null,
    })
}

pub(super) fn client_id(cx: &mut Context<'_>, _: &[Vec<u8>]) -> Outcome {
    Ok(Reply::Integer(i64::try_from(cx.id.0).unwrap_or(i64::MAX)))
}

pub(super) fn select(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let number = arguments.first().ok_or_else(ErrorReply::syntax).and_then(|text| integer(text))?;
    if cx.server.cluster.is_some() && number != 0 {
        return Err(ErrorReply::new("ERR SELECT is not allowed in cluster mode"));
    }
    let database = u32::try_from(number)
        .ok()
        .filter(|&number| number < DATABASES)
        .ok_or_else(|| ErrorReply::new("ERR DB index is out of range"))?;
    if let Some(session) = cx.server.sessions.get_mut(&cx.id) {
        session.database = database;
    }
    Ok(Reply::OK)
}

pub(super) fn ping(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let listens = cx.server.sessions.get(&cx.id).is_some_and(Session::only_listens);
    match (arguments, listens) {
        ([_, _, ..], _) => Err(wrong_arity("ping")),
        (text, true) => Ok(Reply::Array(vec![
            Reply::bulk("pong"),
            Reply::bulk(text.first().map_or(&b""[..], |text| text)),
        ])),
        ([text], false) => Ok(Reply::bulk(text)),
        ([], false) => Ok(Reply::Simple("PONG")),
    }
}

pub(super) fn publish(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    published(cx, Scope::Everywhere, arguments)
}

pub(super) fn publish_to_shard(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    published(cx, Scope::Shard, arguments)
}

fn published(cx: &mut Context<'_>, scope: Scope, arguments: &[Vec<u8>]) -> Outcome {
    let [channel, message] = arguments else { return Err(ErrorReply::syntax()) };
    Ok(Reply::count(cx.server.publish(scope, channel, message)))
}

pub(super) fn subscribe(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    Ok(cx.server.subscribe(Scope::Everywhere, cx.id, arguments, true))
}

pub(super) fn unsubscribe(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    Ok(cx.server.subscribe(Scope::Everywhere, cx.id, arguments, false))
}

pub(super) fn subscribe_to_shard(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    Ok(cx.server.subscribe(Scope::Shard, cx.id, arguments, true))
}

pub(super) fn unsubscribe_from_shard(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    Ok(cx.server.subscribe(Scope::Shard, cx.id, arguments, false))
}
