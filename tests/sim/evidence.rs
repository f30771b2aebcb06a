//! The replies of servers, from which follows what a client may report.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    clusters::{slot_of, slots_of},
    observer::{Hold, Violation},
    plan::{Micros, Settings},
    server::Executed,
    wire::slot,
};

pub struct Evidence {
    /// How many votes there are; below, a server stands for its vote.
    servers: usize,
    vote_of: Vec<usize>,
    /// Grants that servers made, by token.
    granted: BTreeMap<Vec<u8>, Vec<(usize, Micros, u64)>>,
    /// The slots in which a token was granted keys, and when last; those in which its leases were extended.
    granted_in: BTreeMap<Vec<u8>, BTreeMap<u16, Micros>>,
    extended_in: BTreeMap<Vec<u8>, BTreeMap<u16, Micros>>,
    /// Servers that extended leases, by token, and when.
    extended: BTreeMap<Vec<u8>, Vec<(usize, Micros)>>,
    /// The keys of a token that servers deleted: in which slot, and how many.
    deleted: Vec<(Vec<u8>, u16, usize)>,
    /// Servers that replied that a token does not hold the keys.
    denied: BTreeMap<Vec<u8>, BTreeSet<usize>>,
}

impl Evidence {
    pub fn new(settings: &Settings) -> Self {
        Self {
            servers: settings.votes(),
            vote_of: (0..settings.servers).map(|server| settings.vote_of(server)).collect(),
            granted: BTreeMap::new(),
            granted_in: BTreeMap::new(),
            extended_in: BTreeMap::new(),
            extended: BTreeMap::new(),
            deleted: Vec::new(),
            denied: BTreeMap::new(),
        }
    }

    /// A server has executed a command of a lock. Returns whether it granted the lock to a token that it had said does not
    /// hold it.
    pub fn record(&mut self, server: usize, executed: &Executed, time: Micros) -> bool {
        let (call, token) = (&executed.call, executed.call.token());
        let server = self.vote_of[server];
        let mut is_back = false;
        if let Some(fence) = executed.fence {
            is_back = self.denied.get(&token).is_some_and(|servers| servers.contains(&server));
            self.granted.entry(token.clone()).or_default().push((server, time, fence));
            self.granted_in.entry(token.clone()).or_default().insert(slot(call), time);
        }
        if executed.extended() {
            self.extended_in.entry(token.clone()).or_default().insert(slot(call), time);
            self.extended.entry(token.clone()).or_default().push((server, time));
        }
        if call.releases() && executed.count > 0 {
            self.deleted.push((token.clone(), slot(call), executed.count));
        }
        if call.extends() && executed.done && executed.count == 0 {
            self.denied.entry(token).or_default().insert(server);
        }
        is_back
    }

    /// A lock that is reported as released was deleted: all of its keys, by a majority, or in all of its slots.
    pub fn check_released(
        &self,
        owner: &[u8],
        keys: &BTreeSet<usize>,
        turns: usize,
    ) -> Result<(), Violation> {
        if turns > 1 {
            let keys_in = |slot| keys.iter().filter(|&&key| slot_of(key) == slot).count();
            let is_deleted = |&slot: &u16| self.deleted.contains(&(owner.to_vec(), slot, keys_in(slot)));
            let slots = slots_of(keys);
            if !slots.iter().all(is_deleted) {
                return Err(Violation::new("released", format!("not all keys in {slots:?} were deleted")));
            }
            return Ok(());
        }
        let keys = keys.len();
        let servers =
            self.deleted.iter().filter(|(token, _, deleted)| token == owner && *deleted == keys).count();
        if servers <= self.servers / 2 {
            return Err(Violation::new("released", format!("{servers} servers deleted the keys")));
        }
        Ok(())
    }

    /// A lock is reported as "not ours" only if so many servers denied it that no majority is left.
    pub fn check_denied(&self, owner: &[u8]) -> Result<(), Violation> {
        let servers = self.denied.get(owner).map_or(0, BTreeSet::len);
        if self.servers.saturating_sub(servers) > self.servers / 2 {
            return Err(Violation::new(
                "lost by reply",
                format!("{servers} servers said that it is not ours"),
            ));
        }
        Ok(())
    }

    /// When a server granted this lock first.
    pub fn first_grant(&self, hold: &Hold) -> Option<Micros> {
        let grants = self.granted.get(&hold.owner)?;
        grants.iter().map(|&(_, time, _)| time).filter(|&time| time >= hold.asked).min()
    }

    /// A lock that is reported as granted was granted, by a majority, after it was requested.
    pub fn check_grant(&self, hold: &Hold, fence: u64) -> Result<(), Violation> {
        let grants = self.granted.get(&hold.owner).map(Vec::as_slice).unwrap_or_default();
        // A token of the application may have been granted before: then the lock is re-entered.
        let since = if hold.minted { hold.asked } else { 0 };
        let servers: BTreeSet<_> =
            grants.iter().filter(|&&(_, time, _)| time >= since).map(|(server, ..)| server).collect();
        if servers.len() <= self.servers / 2 {
            let text = format!(
                "lock {:?} of client {}: {} servers granted it",
                hold.lock,
                hold.client,
                servers.len()
            );
            return Err(Violation::new("grant without majority", text));
        }
        self.check_slots(&self.granted_in, hold, since)?;
        if self.servers == 1 && !grants.iter().any(|&(_, _, granted)| granted == fence) {
            return Err(Violation::new("fence", format!("{fence} is not what the server said")));
        }
        Ok(())
    }

    /// A lock that is reported as adopted was extended, by a majority, after the adoption was requested.
    pub fn check_adoption(&self, hold: &Hold) -> Result<(), Violation> {
        let extended = self.extended.get(&hold.owner).map(Vec::as_slice).unwrap_or_default();
        let servers: BTreeSet<_> =
            extended.iter().filter(|&&(_, time)| time >= hold.asked).map(|(server, _)| server).collect();
        if servers.len() <= self.servers / 2 {
            let (lock, client) = (hold.lock, hold.client);
            let text = format!("{lock:?} of client {client}: {} servers extended it", servers.len());
            return Err(Violation::new("grant without majority", text));
        }
        self.check_slots(&self.extended_in, hold, hold.asked)
    }

    /// All slots of a lock said yes after it was requested.
    fn check_slots(
        &self,
        said: &BTreeMap<Vec<u8>, BTreeMap<u16, Micros>>,
        hold: &Hold,
        since: Micros,
    ) -> Result<(), Violation> {
        let slots = said.get(&hold.owner).into_iter().flatten();
        let yes = slots.filter(|&(slot, &time)| time >= since && slots_of(&hold.keys).contains(slot)).count();
        if hold.turns > 1 && yes < hold.turns {
            let text = format!("{:?}: {yes} of {} slots said yes", hold.lock, hold.turns);
            return Err(Violation::new("grant without majority", text));
        }
        Ok(())
    }
}
