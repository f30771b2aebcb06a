//! What all commands use: the server, the session, the time, and the parsing of arguments.

use crate::{
    memory::{
        keyspace::Keyspace,
        reply::{ErrorReply, Reply},
        server::Server,
        session::SessionId,
    },
    time::Instant,
};

pub(super) type Outcome = Result<Reply, ErrorReply>;

/// What a command uses. The words do not include the command's name.
pub(super) struct Context<'a> {
    pub(super) server: &'a mut Server,
    pub(super) id: SessionId,
    pub(super) database: u32,
    pub(super) now: Instant,
}

impl Context<'_> {
    pub(super) fn keyspace(&mut self) -> &mut Keyspace {
        self.server.database_mut(self.database)
    }

    /// The Unix time in ms.
    pub(super) const fn millis(&self) -> u64 {
        self.now.as_micros() / 1000
    }
}

pub(super) fn wrong_arity(name: &str) -> ErrorReply {
    ErrorReply::new(format!("ERR wrong number of arguments for '{name}' command"))
}

/// Parses an integer as Redis does: `-` is the only sign, and there are no leading zeros and no spaces.
pub(super) fn integer(text: &[u8]) -> Result<i64, ErrorReply> {
    let number = core::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
    number.filter(|number| number.to_string().as_bytes() == text).ok_or_else(ErrorReply::not_an_integer)
}
