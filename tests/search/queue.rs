//! The rule of the fair queue: who came first to the server, and still waits, is served first.

use std::collections::BTreeMap;

use crate::{support::read_commands, world::Violation};

/// The waiters of key `a` in their order of arrival, as an onlooker at the server sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Queue {
    waiting: Vec<String>,
    /// By token.
    waiters: BTreeMap<String, String>,
}

impl Queue {
    /// The server has carried these commands out, and the key has passed from one owner to another.
    pub fn saw(
        &mut self,
        bytes: &[u8],
        before: Option<&[u8]>,
        owner: Option<&[u8]>,
    ) -> Result<(), Violation> {
        let commands = read_commands(bytes);
        let last = commands.len().saturating_sub(1);
        for (index, command) in commands.iter().enumerate() {
            match command.name() {
                "fair_acquire" => {
                    let [_, token, _, waiter, _, join, _] = command.arguments() else {
                        panic!("{command:?}")
                    };
                    self.waiters.insert(token.clone(), waiter.clone());
                    // The state is known only after the last of them. Who holds it may ask again, and is in no queue.
                    let owns = owner == Some(token.as_bytes());
                    if index == last && owns && before != owner {
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
