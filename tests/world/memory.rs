//! Memory servers (`src/memory`), and what a test that knows everything sees in them.
#![allow(dead_code, reason = "every test uses a part of it")]

use redlatch::{
    Instant, Script,
    memory::{Keyspace, Server, SessionId, Value},
};

use crate::world::{token_of, write_command};

/// A session for what the test itself does; no connection has this number.
const ADMIN: SessionId = SessionId(0);

/// Runs a command that is not a client's.
pub fn administer(server: &mut Server, words: &[&str], now: Instant) {
    server.connect(ADMIN);
    server.receive(ADMIN, &write_command(words), now);
    let reply = server.take_output(ADMIN);
    assert!(!reply.starts_with(b"-"), "{words:?}: {}", reply.escape_ascii());
    server.disconnect(ADMIN);
}

/// Puts every script into the server's cache.
pub fn load_scripts(server: &mut Server, now: Instant) {
    for script in Script::ALL {
        administer(server, &["SCRIPT", "LOAD", script.source], now);
    }
}

/// The token that holds a lock key, at a server's time in ms.
pub fn holder<'a>(keys: &'a Keyspace, key: &[u8], now: u64) -> Option<&'a [u8]> {
    match keys.peek(key, now)?.0 {
        Value::String(value) => Some(token_of(value)),
        Value::SortedSet(_) => None,
    }
}

/// The members of a sorted set in order; none without the key.
pub fn members<'a>(keys: &'a Keyspace, key: &[u8], now: u64) -> Vec<&'a [u8]> {
    match keys.peek(key, now) {
        Some((Value::SortedSet(set), _)) => {
            set.entries().iter().map(|(_, member)| member.as_slice()).collect()
        }
        _ => Vec::new(),
    }
}

/// The score of a member of a sorted set; 0 without one.
pub fn score(keys: &Keyspace, key: &[u8], member: &[u8], now: u64) -> i64 {
    match keys.peek(key, now) {
        Some((Value::SortedSet(set), _)) => set.score(member).unwrap_or(0),
        _ => 0,
    }
}
