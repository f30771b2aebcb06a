/// What carries commands to a server, and thus what can be done with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A byte stream of our own: there is a handshake, messages come, and commands run in the order they were sent in.
    #[default]
    Stream,
    /// Single commands on somebody else's session: another client, or requests over HTTP. No handshake, no messages (so
    /// that waiters poll), and what is sent later may overtake: of commands on one key only one is under way at a time.
    Commands,
}

/// What a server is told about us. Its address is the driver's business.
#[derive(Clone, Default, Hash)]
pub struct Endpoint {
    /// The user to authenticate as; empty for the default user.
    pub user: String,
    /// The password; empty for none.
    pub password: String,
    /// The number of the database.
    pub database: u32,
    /// With [`Transport::Commands`] the other fields are of no use: who carries them has logged in.
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
