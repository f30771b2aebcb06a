//! First in, first out: the order in which waiters joined a fair queue, by the server's own keys, is the
//! order in which they get the lock.

use std::collections::{BTreeMap, BTreeSet};

use redlatch::{KeyRole, memory::Keyspace};

use crate::{
    memory::{members, score},
    observer::Violation,
    server::Executed,
};

/// One waiter in a queue.
#[derive(Clone, Debug)]
struct Position {
    waiter: Vec<u8>,
    /// Until when its client's position leases last, by the server's clock in ms, when they were last read.
    kept: i64,
}

/// The queues of all fair keys of one server, in the order in which the waiters were first seen there.
#[derive(Clone, Debug, Default)]
pub struct Queues(BTreeMap<Vec<u8>, Vec<Position>>);

impl Queues {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Checks the queues after a command. `calm` if no position lease may lapse.
    pub fn look(
        &mut self,
        executed: &Executed,
        keys: &Keyspace,
        now: u64,
        calm: bool,
    ) -> Result<(), Violation> {
        let call = &executed.call;
        if !call.is_fair() {
            return Ok(());
        }
        let leaves = call.releases() || executed.fence.is_some();
        let own = call.waiter().cloned().unwrap_or_default();
        // A waiter that is missing from one queue joins all of them anew, so that all queues have one order.
        let queues = call.keys_of(KeyRole::Queue);
        let stood = |queue: &Vec<u8>| {
            let position =
                self.0.get(queue).and_then(|order| order.iter().find(|position| position.waiter == own));
            position.is_some_and(|position| position.kept > now as i64)
        };
        if executed.joined && queues.iter().all(stood) {
            let text = format!("{} was in all queues and joined again", own.escape_ascii());
            return Err(Violation::new("live waiter dropped", text));
        }
        for (queue, leases) in queues.iter().zip(&call.keys_of(KeyRole::Positions)) {
            let members = members(keys, queue, now);
            let standing: BTreeSet<&[u8]> = members.iter().copied().collect();
            // Seen for the first time, or since keys were lost: taken as it is.
            let found =
                || members.iter().map(|member| Position { waiter: member.to_vec(), kept: 0 }).collect();
            let order = self.0.entry(queue.clone()).or_insert_with(found);
            if executed.fence.is_some()
                && !executed.mine
                && let Some(ahead) = order.iter().take_while(|position| position.waiter != own).next()
                && standing.contains(ahead.waiter.as_slice())
                && ahead.kept > now as i64
            {
                let text = format!(
                    "{} was served before {}, which still waits and arrived earlier, in {}",
                    own.escape_ascii(),
                    ahead.waiter.escape_ascii(),
                    queue.escape_ascii()
                );
                return Err(Violation::new("fifo", text));
            }
            if executed.joined {
                order.retain(|position| position.waiter != own);
            }
            for position in order.iter().filter(|position| !standing.contains(position.waiter.as_slice())) {
                let left = leaves && position.waiter == own;
                if !left && (position.kept > now as i64 || calm) {
                    let text = format!(
                        "{} lost its position in {}",
                        position.waiter.escape_ascii(),
                        queue.escape_ascii()
                    );
                    return Err(Violation::new("live waiter dropped", text));
                }
            }
            order.retain(|position| standing.contains(position.waiter.as_slice()));
            let known: BTreeSet<Vec<u8>> = order.iter().map(|position| position.waiter.clone()).collect();
            for &member in &members {
                if !known.contains(member) {
                    order.push(Position { waiter: member.to_vec(), kept: 0 });
                }
            }
            for position in order.iter_mut() {
                let client = position.waiter.split(|&byte| byte == b':').next().unwrap_or_default();
                position.kept = score(keys, leases, client, now);
            }
            if order.iter().map(|position| position.waiter.as_slice()).ne(members.iter().copied()) {
                let text = format!("the queue {} is not in the order of arrival", queue.escape_ascii());
                return Err(Violation::new("fifo", text));
            }
        }
        Ok(())
    }
}
