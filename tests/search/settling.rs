//! From any state, once nothing goes wrong any more, a world comes to rest: all is settled, nothing is left behind.

use crate::{
    action::Action,
    client::{Status, instant},
    setup::{Budget, Setup},
    world::{Violation, World},
};

/// Ticks within which everything must be at rest.
const LONGEST: u64 = 60;

impl World {
    pub fn settle(mut self, setup: &Setup) -> Result<(), Violation> {
        self.budget = Budget::default();
        let end = self.tick + LONGEST;
        let calm = Setup { horizon: end, ..crate::setup::like(setup) };
        while !self.is_at_rest(&calm) {
            // In the order in which they are listed, time last: whoever can do something does.
            let action = self.actions(&calm).into_iter().find(|action| *action != Action::Tick);
            match action {
                Some(action) => self.act(action, &calm)?,
                None if self.tick < end => self.act(Action::Tick, &calm)?,
                None => return Err(self.unrest()),
            }
        }
        let now = instant(self.tick).as_micros() / 1000;
        for server in &self.servers {
            let locks = server.database(0).into_iter().flat_map(|keys| keys.live(now));
            if let Some((key, ..)) =
                locks.map(|(key, value, _)| (key, value)).find(|(key, _)| *key == b"a" || *key == b"b")
            {
                return Err(format!("{} is left locked", String::from_utf8_lossy(key)));
            }
        }
        Ok(())
    }

    /// Leases that nobody knows of are over by then: nothing is under way, and a lease is shorter than the wait.
    fn is_at_rest(&self, setup: &Setup) -> bool {
        self.clients.iter().enumerate().all(|(index, client)| {
            client.engine.busy() == 0
                && client.slots.iter().all(|slot| slot.status == Status::Over)
                && client.step == setup.plans[index].len()
        }) && self.links.iter().all(|link| link.up.is_empty())
            && ["a", "b"]
                .iter()
                .all(|key| (0..self.servers.len()).all(|server| self.owner(server, key).is_none()))
    }

    fn unrest(&self) -> Violation {
        let busy: Vec<_> =
            self.clients.iter().map(|client| (client.engine.busy(), client.step, &client.slots)).collect();
        format!("no rest after {LONGEST} ticks: {busy:?}")
    }
}
