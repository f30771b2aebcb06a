/// What a server is told about us. Its address is the driver's business.
#[derive(Clone, Default)]
pub struct Endpoint {
    /// The user to authenticate as; empty for the default user.
    pub user: String,
    /// The password; empty for none.
    pub password: String,
    /// The number of the database.
    pub database: u32,
}

impl core::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Endpoint")
            .field("user", &self.user)
            .field("database", &self.database)
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
