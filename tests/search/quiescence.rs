//! From any state, without further faults, a world comes to rest: everything is settled, nothing is left.

use crate::{
    action::Action,
    client::Status,
    setup::{Budget, Setup},
    state::{State, Violation},
};

/// Ticks within which everything must be at rest.
const LONGEST: u64 = 60;
/// Steps within which everything must be at rest; otherwise it runs in circles.
const MOST_STEPS: u32 = 10_000;

impl State {
    pub fn settle(mut self, setup: &Setup) -> Result<(), Violation> {
        self.budget = Budget::default();
        let end = self.tick + LONGEST;
        let calm = Setup { horizon: end, ..crate::setup::like(setup) };
        for _ in 0..MOST_STEPS {
            if self.is_at_rest(&calm) {
                return Ok(());
            }
            // In the order in which they are listed, time last: every client and link that can act does.
            let action = self.actions(&calm).into_iter().find(|action| *action != Action::Tick);
            match action {
                Some(action) => self.act(action, &calm)?,
                None if self.tick < end => self.act(Action::Tick, &calm)?,
                None => break,
            }
        }
        Err(self.unrest())
    }

    /// Leases of lost locks have ended by then: nothing is in flight, and a lease is shorter than the wait.
    fn is_at_rest(&self, setup: &Setup) -> bool {
        self.clients.iter().enumerate().all(|(index, client)| {
            client.engine.busy() == 0
                && client.operations == 0
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
        format!("no rest at tick {}: {busy:?}", self.tick)
    }
}
