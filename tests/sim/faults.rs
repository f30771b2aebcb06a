//! The faults, and how each ends.

use redlatch::memory::Keyspace;

use crate::{
    clusters::slot_of,
    network::{LinkId, Way},
    observer::Violation,
    plan::{What, key_name},
    simulation::{Happening, Simulation},
};

impl Simulation<'_> {
    pub fn begin_fault(&mut self, index: usize) -> Result<(), Violation> {
        let what = self.plan.faults[index].what;
        self.trace.note(self.now, 20, &[], || format!("fault: {what:?}"));
        self.observer.count(what.name());
        match what {
            What::Cut { client, server } => {
                for id in self.links_between(Some(client), server) {
                    self.cut(id);
                }
            }
            What::Mute { client, server, up, down } => {
                self.cut_releases(client);
                for id in self.links_between(Some(client), server) {
                    for (way, mute) in [(Way::Up, up), (Way::Down, down)] {
                        if mute {
                            self.mute(id, way);
                        }
                    }
                }
            }
            What::Reset { client, server } => {
                self.cut_releases(client);
                for id in self.links_between(Some(client), server) {
                    self.mute(id, Way::Up);
                    self.mute(id, Way::Down);
                    self.links.get_mut(&id).expect("a link").reset = true;
                }
            }
            What::Tamper { client, server, how } => {
                for id in self.links_between(Some(client), server) {
                    self.links.get_mut(&id).expect("a link").tamper = Some(how);
                }
            }
            What::Crash { server, keeps, silent, down } => {
                self.crash(server, keeps, silent);
                self.after(down, Happening::Mended(index));
            }
            What::Pause { server, lasts } => {
                self.servers[server].paused = true;
                self.after(lasts, Happening::Mended(index));
            }
            What::ServerStep { server, by } => {
                self.servers[server].clock.step(by);
                self.observer.stepped(server, by, self.now);
            }
            What::ClientStep { client, by } => self.clients[client].clock.step(by),
            What::Stall { client, lasts } | What::Suspend { client, lasts } => {
                let until = self.now + lasts;
                let this = &mut self.clients[client];
                this.stalled = Some(this.stalled.unwrap_or(0).max(until));
                if matches!(what, What::Suspend { .. }) {
                    this.clock.suspend(self.now);
                }
                self.at(until, Happening::Awake(client));
            }
            What::Kill { client } => self.kill(client),
            What::LoseKey { server, key, which } => self.lose_key(server, key, which),
            What::FlushScripts { server } => self.servers[server].memory.flush_scripts(),
            What::Trouble { server, which, lasts } => {
                self.servers[server].memory.set_trouble(Some(which));
                self.after(lasts, Happening::Mended(index));
            }
            What::Deny { server, command, lasts } => {
                self.servers[server].deny(command);
                self.after(lasts, Happening::Mended(index));
            }
            What::DenyKey { server, key, lasts } => {
                self.servers[server].deny_key(key);
                self.after(lasts, Happening::Mended(index));
            }
            What::Cluster(what) => return self.begin_upheaval(index, what),
        }
        Ok(())
    }

    pub fn end_fault(&mut self, index: usize) -> Result<(), Violation> {
        match self.plan.faults[index].what {
            What::Crash { server, .. } => self.restart(server),
            What::Pause { server, .. } => return self.resume(server),
            What::Trouble { server, .. } => self.servers[server].memory.set_trouble(None),
            What::Deny { server, .. } | What::DenyKey { server, .. } => self.servers[server].allow_all(),
            What::Cluster(what) => self.end_upheaval(what),
            _ => {}
        }
        Ok(())
    }

    /// From here on no fault happens, and no application requests a lock.
    pub fn begin_quiet(&mut self) -> Result<(), Violation> {
        self.trace.note(self.now, 21, &[], || "quiet from here on".to_owned());
        self.quiet = true;
        self.settle_cluster()?;
        for server in 0..self.servers.len() {
            self.restart(server);
            self.servers[server].memory.set_trouble(None);
            self.servers[server].allow_all();
            self.resume(server)?;
        }
        for client in 0..self.clients.len() {
            if self.clients[client].stalled.is_some() {
                self.clients[client].stalled = Some(self.now);
                self.awake(client)?;
            }
        }
        Ok(())
    }

    pub fn kill(&mut self, client: usize) {
        self.clients[client].alive = false;
        self.observer.killed(client);
        for server in 0..self.servers.len() {
            for id in self.links_between(Some(client), server) {
                self.links.get_mut(&id).expect("a link").client_open = false;
                self.send(id, Way::Up, Happening::ServerEnd(id));
            }
        }
    }

    fn links_between(&self, client: Option<usize>, server: usize) -> Vec<LinkId> {
        let links = self.links.iter().filter(|(_, link)| {
            link.server == server
                && client.is_none_or(|client| link.client == client)
                && (link.client_open || link.server_open)
        });
        links.map(|(&id, _)| id).collect()
    }

    fn mute(&mut self, id: LinkId, way: Way) {
        self.under_way(id, way).for_each(Vec::clear);
        self.links.get_mut(&id).expect("a link").muted[way as usize] = true;
    }

    /// Breaks a connection at any byte, in each direction.
    fn cut(&mut self, id: LinkId) {
        for way in [Way::Up, Way::Down] {
            let link = self.links.get_mut(&id).expect("a link");
            let mut rng = link.rng.clone();
            rng.next();
            link.rng = rng.clone();
            let total: usize = self.under_way(id, way).map(|bytes| bytes.len()).sum();
            let mut left = rng.index(total + 1);
            for bytes in self.under_way(id, way) {
                bytes.truncate(left);
                left -= bytes.len();
            }
            self.send(
                id,
                way,
                match way {
                    Way::Up => Happening::ServerEnd(id),
                    Way::Down => Happening::ClientEnd(id),
                },
            );
        }
    }

    pub fn crash(&mut self, server: usize, keeps: bool, silent: bool) {
        let this = &mut self.servers[server];
        this.crash(keeps);
        this.down = true;
        this.silent = silent;
        self.backlogs[server].clear();
        if !keeps {
            self.servers[server].forgot.get_or_insert(self.now);
            self.observer.forgot(server);
        }
        for id in self.links_between(None, server) {
            self.links.get_mut(&id).expect("a link").server_open = false;
            if silent {
                self.mute(id, Way::Up);
                self.mute(id, Way::Down);
            } else {
                self.send(id, Way::Down, Happening::ClientEnd(id));
            }
        }
    }

    /// A server that lost everything exempts from nothing if it stays away until all leases have ended, as
    /// Redlock demands.
    pub fn restart(&mut self, server: usize) {
        let this = &mut self.servers[server];
        this.down = false;
        let Some(since) = this.forgot.take() else { return };
        if self.now < since + self.plan.longest_lease() {
            self.observer.back_too_soon(since);
        } else if self.plan.settings.votes() > 2 {
            self.observer.count("back after all leases");
        }
    }

    /// A key is deleted or evicted: the lock key, or one that is derived from it.
    fn lose_key(&mut self, server: usize, key: usize, which: usize) {
        let server = self.server_of(server, key);
        let lock = String::from_utf8(key_name(key)).expect("a plain name");
        let derived = |name: &str| format!("redlatch:{name}:{{{lock}}}").into_bytes();
        let name = match which {
            0 => lock.clone().into_bytes(),
            1 => b"redlatch:fence".to_vec(),
            2 => derived("waiters"),
            3 => derived("queue"),
            _ => derived("places"),
        };
        let mut name = name;
        if self.servers[server].memory.cluster().is_some() && which > 0 {
            // Those of a cluster have the tag of their slot.
            let kind = [&b"fence"[..], b"waiters", b"queue", b"places"][which.min(4) - 1];
            let names = self.servers[server].memory.keys_in_slot(slot_of(key));
            let is_kind = |each: &Vec<u8>| each.windows(kind.len()).any(|part| part == kind);
            name = names.into_iter().find(is_kind).unwrap_or(name);
        }
        let this = &mut self.servers[server];
        let (now, number) = (this.now(self.now).as_micros() / 1000, this.database);
        Keyspace::remove(this.memory.database_mut(number), &name, now);
        self.observer.lost(server, key, which == 1, self.now);
    }
}
