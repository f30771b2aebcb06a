//! Independent commands: each is answered, or given up, by itself.

use super::Pipeline;
use crate::{
    node::{Tag, run::digits_of},
    time::{Duration, Instant},
};

impl Pipeline {
    /// Where the command with this nonce is.
    pub(crate) fn place_of(&self, nonce: &[u8]) -> Option<usize> {
        self.queue.iter().position(|command| *nonce == digits_of(command.nonce))
    }

    /// Gives up the command at this place, whose outcome is unknown from now on. Returns the tag of its lock.
    pub(crate) fn give_up(&mut self, place: usize, out: &mut Vec<u8>) -> Option<Tag> {
        let command = self.queue.remove(place)?;
        self.send_free(out);
        command.tags.first().copied()
    }

    /// Gives up one of the commands that have waited for too long, if each has its own time.
    pub(crate) fn give_up_overdue(
        &mut self,
        least: Duration,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Option<Tag> {
        let place = self.queue.iter().position(|command| command.overdue_at(least) <= now)?;
        self.give_up(place, out)
    }
}
