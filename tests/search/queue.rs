//! The rule of the fair queue: of the waiters, the one that arrived at the server first is served first.

use crate::{state::Violation, world::ScriptCall};

/// The waiters of key `a` in the order in which they arrived at the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Queue {
    waiting: Vec<Vec<u8>>,
}

impl Queue {
    /// The server has executed this call, and the key has passed from one owner to another.
    pub fn saw(
        &mut self,
        call: &ScriptCall,
        before: Option<&[u8]>,
        owner: Option<&[u8]>,
    ) -> Result<(), Violation> {
        if !call.is_fair() {
            return Ok(());
        }
        let Some(waiter) = call.waiter() else { return Ok(()) };
        if call.releases() {
            self.waiting.retain(|other| other != waiter);
            return Ok(());
        }
        // A holder may acquire again, and is in no queue.
        let owns = owner == Some(&*call.token());
        if owns && before != owner {
            return self.granted(waiter);
        }
        if !owns && call.joins() && !self.waiting.contains(waiter) {
            self.waiting.push(waiter.clone());
        }
        Ok(())
    }

    fn granted(&mut self, waiter: &[u8]) -> Result<(), Violation> {
        match self.waiting.iter().position(|other| other == waiter) {
            Some(0) => {
                self.waiting.remove(0);
                Ok(())
            }
            // A newcomer, and no other waiter.
            None if self.waiting.is_empty() => Ok(()),
            _ => {
                Err(format!("{} was served before {}", waiter.escape_ascii(), self.waiting[0].escape_ascii()))
            }
        }
    }
}
