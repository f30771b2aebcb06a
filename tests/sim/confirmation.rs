//! Confirmation: on a new connection, and when a slot has another node, a client asks at once for the locks that it holds
//! (rule 5).

use std::collections::{BTreeMap, BTreeSet};

use redlatch::{Duration, HandleId, NodeId};

use crate::{
    client::{SimClient, Stage, Task},
    cluster::address,
    clusters::slots_of,
    network::LinkId,
    observer::Violation,
    simulation::Simulation,
};

/// The last group of held locks is asked for this long after the connection is ready.
const SPREAD: Duration = Duration::from_millis(100);

/// How long a client may take to ask at a slot's new node, once it is connected there.
const AFTER_MOVE: Duration = Duration::from_millis(200);

/// A timer that is later counts as a stall.
const LATENESS: Duration = Duration::from_millis(20);

#[derive(Default)]
pub struct Confirmations {
    /// The links whose handshake is complete, and which client had one with which server.
    ready: BTreeSet<LinkId>,
    greeted: BTreeSet<(usize, usize)>,
    /// The tokens that commands named, by link.
    asked: BTreeSet<(LinkId, Vec<u8>)>,
    /// The locks that are to be asked for, on which link, and by when in the client's listening time.
    due: BTreeMap<(usize, HandleId), (LinkId, Duration)>,
    /// The locks that are to be asked for because their slot has another node.
    moved: BTreeMap<(usize, HandleId), Moved>,
}

/// A held lock whose slot has another node, as its client knows.
struct Moved {
    /// How many calls had been written when the client read of it.
    since: u64,
    /// By when to ask, in the client's listening time.
    by: Duration,
    /// Whether the client could ask when this was last checked.
    could_be_asked: bool,
}

impl Confirmations {
    pub fn asks(&mut self, link: LinkId, token: Vec<u8>) {
        self.asked.insert((link, token));
    }
}

