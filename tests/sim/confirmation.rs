//! Confirmation: on a new connection, a client asks at once for the locks that it holds (rule 5).

use std::collections::{BTreeMap, BTreeSet};

use redlatch::{Duration, HandleId};

use crate::{
    client::{SimClient, Stage},
    network::LinkId,
    observer::Violation,
    simulation::Simulation,
};

/// The last group of held locks is asked for this long after the connection is ready.
const SPREAD: Duration = Duration::from_millis(100);

/// A timer that is later counts as a stall.
const LATENESS: Duration = Duration::from_millis(20);

#[derive(Default)]
pub struct Confirmations {
    /// The links whose handshake is complete, and the clients that had one.
    ready: BTreeSet<LinkId>,
    greeted: BTreeSet<usize>,
    /// The tokens that commands named, by link.
    asked: BTreeSet<(LinkId, Vec<u8>)>,
    /// The locks that are to be asked for, on which link, and by when in the client's listening time.
    due: BTreeMap<(usize, HandleId), (LinkId, Duration)>,
}

impl Confirmations {
    pub fn asks(&mut self, link: LinkId, token: Vec<u8>) {
        self.asked.insert((link, token));
    }
}

impl Simulation<'_> {
    /// The client has read something on a link. With several servers, the votes of the others may be what it waits for.
    pub fn expect_confirmations(&mut self, client: usize, link: LinkId) {
        let SimClient { engine, tasks, listening, .. } = &self.clients[client];
        if self.servers.len() > 1
            || self.confirmations.ready.contains(&link)
            || engine.inspect().nodes[0].state != "ready"
        {
            return;
        }
        self.confirmations.ready.insert(link);
        if self.confirmations.greeted.insert(client) {
            return;
        }
        let by = listening.least.plus(SPREAD).plus(LATENESS);
        for (&lock, _) in tasks.iter().filter(|(_, task)| task.stage == Stage::Held) {
            self.observer.count("to be confirmed on a new connection");
            self.confirmations.due.insert((client, lock), (link, by));
        }
    }

    /// No lock of this client is believed in without a question for longer than allowed.
    pub fn check_confirmed(&mut self, client: usize) -> Result<(), Violation> {
        let SimClient { tasks, listening, .. } = &self.clients[client];
        let (asked, links) = (&self.confirmations.asked, &self.links);
        let mut late = None;
        self.confirmations.due.retain(|&(of, lock), &mut (link, by)| {
            if of != client {
                return true;
            }
            let task = &tasks[&lock];
            let is_open = task.stage == Stage::Held
                && links[&link].client_open
                && !asked.contains(&(link, task.owner.clone()));
            if is_open && listening.least > by {
                late = Some(lock);
            }
            is_open
        });
        match late {
            Some(lock) => {
                let text = format!("client {client} has not asked for {lock:?} on its new connection");
                Err(Violation::new("confirmed", text))
            }
            None => Ok(()),
        }
    }
}
