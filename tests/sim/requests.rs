//! What applications request from the engine.

use std::collections::BTreeMap;

use redlatch::{Duration, HandleId, Instant};

use crate::{
    client::{SimClient, Stage, Task, request, token_text},
    plan::{Op, Operation, Settings},
    scheduler::SimTask,
    simulation::{Happening, Simulation},
};

impl Simulation<'_> {
    /// Acquires a lock, or adopts the lock of this token.
    pub fn acquire(&mut self, client: usize, index: usize, adopted: Option<Vec<u8>>, now: Instant) {
        let op = &self.plan.ops[index];
        let request = request(op, adopted.as_deref());
        let lock = self.clients[client].engine.acquire(request, now).expect("a proper request");
        self.trace.note(self.now, 5, &lock.0.to_le_bytes(), || {
            let verb = if adopted.is_some() { "adopts" } else { "is" };
            format!("client {client}: {lock:?} {verb} op {index}, {op:?}")
        });
        if let Some(owner) = &adopted {
            self.observer.claims(owner, client);
        }
        let task = Task {
            op: index,
            asked: self.now,
            listened: self.clients[client].listening.most,
            settles: self.clients[client].listening.least.plus(longest_wait(
                op,
                adopted.is_some(),
                &self.plan.settings,
            )),
            stage: Stage::Waiting,
            minted: op.token.is_none(),
            adopted: adopted.is_some(),
            owner: adopted.or_else(|| op.token.map(token_text)).unwrap_or_default(),
            cut: false,
            operations: BTreeMap::new(),
        };
        self.clients[client].tasks.insert(lock, task);
        match op.cancel_after {
            // In the same turn of the event loop, before anything else is asked for.
            Some(0) => self.cancel(client, lock, now),
            Some(span) => self.after(span, Happening::Cancel(client, lock)),
            None => {}
        }
    }

    /// Hands the token of a held lock over to another process.
    pub fn hand_over(&mut self, client: usize, lock: HandleId) {
        let Some(task) = self.clients[client].tasks.get(&lock) else { return };
        let Some(handover) = self.plan.ops[task.op].handover.filter(|_| task.stage == Stage::Held) else {
            return;
        };
        let (op, owner) = (task.op, task.owner.clone());
        self.observer.count("handed over");
        self.trace.note(self.now, 12, &lock.0.to_le_bytes(), || {
            format!("client {client}: {lock:?} goes to client {}", handover.to)
        });
        self.after(handover.travels, Happening::Adopt(handover.to, op, owner));
        if handover.dies {
            self.kill(client);
        }
    }

    pub fn release(&mut self, client: usize, lock: HandleId, now: Instant) {
        let SimClient { tasks, releasing, .. } = &mut self.clients[client];
        let Some(task) = tasks.get_mut(&lock).filter(|task| task.stage == Stage::Held) else { return };
        task.stage = Stage::Releasing;
        if task.minted {
            releasing.push(task.owner.clone());
        }
        self.observer.over(client, lock);
        self.trace.note(self.now, 6, &lock.0.to_le_bytes(), || format!("client {client}: release {lock:?}"));
        self.clients[client].engine.release(lock, now);
    }

    /// A connection of the client dies.
    pub fn cut_releases(&mut self, client: usize) {
        for task in self.clients[client].tasks.values_mut().filter(|task| task.stage == Stage::Releasing) {
            task.cut = true;
        }
    }

    pub fn cancel(&mut self, client: usize, lock: HandleId, now: Instant) {
        let Some(task) = self.clients[client].tasks.get_mut(&lock) else { return };
        if task.stage != Stage::Waiting {
            return;
        }
        task.stage = Stage::Over;
        self.observer.count("cancelled");
        self.trace.note(self.now, 7, &lock.0.to_le_bytes(), || format!("client {client}: cancel {lock:?}"));
        self.clients[client].engine.cancel(lock, now);
    }

    pub fn operate(&mut self, client: usize, lock: HandleId, operation: Operation, now: Instant) {
        let written = self.validity.written_so_far();
        let SimTask { engine, task } = self.parts(client, lock);
        let Some(task) = task.filter(|task| task.stage == Stage::Held) else { return };
        let id = match operation {
            Operation::Extend(ttl) => engine.extend(lock, Duration::from_millis(ttl), now),
            Operation::Verify => engine.verify(lock, now),
        };
        task.operations.insert(id, written);
        self.trace
            .note(self.now, 8, &id.0.to_le_bytes(), || format!("client {client}: {lock:?} {operation:?}"));
    }
}

/// For how long a client has to listen at most until an acquire is settled. A single attempt may need a connection, and two
/// replies if the script is not cached; once more, if the connection turns out to be dead (rule 17).
fn longest_wait(op: &Op, adopted: bool, settings: &Settings) -> Duration {
    let (policy, millis) = (&settings.policy, Duration::from_millis);
    let dial = policy.connect_timeout.max(millis(1000));
    let silence = policy.node_timeout.unwrap_or(millis(2000)).max(dial);
    let longest = match op.wait {
        // In a cluster, for the map and for each redirect; in each slot, and to raise the fences.
        0 if settings.cluster.is_some() => {
            let turns = settings.turns(&op.keys) as u64;
            dial.plus(silence.times(2)).times(8).times(if turns > 1 { turns + 1 } else { 1 })
        }
        0 => dial.plus(silence.times(2)).times(2),
        u64::MAX => Duration::MAX,
        // A re-entry may take as long as two replies for the held lock, beyond its own wait.
        wait if adopted || op.token.is_some() => millis(wait).plus(millis(2500)),
        wait => millis(wait),
    };
    longest.plus(LOOKS)
}

/// How long it takes to look whether an answer has arrived meanwhile: timers are up to 20 ms late, and late looks are
/// repeated.
const LOOKS: Duration = Duration::from_millis(100);
