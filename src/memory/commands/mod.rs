//! The table of commands, the checks before each, and the way from a command's words to its reply.

mod cluster;
mod connection;
mod context;
mod keys;
mod scripting;
mod sentinel;
mod server;
mod sorted_sets;
mod strings;

use super::{
    cluster::{Asking, Names, Refusal},
    reply::ErrorReply,
    server::Server,
    session::SessionId,
    trouble::Trouble,
};
use crate::time::Instant;

use context::{Context, Outcome, wrong_arity};

/// A command of the table.
struct Command {
    /// In lower case.
    name: &'static str,
    /// The number of words, including the name. A negative number is a minimum.
    arity: i64,
    kind: Kind,
    keys: Keys,
    run: fn(&mut Context<'_>, &[Vec<u8>]) -> Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Works before authentication.
    Greeting,
    /// Touches no key, and works whatever trouble the server has.
    Connection,
    /// The same, and also works in a RESP2 session with subscriptions.
    Listening,
    /// Touches keys.
    Data,
    /// Touches keys and needs memory.
    Growing,
}

/// Which of a command's arguments are keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    None,
    First,
    All,
    /// Those behind their number, which is the second argument.
    Counted,
    /// The first is a shard channel, which has a slot as a key has.
    Channel,
    /// All are shard channels.
    Channels,
}

const fn command(
    name: &'static str,
    arity: i64,
    kind: Kind,
    keys: Keys,
    run: fn(&mut Context<'_>, &[Vec<u8>]) -> Outcome,
) -> Command {
    Command { name, arity, kind, keys, run }
}

static TABLE: &[Command] = &[
    command("asking", 1, Kind::Connection, Keys::None, cluster::asking),
    command("auth", -2, Kind::Greeting, Keys::None, connection::auth),
    command("client|getname", 2, Kind::Connection, Keys::None, connection::get_name),
    command("client|id", 2, Kind::Connection, Keys::None, connection::client_id),
    command("client|setname", 3, Kind::Connection, Keys::None, connection::set_name),
    command("cluster|keyslot", 3, Kind::Connection, Keys::None, cluster::key_slot),
    command("cluster|myid", 2, Kind::Connection, Keys::None, cluster::my_id),
    command("cluster|slots", 2, Kind::Connection, Keys::None, cluster::slots),
    command("del", -2, Kind::Data, Keys::All, keys::del),
    command("eval", -3, Kind::Data, Keys::Counted, scripting::eval),
    command("evalsha", -3, Kind::Data, Keys::Counted, scripting::evalsha),
    command("exists", -2, Kind::Data, Keys::All, keys::exists),
    command("flushall", -1, Kind::Data, Keys::None, server::flush_all),
    command("flushdb", -1, Kind::Data, Keys::None, server::flush_db),
    command("get", 2, Kind::Data, Keys::First, strings::get),
    command("hello", -1, Kind::Greeting, Keys::None, connection::hello),
    command("incr", 2, Kind::Growing, Keys::First, strings::incr),
    command("pexpire", -3, Kind::Data, Keys::First, keys::pexpire),
    command("ping", -1, Kind::Listening, Keys::None, connection::ping),
    command("pttl", 2, Kind::Data, Keys::First, keys::pttl),
    command("publish", 3, Kind::Connection, Keys::None, connection::publish),
    command("script|exists", -3, Kind::Connection, Keys::None, scripting::exists),
    command("script|flush", -2, Kind::Connection, Keys::None, scripting::flush),
    command("script|load", 3, Kind::Connection, Keys::None, scripting::load),
    command("select", 2, Kind::Connection, Keys::None, connection::select),
    command("sentinel|get-master-addr-by-name", 3, Kind::Connection, Keys::None, sentinel::master),
    command("set", -3, Kind::Growing, Keys::First, strings::set),
    command("spublish", 3, Kind::Connection, Keys::Channel, connection::publish_to_shard),
    command("ssubscribe", -2, Kind::Listening, Keys::Channels, connection::subscribe_to_shard),
    command("subscribe", -2, Kind::Listening, Keys::None, connection::subscribe),
    command("sunsubscribe", -1, Kind::Listening, Keys::Channels, connection::unsubscribe_from_shard),
    command("time", 1, Kind::Connection, Keys::None, server::time),
    command("type", 2, Kind::Data, Keys::First, keys::type_of),
    command("unsubscribe", -1, Kind::Listening, Keys::None, connection::unsubscribe),
    command("wait", 3, Kind::Connection, Keys::None, server::wait),
    command("zadd", -4, Kind::Growing, Keys::First, sorted_sets::zadd),
    command("zcard", 2, Kind::Data, Keys::First, sorted_sets::zcard),
    command("zpopmin", -2, Kind::Data, Keys::First, sorted_sets::zpopmin),
    command("zrange", -4, Kind::Data, Keys::First, sorted_sets::zrange),
    command("zrank", -3, Kind::Data, Keys::First, sorted_sets::zrank),
    command("zrem", -3, Kind::Data, Keys::First, sorted_sets::zrem),
    command("zscore", 3, Kind::Data, Keys::First, sorted_sets::zscore),
];

impl Keys {
    fn of(self, arguments: &[Vec<u8>]) -> &[Vec<u8>] {
        match self {
            Self::None => &[],
            Self::First | Self::Channel => arguments.get(..1).unwrap_or_default(),
            Self::All | Self::Channels => arguments,
            // A number that the command itself refuses counts as no keys.
            Self::Counted => {
                let counted = arguments.get(1..).map(scripting::split_keys);
                counted.and_then(Result::ok).map_or(&[], |(keys, _)| keys)
            }
        }
    }
}

/// Runs a command, given by its words.
pub(super) fn execute(server: &mut Server, id: SessionId, words: &[Vec<u8>], now: Instant) -> Outcome {
    let outcome = run(server, id, words, now);
    // ASKING is for the next command alone, even if that is refused.
    let is_asking = words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"asking"));
    if let Some(session) = server.sessions.get_mut(&id).filter(|_| !is_asking) {
        session.asking = Asking::No;
    }
    outcome
}

