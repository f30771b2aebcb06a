//! What must hold at the end of the quiet period.

use crate::{
    client::{SimClient, Stage, Task},
    observer::Violation,
    plan::SECOND,
    simulation::Simulation,
};

/// Fence counters are kept for an hour after the lease, and some clocks were set back by a minute or so.
const ALL_EXPIRED: u64 = 3 * 3600 * SECOND;

impl Simulation<'_> {
    /// What the engine says that it owes keeps a process alive, by its timer (rule 18).
    pub fn check_owed(&self, client: usize) -> Result<(), Violation> {
        let SimClient { engine, tasks, .. } = &self.clients[client];
        let is_pending = |task: &Task| match task.stage {
            Stage::Waiting | Stage::Releasing => true,
            Stage::Held => self.plan.ops[task.op].renew || !task.operations.is_empty(),
            Stage::Over => false,
        };
        let owes = engine.owed() > 0;
        let pending = tasks.values().filter(|task| is_pending(task)).count();
        let is_idle = tasks.values().all(|task| task.stage == Stage::Over && task.operations.is_empty());
        let is_timed = !owes || engine.poll_timeout().is_some();
        if (owes || pending == 0) && !(owes && is_idle) && is_timed {
            return Ok(());
        }
        let text = format!("client {client} owes {}, {pending} tasks are pending", engine.owed());
        Err(Violation::new("owed", text))
    }

    pub fn check_settled(&mut self) -> Result<(), Violation> {
        for (index, client) in self.clients.iter().enumerate().filter(|(_, client)| client.alive) {
            for (lock, task) in &client.tasks {
                if task.stage != Stage::Over || !task.operations.is_empty() {
                    let op = &self.plan.ops[task.op];
                    let text = format!("{lock:?} of client {index} is {:?} ({op:?})", task.stage);
                    return Err(Violation::new("settles", text));
                }
            }
            let snapshot = client.engine.inspect();
            let pending: usize = snapshot.nodes.iter().map(|node| node.pending).sum();
            if client.engine.busy() > 0 || pending > 0 {
                return Err(Violation::new("settles", format!("client {index} is still busy: {snapshot:?}")));
            }
        }
        for (index, server) in self.servers.iter().enumerate() {
            for client in (0..self.clients.len()).filter(|&client| self.clients[client].alive) {
                let open = self.links.values().filter(|link| (link.client, link.server) == (client, index));
                if open.filter(|link| link.client_open).count() > 1 {
                    let text = format!("client {client} left more than one open to server {index}");
                    return Err(Violation::new("one connection to each server", text));
                }
            }
            // In a calm world, keys are deleted once their lock has ended; none is left to expire.
            let millis = server.now(self.now).as_micros() / 1000;
            // A waiter that registered while the server refused its shard channel stays there until its registration expires.
            let settings = &self.plan.settings;
            let refuses = settings.without_channels && settings.sharded.contains(&true);
            let keys = server.memory.database(server.database).filter(|_| settings.calm && !refuses);
            let is_kept = |key: &[u8]| key.windows(7).any(|part| part == b"h:fence");
            if let Some((key, ..)) = keys.and_then(|keys| keys.live(millis).find(|(key, ..)| !is_kept(key))) {
                return Err(Violation::new(
                    "nothing left behind",
                    format!("{} on server {index}", key.escape_ascii()),
                ));
            }
            let later = server.now(self.now + ALL_EXPIRED).as_micros() / 1000;
            let Some(keys) = server.memory.database(server.database) else { continue };
            if let Some((key, ..)) = keys.live(later).next() {
                return Err(Violation::new(
                    "no key left",
                    format!("{} on server {index}", key.escape_ascii()),
                ));
            }
        }
        Ok(())
    }
}
