//! What may happen next in a world.

use crate::{network::LinkState, setup::Setup, state::State};

/// One branch. Links are named by their index in the state's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A client takes the next step of its plan.
    Op(usize),
    /// A client's due timers fire.
    Timer(usize),
    /// A connection is made.
    Dial(usize),
    /// The next bytes arrive at the server.
    Up(usize),
    /// The next bytes arrive at the client.
    Down(usize),
    /// A connection ends, and the bytes that the client sent are lost.
    Cut(usize),
    /// A connection ends for the client, and the bytes that it sent still arrive at the server.
    Abandon(usize),
    /// Time advances by a tick.
    Tick,
    /// Time advances, but not by this client's clock.
    TickWithout(usize),
    /// A server ends and starts again.
    Crash(usize),
    /// A server forgets its scripts.
    FlushScripts(usize),
    /// A key vanishes from a server.
    LoseKey(usize, &'static str),
}

impl Action {
    /// Whether this is a fault: a world has only so many of them.
    pub const fn is_fault(self) -> bool {
        !matches!(
            self,
            Self::Op(_) | Self::Timer(_) | Self::Dial(_) | Self::Up(_) | Self::Down(_) | Self::Tick
        )
    }
}

impl State {
    /// Everything that may happen in this state.
    pub fn actions(&self, setup: &Setup) -> Vec<Action> {
        let mut actions = Vec::new();
        for (index, client) in self.clients.iter().enumerate() {
            if setup.plans[index].get(client.step).is_some_and(|op| client.is_able(op)) {
                actions.push(Action::Op(index));
            }
            if client.has_due_timer(self.tick) {
                actions.push(Action::Timer(index));
            }
        }
        for (index, link) in self.links.iter().enumerate() {
            match link.state {
                LinkState::Dialing => actions.push(Action::Dial(index)),
                LinkState::Open | LinkState::Abandoned => {
                    if !link.up.is_empty() {
                        actions.push(Action::Up(index));
                    }
                    if !link.down.is_empty() {
                        actions.push(Action::Down(index));
                    }
                }
            }
            if link.state == LinkState::Open && self.budget.breaks > 0 {
                actions.push(Action::Cut(index));
                if !link.up.is_empty() {
                    actions.push(Action::Abandon(index));
                }
            }
        }
        if self.tick < setup.horizon && (self.budget.stalls > 0 || !self.is_any_timer_due()) {
            actions.push(Action::Tick);
            if self.budget.lags > 0 {
                actions.extend((0..self.clients.len()).map(Action::TickWithout));
            }
        }
        if self.budget.crashes > 0 {
            actions.extend((0..self.servers.len()).map(Action::Crash));
        }
        if self.budget.flushes > 0 {
            actions.extend((0..self.servers.len()).map(Action::FlushScripts));
        }
        if self.budget.key_losses > 0 {
            for server in 0..self.servers.len() {
                let held = |key: &&'static str| self.owner(server, key).is_some();
                actions.extend(["a", "b"].into_iter().filter(held).map(|key| Action::LoseKey(server, key)));
            }
        }
        actions
    }

    fn is_any_timer_due(&self) -> bool {
        self.clients.iter().any(|client| client.has_due_timer(self.tick))
    }
}