fn run(server: &mut Server, id: SessionId, words: &[Vec<u8>], now: Instant) -> Outcome {
    let (command, arguments) = find(words)?;
    let count = i64::try_from(words.len()).unwrap_or(i64::MAX);
    if count != command.arity && (command.arity > 0 || count < command.arity.saturating_neg()) {
        return Err(wrong_arity(command.name));
    }
    admit(server, id, command, arguments, now)?;
    let database = server.sessions.get(&id).map_or(0, |session| session.database);
    (command.run)(&mut Context { server, id, database, now }, arguments)
}

/// The command, whose name has one or two words, and its arguments.
fn find(words: &[Vec<u8>]) -> Result<(&'static Command, &[Vec<u8>]), ErrorReply> {
    let (name, arguments) = words.split_first().ok_or_else(ErrorReply::syntax)?;
    let name = name.to_ascii_lowercase();
    let named = |name: &[u8]| TABLE.iter().find(|command| command.name.as_bytes() == name);
    let container = [b"client".as_slice(), b"cluster", b"script", b"sentinel"].contains(&name.as_slice());
    match arguments.split_first() {
        Some((second, arguments)) if container => {
            let command = named(&[&name, b"|".as_slice(), &second.to_ascii_lowercase()].concat());
            Ok((command.ok_or_else(|| ErrorReply::beyond("this subcommand"))?, arguments))
        }
        None if container => Err(wrong_arity(&String::from_utf8_lossy(&name))),
        _ => Ok((named(&name).ok_or_else(|| unknown(words))?, arguments)),
    }
}

/// Whether the session may run the command now, checked in the same order as in Redis.
fn admit(
    server: &Server,
    id: SessionId,
    command: &Command,
    arguments: &[Vec<u8>],
    now: Instant,
) -> Result<(), ErrorReply> {
    let Some(session) = server.sessions.get(&id) else { return Ok(()) };
    if command.kind != Kind::Greeting {
        server.user_of(session)?.may(command.name)?;
    }
    if let Some(view) = &server.cluster {
        let keys = command.keys.of(arguments).iter().map(Vec::as_slice);
        let keyspace = server.database(session.database);
        let exists =
            |key: &[u8]| keyspace.is_some_and(|keys| keys.peek(key, now.as_micros() / 1000).is_some());
        let names = match command.keys {
            Keys::Channel | Keys::Channels => Names::ShardChannels,
            _ => Names::Keys,
        };
        Refusal::check(view, (names, keys), session.asking, exists).map_err(|refusal| refusal.reply(view))?;
    }
    let trouble = server.trouble.or(server.is_replica.then_some(Trouble::ReadOnly));
    let refused = match trouble {
        Some(Trouble::OutOfMemory) => command.kind == Kind::Growing,
        Some(_) => matches!(command.kind, Kind::Data | Kind::Growing),
        None => false,
    };
    if let (true, Some(trouble)) = (refused, trouble) {
        return Err(ErrorReply::new(trouble.describe()));
    }
    if session.only_listens() && command.kind != Kind::Listening {
        return Err(ErrorReply::new(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
            command.name
        )));
    }
    Ok(())
}

/// The error for an unknown command. Redis repeats up to 128 bytes of the name, and about as many of the arguments.
fn unknown(words: &[Vec<u8>]) -> ErrorReply {
    let head = |word: &[u8], most: usize| word.iter().copied().take(most).collect::<Vec<_>>();
    let (name, arguments) = words.split_first().map_or((&[][..], &[][..]), |(name, rest)| (name, rest));
    let mut told = Vec::new();
    for argument in arguments {
        if told.len() >= 128 {
            break;
        }
        let left = 128_usize.saturating_sub(told.len());
        told.push(b'\'');
        told.extend(head(argument, left));
        told.extend_from_slice(b"' ");
    }
    let name = head(name, 128);
    ErrorReply::new(
        [b"ERR unknown command '", name.as_slice(), b"', with args beginning with: ", &told].concat(),
    )
}
