//! The state of a server, and what its owner may do to it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    access::User,
    keyspace::Keyspace,
    reply::ErrorReply,
    session::{Session, SessionId},
    trouble::Trouble,
};

/// Databases that can be selected, as by default in Redis.
pub(super) const DATABASES: u32 = 16;

/// A server: its keys, its cached scripts, its users and its sessions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) own_pushes_last: bool,
    /// Those that have ever been written to.
    pub(super) databases: BTreeMap<u32, Keyspace>,
    /// The scripts that EVALSHA finds, by SHA-1.
    pub(super) cached: BTreeSet<[u8; 40]>,
    pub(super) users: BTreeMap<Vec<u8>, User>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) trouble: Option<Trouble>,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// An empty server with one user, `default`, who needs no password.
    #[must_use]
    pub fn new() -> Self {
        Self {
            name: "redis".to_owned(),
            version: "7.0.15".to_owned(),
            own_pushes_last: false,
            databases: BTreeMap::new(),
            cached: BTreeSet::new(),
            users: BTreeMap::from([(b"default".to_vec(), User::new())]),
            sessions: BTreeMap::new(),
            trouble: None,
        }
    }

    /// The name and the version that HELLO tells; `redis` 7.0.15 by default.
    pub fn set_version(&mut self, name: &str, version: &str) {
        name.clone_into(&mut self.name);
        version.clone_into(&mut self.version);
    }

    /// Whether what a command publishes to its own session comes behind its reply, as in Valkey and in Redis from 7.2 on;
    /// otherwise in front of it, as in Redis 7.0.
    pub const fn set_own_pushes_last(&mut self, last: bool) {
        self.own_pushes_last = last;
    }

    /// Opens a session. The number is the caller's choice, and is the client id that HELLO tells. A number that is in use
    /// begins anew.
    pub fn connect(&mut self, id: SessionId) {
        let opened = self.users.get(b"default".as_slice()).is_some_and(User::needs_no_password);
        self.sessions.insert(id, Session::new(opened));
    }

    /// Ends a session, with what it had not yet read.
    pub fn disconnect(&mut self, id: SessionId) {
        self.sessions.remove(&id);
    }

    /// What the server has written to a session since the last call.
    #[must_use]
    pub fn take_output(&mut self, id: SessionId) -> Vec<u8> {
        self.sessions.get_mut(&id).map(Session::take_output).unwrap_or_default()
    }

    /// The sessions to which something was written, by number.
    pub fn sessions_with_output(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.iter().filter(|(_, session)| session.has_output()).map(|(&id, _)| id)
    }

    /// Whether a session is over: it was ended, or broke the protocol. What was written to it can still be taken.
    #[must_use]
    pub fn is_closed(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_none_or(Session::is_closed)
    }

    /// Adds a user, or changes one. Sessions of that user go on, with the new rights.
    pub fn set_user(&mut self, name: &[u8], user: User) {
        self.users.insert(name.to_vec(), user);
    }

    /// From now on, refuses commands for this reason; `None` ends it.
    pub fn set_trouble(&mut self, trouble: Option<Trouble>) {
        self.trouble = trouble;
    }

    /// Ends all sessions and forgets cached scripts, and keys too unless they `survive`, as a crash and a restart do.
    pub fn restart(&mut self, survive: bool) {
        self.sessions.clear();
        self.cached.clear();
        if !survive {
            self.databases.clear();
        }
    }

    /// The keys of a database; `None` if it has never been written to.
    #[must_use]
    pub fn database(&self, number: u32) -> Option<&Keyspace> {
        self.databases.get(&number)
    }

    /// The databases that have ever been written to, by number.
    pub fn databases(&self) -> impl Iterator<Item = (u32, &Keyspace)> {
        self.databases.iter().map(|(&number, keys)| (number, keys))
    }

    /// The keys of a database, to change them behind everybody's back, as an eviction does.
    pub fn database_mut(&mut self, number: u32) -> &mut Keyspace {
        self.databases.entry(number).or_default()
    }

    /// Forgets all keys, as FLUSHALL does.
    pub fn flush(&mut self) {
        self.databases.clear();
    }

    /// Forgets cached scripts, as SCRIPT FLUSH does.
    pub fn flush_scripts(&mut self) {
        self.cached.clear();
    }

    /// Makes a session that user's, if the password is right.
    pub(super) fn authenticate(&self, user: &[u8], password: &[u8]) -> Result<(), ErrorReply> {
        if self.users.get(user).is_some_and(|known| known.accepts(password)) {
            return Ok(());
        }
        Err(ErrorReply::new("WRONGPASS invalid username-password pair or user is disabled."))
    }

    /// The user of a session; `NOAUTH` if it has not said who it is.
    pub(super) fn user_of(&self, session: &Session) -> Result<&User, ErrorReply> {
        let user = session.user.as_ref().and_then(|name| self.users.get(name));
        user.ok_or_else(|| ErrorReply::new("NOAUTH Authentication required."))
    }
}