impl Simulation<'_> {
    /// The client has read something on a link. With several servers, the votes of the others may be what it waits for.
    pub fn expect_confirmations(&mut self, client: usize, link: LinkId) {
        let server = self.links[&link].server;
        if self.plan.settings.votes() > 1
            || self
                .validity
                .routes
                .as_ref()
                .and_then(|routes| routes.first_sentinel)
                .is_some_and(|first| first <= server)
            || self.confirmations.ready.contains(&link)
            || !self.is_ready(client, server)
        {
            return;
        }
        self.confirmations.ready.insert(link);
        if self.confirmations.greeted.insert((client, server)) {
            return;
        }
        let SimClient { tasks, listening, .. } = &self.clients[client];
        let by = listening.least.plus(SPREAD).plus(LATENESS);
        let is_there =
            |slot| self.validity.routes.as_ref().is_none_or(|routes| routes.is_at(client, slot, server));
        let is_held = |task: &Task| {
            task.stage == Stage::Held && slots_of(&self.plan.ops[task.op].keys).into_iter().any(is_there)
        };
        for (&lock, _) in tasks.iter().filter(|(_, task)| is_held(task)) {
            self.observer.count("to be confirmed on a new connection");
            self.confirmations.due.insert((client, lock), (link, by));
        }
    }

    fn is_ready(&self, client: usize, server: usize) -> bool {
        let engine = &self.clients[client].engine;
        let mut nodes = (0..).map(NodeId).zip(engine.inspect().nodes);
        nodes.any(|(node, snapshot)| {
            let is_it = match (engine.address(node), &self.validity.routes) {
                (Some(known), _) => known == address(server),
                (None, Some(routes)) => {
                    routes.first_sentinel.is_some_and(|first| first + node.0 as usize == server)
                }
                (None, None) => true,
            };
            is_it && snapshot.state == "ready"
        })
    }

    /// Whether a call about a lock has no answer yet. One command of a lock is in flight at a time, and the node before may
    /// take long to answer.
    fn is_asking(&self, client: usize, token: &[u8]) -> bool {
        let mut links = self.links.iter().filter(|(_, link)| link.client == client && link.client_open);
        links.any(|(&link, _)| self.validity.is_asked(link, token))
    }

    /// The client has read something: some slots may have other nodes, as it knows.
    pub fn note_moves(&mut self, client: usize) {
        let Some(routes) = &mut self.validity.routes else { return };
        let (slots, since) = (routes.take_shifted(client), self.validity.written_so_far());
        let SimClient { tasks, listening, .. } = &self.clients[client];
        let by = listening.least.plus(AFTER_MOVE).plus(LATENESS);
        for (&lock, task) in tasks.iter().filter(|(_, task)| task.stage == Stage::Held) {
            let of_lock = slots_of(&self.plan.ops[task.op].keys);
            if slots.iter().any(|slot| of_lock.contains(slot)) {
                self.observer.count("to be confirmed at another node");
                self.confirmations.moved.insert((client, lock), Moved { since, by, could_be_asked: false });
            }
        }
    }

    /// No lock of this client is believed in for long after its slot has another node, unless that cannot be asked.
    fn check_moved(&mut self, client: usize) -> Result<(), Violation> {
        let mut moved = std::mem::take(&mut self.confirmations.moved);
        let mut late = None;
        let SimClient { tasks, listening, .. } = &self.clients[client];
        moved.retain(|&(of, lock), moved| {
            if of != client {
                return true;
            }
            let task = &tasks[&lock];
            let is_open =
                task.stage == Stage::Held && self.validity.last_call(client, &task.owner) <= moved.since;
            // One question concerns all slots of the lock.
            let nodes = slots_of(&self.plan.ops[task.op].keys)
                .into_iter()
                .map(|slot| self.validity.routes.as_ref().and_then(|routes| routes.believed(client, slot)));
            let mut can_be_asked =
                nodes.map(|route| route.is_some_and(|route| self.is_ready(client, route.node)));
            let can = !self.is_asking(client, &task.owner) && can_be_asked.all(|can| can);
            // The time begins when it can.
            if is_open && !(std::mem::replace(&mut moved.could_be_asked, can) && can) {
                moved.by = listening.least.plus(AFTER_MOVE).plus(LATENESS);
            } else if is_open && listening.least > moved.by {
                late = Some(lock);
            }
            is_open
        });
        self.confirmations.moved = moved;
        match late {
            Some(lock) => {
                let text = format!("client {client} has not asked for {lock:?} at the new node of its slot");
                Err(Violation::new("confirmed", text))
            }
            None => Ok(()),
        }
    }

    /// No lock of this client is believed in without a question for longer than allowed.
    pub fn check_confirmed(&mut self, client: usize) -> Result<(), Violation> {
        self.check_moved(client)?;
        let mut due = std::mem::take(&mut self.confirmations.due);
        let SimClient { tasks, listening, .. } = &self.clients[client];
        let (asked, links) = (&self.confirmations.asked, &self.links);
        let mut late = None;
        due.retain(|&(of, lock), &mut (link, by)| {
            if of != client {
                return true;
            }
            let task = &tasks[&lock];
            let is_elsewhere = self.validity.routes.as_ref().is_some_and(|routes| {
                let mut slots = slots_of(&self.plan.ops[task.op].keys).into_iter();
                let is_there = slots.any(|slot| routes.is_at(client, slot, links[&link].server));
                // A question may wait for a connection to the node to which it was redirected.
                let mut nodes = self.clients[client].engine.inspect().nodes.into_iter();
                let is_dialling = nodes.any(|node| node.state == "connecting");
                !is_there || is_dialling || self.is_asking(client, &task.owner)
            });
            let is_open = task.stage == Stage::Held
                && links[&link].client_open
                && !is_elsewhere
                && !asked.contains(&(link, task.owner.clone()));
            if is_open && listening.least > by {
                late = Some(lock);
            }
            is_open
        });
        self.confirmations.due = due;
        match late {
            Some(lock) => {
                let text = format!("client {client} has not asked for {lock:?} on its new connection");
                Err(Violation::new("confirmed", text))
            }
            None => Ok(()),
        }
    }
}
