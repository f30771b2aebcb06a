//! Upheavals of a cluster, as its nodes go through them.

use std::collections::BTreeSet;

use redlatch::memory::ClusterView;

use crate::{
    cluster::{Change, HOST, MASTER, Step, name, port},
    clusters::{Former, Upheaval, slot_of},
    observer::Violation,
    plan::{MS, Micros, key_name},
    rng::Rng,
    simulation::{Happening, Simulation},
};

/// How long a message takes from one node to the others.
const BUS: Micros = 300;

impl Simulation<'_> {
    pub fn begin_upheaval(&mut self, index: usize, what: Upheaval) -> Result<(), Violation> {
        let (nodes, mut rng) = (self.servers.len(), Rng::of(self.plan.seed, 2000 + index as u64));
        let Some(cluster) = &mut self.cluster else { return Ok(()) };
        let steps = match what {
            Upheaval::SlotMove { key, to, pace, rest } => {
                cluster.plan_move(slot_of(key), to, (pace, rest), &mut rng, nodes)
            }
            Upheaval::Failover { .. } => cluster.plan_failover(what, &mut rng, nodes),
            Upheaval::StaleView { node, lasts } => {
                cluster.behind.entry(node).or_default();
                self.after(lasts, Happening::Mended(index));
                return Ok(());
            }
            Upheaval::ClusterDown { lasts } => {
                self.set_cluster_down(true);
                self.after(lasts, Happening::Mended(index));
                return Ok(());
            }
        };
        cluster.steps.insert(index, steps);
        self.schedule_step(index);
        Ok(())
    }

    pub fn end_upheaval(&mut self, what: Upheaval) {
        match what {
            Upheaval::StaleView { node, .. } => self.catch_up(node),
            Upheaval::ClusterDown { .. } => self.set_cluster_down(false),
            _ => {}
        }
    }

    /// The cluster comes to rest: everything that has begun is done, and all nodes know it.
    pub fn settle_cluster(&mut self) -> Result<(), Violation> {
        for index in 0..self.plan.faults.len() {
            while let Some((_, step)) = self.next_step(index) {
                self.take_step(index, step)?;
            }
        }
        (0..self.servers.len()).for_each(|node| self.catch_up(node));
        if self.cluster.as_ref().is_some_and(|cluster| cluster.first_sentinel.is_some()) {
            return Ok(());
        }
        self.set_cluster_down(false);
        for slot in self.plan.ops.iter().flat_map(|op| &op.keys).map(|&key| slot_of(key)) {
            let owner = self.cluster.as_ref().map(|cluster| name(cluster.owner(slot)));
            let views = self.servers.iter().filter_map(|server| server.memory.cluster());
            assert!(
                views.into_iter().all(|view| view.owner(slot) == owner),
                "a node still errs about {slot}"
            );
        }
        Ok(())
    }

    /// The next step of an upheaval is due.
    pub fn step(&mut self, index: usize) -> Result<(), Violation> {
        if let Some((_, step)) = self.next_step(index) {
            self.take_step(index, step)?;
            self.schedule_step(index);
        }
        Ok(())
    }

    fn next_step(&mut self, index: usize) -> Option<(Micros, Step)> {
        self.cluster.as_mut()?.steps.get_mut(&index)?.pop_front()
    }

    fn schedule_step(&mut self, index: usize) {
        let next = self.cluster.as_ref().and_then(|cluster| cluster.steps.get(&index)?.front().copied());
        if let Some((pause, _)) = next {
            self.after(pause, Happening::Step(index));
        }
    }

    fn again(&mut self, index: usize, pause: Micros, step: Step) {
        let steps = self.cluster.as_mut().and_then(|cluster| cluster.steps.get_mut(&index));
        steps.expect("an upheaval").push_front((pause, step));
    }

    fn take_step(&mut self, index: usize, step: Step) -> Result<(), Violation> {
        self.trace.note(self.now, 22, &[], || format!("cluster: {step:?}"));
        match step {
            // Neither end begins with an older view of the slot.
            Step::Import { slot, from, to } => {
                self.apply_missed(to);
                // A server refuses to import a slot that it believes to own.
                self.view(to).set_owner(slot..=slot, Some(name(from)));
                self.view(to).set_stable(slot);
                self.view(to).set_importing(slot, name(from));
            }
            Step::Migrate { slot, from, to } => {
                self.apply_missed(from);
                self.view(from).set_stable(slot);
                self.view(from).set_migrating(slot, name(to));
            }
            Step::Key { slot, pace } => self.move_key(index, slot, pace),
            Step::Arrive { slot } => {
                let cluster = self.cluster.as_mut().expect("a cluster");
                let (from, to) = cluster.moving[&slot];
                cluster.truth.set_owner(slot..=slot, Some(name(to)));
                self.apply_missed(to);
                // To its fence counter, a clock that is behind is one that was set back.
                let [was, is] = [from, to].map(|node| self.servers[node].now(self.now).as_micros() as i64);
                if is < was {
                    self.observer.stepped(to, is - was, self.now);
                }
                self.apply(to, Change::Owner(slot));
            }
            Step::MoveEnds { slot } => {
                self.cluster.as_mut().expect("a cluster").moving.remove(&slot);
            }
            Step::Copy { shard } => {
                // A node that still takes itself for a master gets no keys of another one, and takes over from none.
                if let Some(heir) = self.cluster.as_ref().and_then(|cluster| cluster.heir_of(shard)) {
                    self.apply_missed(heir);
                }
                self.copy_keys(shard);
            }
            Step::Stop { node, former } => match former {
                Former::Down => self.crash(node, true, (self.now / MS).is_multiple_of(2)),
                Former::Stopped => self.servers[node].paused = true,
                Former::CutOff => {}
            },
            Step::Promote { shard, has_all } => self.promote(shard, has_all),
            Step::GoOn { node, former } => match former {
                Former::Down => self.restart(node),
                _ => self.resume(node)?,
            },
            Step::FailoverEnds { shard } => {
                self.cluster.as_mut().expect("a cluster").failing.remove(&shard);
            }
            Step::Learn { node, change } => {
                match self.cluster.as_mut().and_then(|cluster| cluster.behind.get_mut(&node)) {
                    Some(missed) => missed.push(change),
                    None => self.apply(node, change),
                }
            }
        }
        Ok(())
    }

    fn view(&mut self, node: usize) -> &mut ClusterView {
        self.servers[node].memory.cluster_mut().expect("a node of a cluster")
    }

    fn set_cluster_down(&mut self, is_down: bool) {
        if self.cluster.is_some() {
            (0..self.servers.len()).for_each(|node| self.view(node).set_down(is_down));
        }
    }

    fn apply(&mut self, node: usize, change: Change) {
        if let (Change::Promoted(heir), Some(first)) = (change, self.first_sentinel()) {
            return self.apply_with_sentinels(node, heir, node >= first);
        }
        match change {
            // Of two owners, the later one counts, in whichever order a node hears of them.
            Change::Owner(slot) => {
                let owner = self.cluster.as_ref().map(|cluster| name(cluster.owner(slot)));
                self.view(node).set_owner(slot..=slot, owner);
            }
            Change::Promoted(heir) => {
                let was_replica = self.view(node).is_replica();
                self.view(node).promote(name(heir));
                if !was_replica && self.view(node).is_replica() {
                    // What it alone has is gone.
                    let master = self.servers[heir].memory.clone();
                    self.servers[node].memory.copy_keys(&master);
                    self.observer.reshaped();
                }
            }
        }
        if !self.servers[node].paused {
            // Subscriptions to channels of slots that it had end.
            let outputs = self.servers[node].take_outputs();
            self.send_outputs(node, outputs);
        }
    }

    fn first_sentinel(&self) -> Option<usize> {
        self.cluster.as_ref().and_then(|cluster| cluster.first_sentinel)
    }

    /// A server hears of a new master: a sentinel announces it, and the former master becomes its replica.
    fn apply_with_sentinels(&mut self, node: usize, heir: usize, is_sentinel: bool) {
        if is_sentinel {
            self.servers[node].memory.switch(MASTER, HOST, port(heir));
            let outputs = self.servers[node].take_outputs();
            self.send_outputs(node, outputs);
            self.observer.count("switch announced");
        } else if node == heir {
            self.servers[node].memory.set_replica(false);
        } else {
            self.servers[node].memory.set_replica(true);
            let master = self.servers[heir].memory.clone();
            self.servers[node].memory.copy_keys(&master);
            self.observer.reshaped();
        }
    }

    fn apply_missed(&mut self, node: usize) {
        let missed = self.cluster.as_mut().and_then(|cluster| cluster.behind.get_mut(&node));
        for change in missed.map(std::mem::take).unwrap_or_default() {
            self.apply(node, change);
        }
    }

    /// A node hears of all that it has missed.
    fn catch_up(&mut self, node: usize) {
        self.apply_missed(node);
        if let Some(cluster) = &mut self.cluster {
            cluster.behind.remove(&node);
        }
    }

    /// Moves a key of a slot. A node that stands still holds the move up.
    fn move_key(&mut self, index: usize, slot: u16, pace: Micros) {
        let (from, to) = self.cluster.as_ref().expect("a cluster").moving[&slot];
        let is_held_up = [from, to].iter().any(|&node| self.servers[node].paused || self.servers[node].down);
        if is_held_up && !self.quiet {
            return self.again(index, 10 * MS, Step::Key { slot, pace });
        }
        let Some(key) = self.servers[from].memory.keys_in_slot(slot).into_iter().next() else { return };
        let (leaves, arrives) = (self.servers[from].now(self.now), self.servers[to].now(self.now));
        if let Some(moving) = self.servers[from].memory.take_key(&key, leaves) {
            self.servers[to].memory.put_key(moving, arrives);
            self.observer.count("keys that moved");
        }
        self.observer.reshaped();
        self.again(index, pace, Step::Key { slot, pace });
    }

    fn copy_keys(&mut self, shard: usize) {
        let Some(cluster) = &self.cluster else { return };
        let (master, Some(heir)) = (cluster.master_of(shard), cluster.heir_of(shard)) else { return };
        let copied = self.servers[master].memory.clone();
        self.servers[heir].memory.copy_keys(&copied);
        self.observer.reshaped();
    }

    /// The replica takes over, with the keys that it has. Locks that it does not have as its master had them are lost (A2),
    /// and its clock may be another one (A3).
    fn promote(&mut self, shard: usize, has_all: bool) {
        if has_all {
            self.copy_keys(shard);
        } else {
            self.observer.forgot(shard);
        }
        let Some(cluster) = &mut self.cluster else { return };
        let (master, Some(heir)) = (cluster.master_of(shard), cluster.heir_of(shard)) else { return };
        let keys: BTreeSet<_> = self.plan.ops.iter().flat_map(|op| op.keys.iter().copied()).collect();
        let is_there = |&key: &usize| cluster.serves(master, slot_of(key));
        let owned: Vec<_> = keys.into_iter().filter(is_there).collect();
        cluster.truth.promote(name(heir));
        let [had, has] = [master, heir].map(|node| {
            let server = &self.servers[node];
            let millis = server.now(self.now).as_micros() / 1000;
            let value = |key: &usize| {
                let (value, expiry) = server.memory.database(0)?.peek(&key_name(*key), millis)?;
                Some((value.clone(), expiry))
            };
            owned.iter().map(value).collect::<Vec<_>>()
        });
        for (key, _) in
            owned.iter().zip(had.iter().zip(&has)).filter(|(_, (had, has))| had.is_some() && had != has)
        {
            self.observer.count("locks that a failover lost");
            self.observer.lost(heir, *key, true, self.now);
        }
        let [was, is] = [master, heir].map(|node| self.servers[node].now(self.now).as_micros() as i64);
        if was != is {
            self.observer.stepped(heir, is - was, self.now);
        }
        if let Some(since) = self.servers[master].forgot {
            self.observer.back_too_soon(since);
        }
        self.observer.reshaped();
    }

    /// The messages that a node published go to all others.
    pub fn broadcast(&mut self, from: usize) {
        for (channel, message) in self.servers[from].memory.take_broadcasts() {
            for to in (0..self.servers.len()).filter(|&to| to != from) {
                self.after(BUS, Happening::Bus(to, channel.clone(), message.clone()));
            }
        }
    }

    /// The keys of a command that a server grants or extends, though it does not serve their slot any more: nobody but its
    /// clients knows of that (A2).
    pub fn note_stale_master(&mut self, server: usize, names: &BTreeSet<Vec<u8>>) {
        let Some(cluster) = &self.cluster else { return };
        let keys: BTreeSet<_> = self.plan.ops.iter().flat_map(|op| op.keys.iter().copied()).collect();
        let is_stale =
            |key: &usize| names.contains(&key_name(*key)) && !cluster.serves(server, slot_of(*key));
        for key in keys.into_iter().filter(is_stale) {
            let owner = cluster.master_for(server, slot_of(key));
            let [one, other] =
                [server, owner].map(|node| self.servers[node].now(self.now).as_micros() as i64);
            if one != other {
                // The one or the other mints the smaller fences.
                self.observer.stepped(owner, -(one - other).abs(), self.now);
            }
            self.observer.count("granted by a former master");
            self.observer.lost(server, key, true, self.now);
        }
    }

    /// What a plan's fault at `server` means for a key: the fault is where the key is.
    pub fn server_of(&self, server: usize, key: usize) -> usize {
        self.cluster.as_ref().map_or(server, |cluster| cluster.master_for(server, slot_of(key)))
    }
}
