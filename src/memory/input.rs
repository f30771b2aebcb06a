//! Splits the bytes of a session into commands.

use super::{
    commands,
    server::Server,
    session::{Session, SessionId},
};
use crate::time::Instant;

impl Server {
    /// Takes the bytes of a session, and runs the commands that are complete. `now` is the server's wall clock since
    /// the Unix epoch, which decides what has expired; it may jump in both directions. Ignored if the session is not
    /// open.
    pub fn receive(&mut self, id: SessionId, bytes: &[u8], now: Instant) {
        self.end_lost_subscriptions();
        match self.sessions.get_mut(&id) {
            Some(session) => session.push(bytes),
            None => return,
        }
        while let Some(command) = self.sessions.get_mut(&id).and_then(Session::next_command) {
            let earlier =
                self.sessions.get_mut(&id).filter(|_| self.own_pushes_last).map(Session::take_output);
            let result = match command {
                Ok(arguments) => commands::execute(self, id, &arguments, now),
                Err(malformed) => Err(malformed),
            };
            if let Some(session) = self.sessions.get_mut(&id) {
                session.write_behind(earlier, &result);
            }
        }
    }
}
