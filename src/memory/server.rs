//! The state of a server, and the functions for its owner.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    access::User,
    cluster::ClusterView,
    keyspace::Keyspace,
    reply::ErrorReply,
    sentinel::SentinelView,
    session::{Session, SessionId},
    trouble::Trouble,
};

/// The number of databases, the default of Redis.
pub(super) const DATABASES: u32 = 16;

/// A server: its keys, its cached scripts, its users and its sessions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) own_pushes_last: bool,
    /// The databases to which a command ever wrote.
    pub(super) databases: BTreeMap<u32, Keyspace>,
    /// The scripts that EVALSHA finds, by SHA-1.
    pub(super) cached: BTreeSet<[u8; 40]>,
    pub(super) users: BTreeMap<Vec<u8>, User>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) trouble: Option<Trouble>,
    /// How many replicas have all writes, as WAIT says.
    pub(super) replicas: u32,
    /// What it knows of its cluster, if it is a node of one.
    pub(super) cluster: Option<ClusterView>,
    /// Whether it is the replica of another server, outside of a cluster.
    pub(super) is_replica: bool,
    /// The masters that it watches, if it is a sentinel.
    pub(super) sentinel: Option<SentinelView>,
    /// The messages for the other nodes, each behind its channel.
    pub(super) broadcasts: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// An empty server with one user, `default`, without a password.
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
            replicas: 0,
            cluster: None,
            is_replica: false,
            sentinel: None,
            broadcasts: Vec::new(),
        }
    }

    /// Sets the server name and version for HELLO; `redis` 7.0.15 by default.
    pub fn set_version(&mut self, name: &str, version: &str) {
        name.clone_into(&mut self.name);
        version.clone_into(&mut self.version);
    }

    /// Whether a message that a command publishes to its own session follows the command's reply, as in Valkey and in
    /// Redis from 7.2 on, or precedes it, as in Redis 7.0.
    pub const fn set_own_pushes_last(&mut self, last: bool) {
        self.own_pushes_last = last;
    }

    /// Opens a session. The caller chooses its number, which is the client id in the reply to HELLO. If the number is
    /// in use, its session is replaced.
    pub fn connect(&mut self, id: SessionId) {
        let opened = self.users.get(b"default".as_slice()).is_some_and(User::needs_no_password);
        self.sessions.insert(id, Session::new(opened));
    }

    /// Ends a session, and drops its unread output.
    pub fn disconnect(&mut self, id: SessionId) {
        self.sessions.remove(&id);
    }

    /// The output of a session since the last call.
    #[must_use]
    pub fn take_output(&mut self, id: SessionId) -> Vec<u8> {
        self.end_lost_subscriptions();
        self.sessions.get_mut(&id).map(Session::take_output).unwrap_or_default()
    }

    /// The sessions that have output, by number.
    pub fn sessions_with_output(&mut self) -> impl Iterator<Item = SessionId> {
        self.end_lost_subscriptions();
        self.sessions.iter().filter(|(_, session)| session.has_output()).map(|(&id, _)| id)
    }

    /// Whether a session ended, by a call or because of a protocol error. Its output can still be taken.
    #[must_use]
    pub fn is_closed(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_none_or(Session::is_closed)
    }

    /// Adds or changes a user. Sessions of that user continue with the new rights.
    pub fn set_user(&mut self, name: &[u8], user: User) {
        self.users.insert(name.to_vec(), user);
    }

    /// How many replicas have all writes from now on, as WAIT says: none at first.
    pub fn set_replicas(&mut self, replicas: u32) {
        self.replicas = replicas;
    }

    /// Makes the server the replica of another one, outside of a cluster, or a master: it says so, and a replica refuses commands
    /// that touch keys.
    pub const fn set_replica(&mut self, is_replica: bool) {
        self.is_replica = is_replica;
    }

    /// Makes the server a node of a cluster, or no node any more. A node has one database. It keeps its view when it restarts.
    pub fn set_cluster(&mut self, cluster: Option<ClusterView>) {
        self.cluster = cluster;
    }

    /// What this node knows of its cluster.
    #[must_use]
    pub const fn cluster(&self) -> Option<&ClusterView> {
        self.cluster.as_ref()
    }

    /// The same, for changes of the cluster that this node hears of.
    pub const fn cluster_mut(&mut self) -> Option<&mut ClusterView> {
        self.cluster.as_mut()
    }

    /// Makes the server a sentinel that names this master. What else a sentinel does, its owner does: servers do not talk to
    /// each other.
    pub fn watch(&mut self, name: &str, host: &str, port: u16) {
        let view = self.sentinel.get_or_insert_default();
        view.insert(name.as_bytes().to_vec(), (host.to_owned(), port));
    }

    /// The sentinel names another master from now on, and announces that to its subscribers.
    pub fn switch(&mut self, name: &str, host: &str, port: u16) {
        let before = self.sentinel.as_ref().and_then(|view| view.get(name.as_bytes())).cloned();
        self.watch(name, host, port);
        if let Some((old_host, old_port)) = before {
            let message = format!("{name} {old_host} {old_port} {host} {port}");
            self.deliver(b"+switch-master", message.as_bytes());
        }
    }

    /// Refuses commands for this reason from now on; `None` stops refusing.
    pub fn set_trouble(&mut self, trouble: Option<Trouble>) {
        self.trouble = trouble;
    }

    /// Crashes and restarts: ends all sessions, and drops cached scripts, and keys unless they `survive`.
    pub fn restart(&mut self, survive: bool) {
        self.sessions.clear();
        self.cached.clear();
        self.broadcasts.clear();
        if !survive {
            self.databases.clear();
        }
    }

    /// The keys of a database; `None` if no command ever wrote to it.
    #[must_use]
    pub fn database(&self, number: u32) -> Option<&Keyspace> {
        self.databases.get(&number)
    }

    /// The databases to which a command ever wrote, by number.
    pub fn databases(&self) -> impl Iterator<Item = (u32, &Keyspace)> {
        self.databases.iter().map(|(&number, keys)| (number, keys))
    }

    /// The keys of a database, for changes that no client makes, such as an eviction.
    pub fn database_mut(&mut self, number: u32) -> &mut Keyspace {
        self.databases.entry(number).or_default()
    }

    /// Deletes all keys, as FLUSHALL does.
    pub fn flush(&mut self) {
        self.databases.clear();
    }

    /// Drops cached scripts, as SCRIPT FLUSH does.
    pub fn flush_scripts(&mut self) {
        self.cached.clear();
    }

    /// Authenticates a session as a user, if the password is right.
    pub(super) fn authenticate(&self, user: &[u8], password: &[u8]) -> Result<(), ErrorReply> {
        if self.users.get(user).is_some_and(|known| known.accepts(password)) {
            return Ok(());
        }
        Err(ErrorReply::new("WRONGPASS invalid username-password pair or user is disabled."))
    }

    /// The user of a session; `NOAUTH` if the session has not authenticated.
    pub(super) fn user_of(&self, session: &Session) -> Result<&User, ErrorReply> {
        let user = session.user.as_ref().and_then(|name| self.users.get(name));
        user.ok_or_else(|| ErrorReply::new("NOAUTH Authentication required."))
    }
}
