//! Users, their passwords and their rights.

use std::collections::BTreeSet;

use super::reply::ErrorReply;

/// A user. By default it has no password and all rights.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct User {
    password: Option<Vec<u8>>,
    /// In lower case.
    denied: BTreeSet<String>,
    no_channels: bool,
}

impl User {
    /// A user without a password, and with all rights.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the password.
    #[must_use]
    pub fn with_password(mut self, password: &[u8]) -> Self {
        self.password = Some(password.to_vec());
        self
    }

    /// Denies this command, also inside scripts.
    #[must_use]
    pub fn without_command(mut self, name: &str) -> Self {
        self.denied.insert(name.to_ascii_lowercase());
        self
    }

    /// Denies all channels, for SUBSCRIBE, PUBLISH, SSUBSCRIBE and SPUBLISH.
    #[must_use]
    pub const fn without_channels(mut self) -> Self {
        self.no_channels = true;
        self
    }

    pub(super) const fn needs_no_password(&self) -> bool {
        self.password.is_none()
    }

    pub(super) fn accepts(&self, password: &[u8]) -> bool {
        self.password.as_ref().is_none_or(|each| each == password)
    }

    /// Whether the user may run a command outside of scripts.
    pub(super) fn may(&self, command: &str) -> Result<(), ErrorReply> {
        if self.denied.contains(command) {
            let text = format!("NOPERM this user has no permissions to run the '{command}' command");
            return Err(ErrorReply::new(text));
        }
        if self.no_channels && matches!(command, "subscribe" | "publish" | "ssubscribe" | "spublish") {
            let text = "NOPERM this user has no permissions to access one of the channels used as arguments";
            return Err(ErrorReply::new(text));
        }
        Ok(())
    }

    /// Whether the user may run a command inside a script.
    pub(super) fn may_in_script(&self, command: &str) -> Result<(), ErrorReply> {
        if self.denied.contains(command) {
            let text = "ERR The user executing the script can't run this command or subcommand";
            return Err(ErrorReply::new(text));
        }
        Ok(())
    }

    /// Whether a script of the user may publish by this command.
    pub(super) fn may_publish(&self, command: &str) -> bool {
        !self.no_channels && !self.denied.contains(command)
    }
}
