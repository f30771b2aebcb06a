//! Both nodes of a cluster, each with its double in memory, and what happens to their slots.

use redis_protocol::redis_keyslot;
use redlatch::memory::{ClusterNode, ClusterView};

use crate::{
    cluster::{HOST, NAMES, RealCluster, SLOTS},
    moves::{CONNECTIONS, Change, Endpoint, Placed, Step, TAGS, To},
    pair::Pair,
    users::Users,
};

/// A slot without keys, of node 0: without it, a cluster that needs all its slots is down.
const SPARE: u16 = 0;

/// Both nodes, each with its double.
pub struct Nodes<'a> {
    pairs: [Pair<'a>; 2],
    ports: [u16; 2],
    password: Option<&'static str>,
    is_out_of_memory: bool,
    is_down: [bool; 2],
}

impl<'a> Nodes<'a> {
    pub fn new(real: &'a mut RealCluster, users: Users) -> Self {
        let ports = real.ports;
        let pairs = real.nodes.each_mut().map(|node| Pair::new(node, users, CONNECTIONS));
        let password = users.default_needs_password.then_some("secret");
        let mut nodes = Self { pairs, ports, password, is_out_of_memory: false, is_down: [false; 2] };
        for at in [0, 1] {
            let mut view = ClusterView::new(NAMES[at]);
            for (name, (first, last)) in NAMES.into_iter().zip(SLOTS) {
                view.set_owner(first..=last, Some(name));
            }
            nodes.pairs[at].memory.set_cluster(Some(view));
            nodes.rise(at);
            for (tag, owner) in TAGS {
                let slot = redis_keyslot(tag.as_bytes());
                nodes.stop(at, slot);
                nodes.own(at, slot, owner);
            }
        }
        nodes.name_nodes(Endpoint::Ip);
        nodes
    }

    fn view(&mut self, at: usize) -> &mut ClusterView {
        self.pairs[at].memory.cluster_mut().unwrap()
    }

    fn is_owner(&mut self, at: usize, slot: u16) -> bool {
        self.view(at).owner(slot) == Some(NAMES[at])
    }

    /// Whether a node takes and gives keys of a slot that is another's.
    fn imports(&mut self, at: usize, slot: u16) -> bool {
        let view = self.view(at);
        view.importing(slot).is_some() && view.owner(slot).is_some()
    }

    /// Runs one step on both; returns how many commands it had, and the replies.
    pub fn step(&mut self, step: &Step) -> Result<(usize, Vec<u8>), String> {
        match step {
            Step::Time(micros) => self.pairs.iter_mut().for_each(|pair| pair.pass_time(*micros)),
            Step::OutOfMemory(out) => {
                self.is_out_of_memory = *out;
                self.pairs.iter_mut().for_each(|pair| pair.set_out_of_memory(*out));
            }
            Step::Reconnect(node, at) => self.pairs[*node].reconnect(*at),
            Step::Commands { to, at, commands } => {
                let node = match *to {
                    To::Node(node) => node,
                    To::Owner => self.owner_of(commands),
                    To::Other => 1 - self.owner_of(commands),
                };
                let now = self.pairs[node].now;
                let rendered: Vec<_> = commands.iter().map(|placed| placed.render(now)).collect();
                let replies = self.pairs[node].run(*at, &rendered, commands);
                let replies = replies.map_err(|error| format!("node {node}: {error}"))?;
                // A connection that was closed runs nothing.
                return Ok((if replies.is_empty() { 0 } else { commands.len() }, replies));
            }
            Step::Slot(tag, change) => self.change(redis_keyslot(TAGS[*tag].0.as_bytes()), *change)?,
            Step::Down(at, true) => self.fall(*at),
            Step::Down(at, false) => self.rise(*at),
            Step::Endpoint(endpoint) => self.name_nodes(*endpoint),
        }
        Ok((0, Vec::new()))
    }

