//! First in, first out: who joined a fair queue when, by the server's own order, and who is served.

use std::collections::{BTreeMap, BTreeSet};

use redlatch::{KeyRole, memory::Keyspace};

use crate::{
    memory::{members, score},
    observer::Violation,
    server::Executed,
};

/// One waiter in a queue.
#[derive(Clone, Debug)]
struct Place {
    waiter: Vec<u8>,
    /// Until when its client's places are kept, by the server's clock in ms, as last seen.
    kept: i64,
}

/// The queues of all fair keys of one server, in the order in which the waiters were first seen there.
#[derive(Clone, Debug, Default)]
pub struct Queues(BTreeMap<Vec<u8>, Vec<Place>>);

impl Queues {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Looks at the queues after a command. `calm` if no place may lapse.
    pub fn look(
        &mut self,
        executed: &Executed,
        keys: &Keyspace,
        now: u64,
        calm: bool,
    ) -> Result<(), Violation> {
        let Some(call) = &executed.call else { return Ok(()) };
        if !call.is_fair() {
            return Ok(());
        }
        let leaves = call.releases() || executed.fence.is_some();
        let own = call.waiter();
        // Who is not in all queues joins all of them anew, so that everybody stands in one order.
        let queues = call.keys_of(KeyRole::Queue);
        let stood = |queue: &Vec<u8>| {
            let place = self.0.get(queue).and_then(|line| line.iter().find(|place| place.waiter == *own));
            place.is_some_and(|place| place.kept > now as i64)
        };
        if executed.joined && queues.iter().all(stood) {
            let text = format!("{} was in all queues and got new places", own.escape_ascii());
            return Err(Violation::new("live waiter dropped", text));
        }
        for (queue, leases) in queues.iter().zip(call.keys_of(KeyRole::Positions)) {
            let members = members(keys, queue, now);
            let standing: BTreeSet<&[u8]> = members.iter().copied().collect();
            // Seen for the first time, or since something was lost: as it is.
            let found = || members.iter().map(|member| Place { waiter: member.to_vec(), kept: 0 }).collect();
            let line = self.0.entry(queue.clone()).or_insert_with(found);
            if executed.fence.is_some()
                && !executed.mine
                && let Some(ahead) = line.iter().take_while(|place| place.waiter != *own).next()
                && standing.contains(ahead.waiter.as_slice())
                && ahead.kept > now as i64
            {
                let text = format!(
                    "{} was served before {}, who waits and came earlier, in {}",
                    own.escape_ascii(),
                    ahead.waiter.escape_ascii(),
                    queue.escape_ascii()
                );
                return Err(Violation::new("fifo", text));
            }
            if executed.joined {
                line.retain(|place| place.waiter != *own);
            }
            for place in line.iter().filter(|place| !standing.contains(place.waiter.as_slice())) {
                let left = leaves && place.waiter == *own;
                if !left && (place.kept > now as i64 || calm) {
                    let text =
                        format!("{} lost its place in {}", place.waiter.escape_ascii(), queue.escape_ascii());
                    return Err(Violation::new("live waiter dropped", text));
                }
            }
            line.retain(|place| standing.contains(place.waiter.as_slice()));
            let known: BTreeSet<Vec<u8>> = line.iter().map(|place| place.waiter.clone()).collect();
            for &member in &members {
                if !known.contains(member) {
                    line.push(Place { waiter: member.to_vec(), kept: 0 });
                }
            }
            for place in line.iter_mut() {
                let client = place.waiter.split(|&byte| byte == b':').next().unwrap_or_default();
                place.kept = score(keys, leases, client, now);
            }
            if line.iter().map(|place| place.waiter.as_slice()).ne(members.iter().copied()) {
                let text = format!("the queue {} is not in the order of arrival", queue.escape_ascii());
                return Err(Violation::new("fifo", text));
            }
        }
        Ok(())
    }
}
