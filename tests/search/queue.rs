//! The rule of the fair queue: who came first to the server, and still waits, is served first.

use crate::{support::Command, world::Violation};

/// The waiters of key `a` in their order of arrival, as an onlooker at the server sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Queue {
    waiting: Vec<String>,
}

impl Queue {
    /// The server has carried this command out, and the key has passed from one owner to another.
    pub fn saw(
        &mut self,
        command: &Command,
        before: Option<&[u8]>,
        owner: Option<&[u8]>,
    ) -> Result<(), Violation> {
        match command.name() {
            "fair_acquire" => {
                let [_, token, _, waiter, _, join, _] = command.arguments() else { panic!("{command:?}") };
                // Who holds it may ask again, and is in no queue.
                let owns = owner == Some(token.as_bytes());
                if owns && before != owner {
                    self.granted(waiter)?;
                } else if !owns && join == "1" && !self.waiting.contains(waiter) {
                    self.waiting.push(waiter.clone());
                }
            }
            "fair_release" => {
                let waiter = &command.arguments()[2];
                self.waiting.retain(|other| other != waiter);
            }
            _ => {}
        }
        Ok(())
    }

    fn granted(&mut self, waiter: &str) -> Result<(), Violation> {
        match self.waiting.iter().position(|other| other == waiter) {
            Some(0) => {
                self.waiting.remove(0);
                Ok(())
            }
            // Newly come, and nobody waits.
            None if self.waiting.is_empty() => Ok(()),
            _ => Err(format!("{waiter} was served before {}", self.waiting[0])),
        }
    }
}
