/// How commands reach a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A byte stream of the engine's own. The engine does the handshake, receives wake-ups and may pipeline: the server
    /// runs commands in the order in which they were sent.
    #[default]
    Stream,
    /// Single commands over a session that is not the engine's: another Redis client, or HTTP requests. There is no
    /// handshake, and there are no wake-ups, so waiters poll. A later command may overtake an earlier one, so only one
    /// command per key is in flight at a time. Replies come in the order of sending, and when one does not come in time the
    /// session ends: it leads to one server.
    Commands,
    /// Single commands that are independent of each other and may go to different servers, as over another client's cluster.
    /// A timeout or failure affects one command only. Outcomes arrive in any order, as a push of RESP3: `answer, <nonce>,
    /// <reply>`, or `unanswered, <nonce>, <reason>` if its outcome is unknown.
    Independent,
}

/// How the engine logs in to one server. The driver alone knows the server's address.
#[derive(Clone, Default, Hash)]
pub struct Endpoint {
    /// The ACL user; empty for the default user.
    pub user: String,
    /// The password; empty for none.
    pub password: String,
    /// The number of the database, for SELECT.
    pub database: u32,
    /// How commands reach the server. Unless it is [`Transport::Stream`], the other fields are ignored: that session is
    /// logged in already.
    pub transport: Transport,
}

impl core::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Endpoint")
            .field("user", &self.user)
            .field("database", &self.database)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    pub(super) fn has_credentials(&self) -> bool {
        !self.user.is_empty() || !self.password.is_empty()
    }

    pub(super) fn user_or_default(&self) -> &[u8] {
        if self.user.is_empty() { b"default" } else { self.user.as_bytes() }
    }
}
