//! The replies of servers, from which follows what a client may report.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    observer::{Hold, Violation},
    plan::Micros,
    server::Executed,
};

pub struct Evidence {
    servers: usize,
    /// Grants that servers made, by token.
    granted: BTreeMap<Vec<u8>, Vec<(usize, Micros, u64)>>,
    /// Servers that extended leases, by token, and when.
    extended: BTreeMap<Vec<u8>, Vec<(usize, Micros)>>,
    /// Servers that deleted keys of a token, and how many.
    deleted: Vec<(Vec<u8>, usize)>,
    /// Servers that replied that a token does not hold the keys.
    denied: BTreeMap<Vec<u8>, BTreeSet<usize>>,
}

impl Evidence {
    pub fn new(servers: usize) -> Self {
        Self {
            servers,
            granted: BTreeMap::new(),
            extended: BTreeMap::new(),
            deleted: Vec::new(),
            denied: BTreeMap::new(),
        }
    }

    /// A server has executed a command of a lock. Returns whether it granted the lock to a token that it had said does not
    /// hold it.
    pub fn record(&mut self, server: usize, executed: &Executed, time: Micros) -> bool {
        let (call, token) = (&executed.call, executed.call.token());
        let mut is_back = false;
        if let Some(fence) = executed.fence {
            is_back = self.denied.get(&token).is_some_and(|servers| servers.contains(&server));
            self.granted.entry(token.clone()).or_default().push((server, time, fence));
        }
        if executed.extended() {
            self.extended.entry(token.clone()).or_default().push((server, time));
        }
        if call.releases() && executed.count > 0 {
            self.deleted.push((token.clone(), executed.count));
        }
        if call.extends() && executed.done && executed.count == 0 {
            self.denied.entry(token).or_default().insert(server);
        }
        is_back
    }

    /// A lock that is reported as released was deleted: all of its keys, by a majority.
    pub fn check_released(&self, owner: &[u8], keys: usize) -> Result<(), Violation> {
        let servers =
            self.deleted.iter().filter(|(token, deleted)| token == owner && *deleted == keys).count();
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
        Ok(())
    }
}
