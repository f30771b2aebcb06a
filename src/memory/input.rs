//! A session's bytes, and the commands in them.

use super::{
    commands,
    server::Server,
    session::{Session, SessionId},
};
use crate::time::Instant;

impl Server {
    /// Takes bytes of a session's and carries out the commands that are complete, at the time `now` by the server's wall
    /// clock, since the Unix epoch. It may go back and leap; expiry goes by it. A session that is not open is ignored.
    pub fn receive(&mut self, id: SessionId, bytes: &[u8], now: Instant) {
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