    /// The node that owns the slot of the first command, as node 0 believes.
    fn owner_of(&mut self, commands: &[Placed]) -> usize {
        let tag = commands.first().and_then(|first| first.tag).unwrap_or(0);
        let owner = self.view(0).owner(redis_keyslot(TAGS[tag].0.as_bytes()));
        usize::from(owner == Some(NAMES[1]))
    }

    fn change(&mut self, slot: u16, change: Change) -> Result<(), String> {
        match change {
            Change::Begin(from) => {
                if self.is_owner(from, slot) && !self.is_owner(1 - from, slot) {
                    self.import(1 - from, slot);
                    self.migrate(from, slot);
                }
            }
            Change::Key { from, which } => {
                let keys = self.pairs[from].memory.keys_in_slot(slot);
                let may_leave = self.is_owner(from, slot) || self.imports(from, slot);
                // A node that migrates a slot takes no key that it does not have.
                let is_migrating = self.view(1 - from).migrating(slot).is_some();
                let may_arrive =
                    self.is_owner(1 - from, slot) && !is_migrating || self.imports(1 - from, slot);
                if may_leave && may_arrive && !keys.is_empty() {
                    self.move_keys(from, &keys[which % keys.len()..][..1])?;
                }
            }
            // A node for which the cluster is down takes part in no move.
            Change::Finish(_) if self.is_down.contains(&true) => {}
            Change::Finish(to) => {
                let from = 1 - to;
                self.own(from, slot, from);
                self.stop(to, slot);
                self.own(to, slot, from);
                self.import(to, slot);
                self.migrate(from, slot);
                let keys =
                    self.pairs[from].real.list(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "9999"]);
                self.move_keys(from, &keys)?;
                self.own(to, slot, to);
                self.own(from, slot, to);
            }
            Change::Importing(at) => self.import(at, slot),
            Change::Migrating(at) => self.migrate(at, slot),
            Change::Stable(at) => self.stop(at, slot),
            Change::Owner(at, Some(owner)) => self.own(at, slot, owner),
            Change::Owner(at, None) => {
                if self.view(at).owner(slot).is_some() {
                    self.stop(at, slot);
                    self.pairs[at].real.command(&["CLUSTER", "DELSLOTS", &slot.to_string()]);
                    self.view(at).set_owner(slot..=slot, None);
                }
            }
        }
        Ok(())
    }

    /// CLUSTER SETSLOT; its reply.
    fn set_slot(&mut self, at: usize, slot: u16, words: &[&str]) -> String {
        let slot = slot.to_string();
        self.pairs[at].real.line(&[&["CLUSTER", "SETSLOT", slot.as_str()], words].concat())
    }

    fn import(&mut self, at: usize, slot: u16) {
        if !self.is_owner(at, slot) {
            let source = NAMES[1 - at];
            assert_eq!(self.set_slot(at, slot, &["IMPORTING", &source.to_string()]), "+OK");
            self.view(at).set_importing(slot, source);
        }
    }

    fn migrate(&mut self, at: usize, slot: u16) {
        if self.is_owner(at, slot) {
            let target = NAMES[1 - at];
            assert_eq!(self.set_slot(at, slot, &["MIGRATING", &target.to_string()]), "+OK");
            self.view(at).set_migrating(slot, target);
        }
    }

    fn stop(&mut self, at: usize, slot: u16) {
        assert_eq!(self.set_slot(at, slot, &["STABLE"]), "+OK");
        self.view(at).set_stable(slot);
    }

    /// Makes that node the owner, unless this one has keys that it would give away.
    fn own(&mut self, at: usize, slot: u16, owner: usize) {
        let is_empty = self.pairs[at].real.line(&["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]) == ":0";
        if !is_empty && self.is_owner(at, slot) && owner != at {
            return;
        }
        assert_eq!(self.set_slot(at, slot, &["NODE", &NAMES[owner].to_string()]), "+OK");
        let view = self.view(at);
        view.set_owner(slot..=slot, Some(NAMES[owner]));
        // A node without keys of the slot has nothing to migrate.
        if is_empty && owner == at {
            view.set_stable(slot);
        }
    }

    /// Moves keys to the other node.
    fn move_keys(&mut self, from: usize, keys: &[Vec<u8>]) -> Result<(), String> {
        // MIGRATE fails at a node without memory, and at one for which the cluster is down.
        if self.is_down.contains(&true) {
            return Ok(());
        }
        if self.is_out_of_memory {
            self.pairs.iter_mut().for_each(|pair| pair.set_out_of_memory(false));
        }
        let (port, now) = (self.ports[1 - from].to_string(), self.pairs[from].instant());
        for key in keys {
            let name = String::from_utf8_lossy(key);
            let mut words = vec!["MIGRATE", HOST, &port, &name, "0", "5000", "REPLACE"];
            words.extend(self.password.into_iter().flat_map(|password| ["AUTH", password]));
            let real = self.pairs[from].real.line(&words);
            let moving = self.pairs[from].memory.take_key(key, now);
            let memory = if moving.is_some() { "+OK" } else { "+NOKEY" };
            if real != memory {
                return Err(format!("{words:?}\n  memory: {memory}\n  real:   {real}"));
            }
            if let Some(moving) = moving {
                self.pairs[1 - from].memory.put_key(moving, now);
            }
        }
        if self.is_out_of_memory {
            self.pairs.iter_mut().for_each(|pair| pair.set_out_of_memory(true));
        }
        Ok(())
    }

    fn fall(&mut self, at: usize) {
        if !std::mem::replace(&mut self.is_down[at], true) {
            self.pairs[at].real.command(&["CONFIG", "SET", "cluster-require-full-coverage", "yes"]);
            self.pairs[at].real.command(&["CLUSTER", "DELSLOTS", &SPARE.to_string()]);
            self.view(at).set_owner(SPARE..=SPARE, None);
            self.view(at).set_down(true);
        }
    }

    fn rise(&mut self, at: usize) {
        self.is_down[at] = false;
        self.pairs[at].real.command(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
        self.own(at, SPARE, 0);
        self.view(at).set_down(false);
    }

    fn name_nodes(&mut self, endpoint: Endpoint) {
        let kind = match endpoint {
            Endpoint::Ip | Endpoint::IpAndName => "ip",
            Endpoint::NoName | Endpoint::Name => "hostname",
            Endpoint::Unknown => "unknown-endpoint",
        };
        let has_name = matches!(endpoint, Endpoint::IpAndName | Endpoint::Name);
        for at in [0, 1] {
            let name = format!("node-{at}.example");
            let announced = if has_name { name.as_str() } else { "" };
            self.pairs[at].real.command(&["CONFIG", "SET", "cluster-preferred-endpoint-type", kind]);
            self.pairs[at].real.command(&["CONFIG", "SET", "cluster-announce-hostname", announced]);
            for of in [0, 1] {
                // Without gossip, a node knows its own host name only.
                let name = (of == at && has_name).then(|| name.clone());
                let mut node = ClusterNode::new(HOST, self.ports[of]);
                if kind != "ip" {
                    node.metadata.push(("ip".to_owned(), HOST.to_owned()));
                }
                match endpoint {
                    Endpoint::Ip => {}
                    Endpoint::IpAndName => {
                        node.metadata.extend(name.map(|name| ("hostname".to_owned(), name)));
                    }
                    Endpoint::NoName | Endpoint::Name => {
                        node.host = Some(name.unwrap_or_else(|| "?".to_owned()));
                    }
                    Endpoint::Unknown => node.host = None,
                }
                self.view(at).set_node(NAMES[of], node);
            }
        }
    }

    /// Compares the keys. A real node must own a slot to show its keys.
    pub fn compare_state(&mut self) -> Result<(), String> {
        for at in [0, 1] {
            self.rise(at);
            for (tag, _) in TAGS {
                self.own(at, redis_keyslot(tag.as_bytes()), at);
                self.stop(at, redis_keyslot(tag.as_bytes()));
            }
            self.pairs[at].compare_state(&[0]).map_err(|error| format!("node {at}: {error}"))?;
        }
        Ok(())
    }
}
