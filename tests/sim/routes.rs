//! What each client knows of where locks are: from the bytes that it has read, computed independently of the engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use redlatch::{Duration, Instant};

use crate::{
    cluster::{HOST, address, node_at},
    clusters::slot_of,
    observer::Violation,
    plan::Plan,
    switches::Switches,
};

/// A command follows at most this many redirects.
const MOST_SENDS: u32 = 6;

/// The most requests for the map, or questions to each sentinel, in a second.
const MOST_MAPS: usize = 10;
const SECOND: Duration = Duration::from_millis(1000);

/// The node of a slot, as a client knows. `epoch` counts the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub node: usize,
    pub epoch: u32,
}

/// A lock's token, its first key, and the script.
pub type CommandOf = (Vec<u8>, Vec<u8>, &'static str);

/// A command of a lock.
#[derive(Default)]
struct Sends {
    /// How often it was sent in one go.
    times: u32,
    /// When the client read that it is redirected, if it was not sent again since.
    redirected: Option<Instant>,
}

#[derive(Default)]
struct Known {
    routes: BTreeMap<u16, Route>,
    /// The addresses that a map or a redirect named.
    named: BTreeSet<String>,
    /// When it asked for the map in the last second, and how often in all.
    maps: VecDeque<Instant>,
    requests: u64,
    /// When it asked for the last map.
    asked_at: Instant,
    /// Whether it had waited for the connection until then: its patience with the server began earlier.
    has_waited: bool,
    /// When a redirect last named the node of a slot.
    redirected_at: BTreeMap<u16, Instant>,
    /// The slots about which a late map says something else than was known.
    unsure: BTreeSet<u16>,
    /// The last command of each lock.
    sends: BTreeMap<CommandOf, Sends>,
    /// The slots that have another node since the last look.
    shifted: Vec<u16>,
    /// What sentinels announced.
    switches: Switches,
}

/// The routes of all clients; none in a world of independent servers.
pub struct Routes {
    nodes: usize,
    /// The first sentinel, if there are any. Then a client's master is whichever server it asks, unless that was replaced.
    pub first_sentinel: Option<usize>,
    slots: BTreeSet<u16>,
    clients: Vec<Known>,
    /// How often clients followed a redirect, by its kind.
    pub followed: BTreeMap<&'static str, u64>,
}

impl Routes {
    pub fn new(plan: &Plan) -> Option<Self> {
        let cluster = plan.settings.cluster?;
        let nodes = plan.settings.servers;
        let known = |client| {
            let seeds = cluster.seeds_of(client, nodes).filter(|_| !cluster.has_sentinels());
            Known { named: seeds.map(address).collect(), ..Known::default() }
        };
        Some(Self {
            nodes,
            first_sentinel: cluster.has_sentinels().then(|| nodes - cluster.all_sentinels()),
            slots: plan.ops.iter().flat_map(|op| &op.keys).map(|&key| slot_of(key)).collect(),
            clients: (0..plan.settings.clients).map(known).collect(),
            followed: BTreeMap::new(),
        })
    }

    pub fn of(&self, client: usize, slot: u16) -> Option<Route> {
        self.clients[client].routes.get(&slot).copied()
    }

    /// The same, unless the client may believe in another one.
    pub fn believed(&self, client: usize, slot: u16) -> Option<Route> {
        self.of(client, slot).filter(|_| !self.clients[client].unsure.contains(&slot))
    }

    /// Whether a slot's locks are on this server, as the client knows.
    pub fn is_at(&self, client: usize, slot: u16, server: usize) -> bool {
        match self.first_sentinel {
            Some(first) => server < first,
            None => self.of(client, slot).is_some_and(|route| route.node == server),
        }
    }

    /// What a call that a client sends now must find unchanged when its answer comes; `u32::MAX` if no answer counts.
    pub fn epoch(&self, client: usize, slot: u16, server: usize, now: Instant) -> u32 {
        match self.first_sentinel {
            Some(_) => self.clients[client].switches.epoch(server, now).unwrap_or(u32::MAX),
            None => self.of(client, slot).map_or(0, |route| route.epoch),
        }
    }

    /// Whether the server has had the slot all the time since it had that epoch, as the client knows. `asking` if the slot moves
    /// there.
    pub fn is_current(&self, client: usize, slot: u16, server: usize, epoch: u32, asking: bool) -> bool {
        match self.first_sentinel {
            Some(_) => self.clients[client].switches.is_current(server, epoch),
            None if self.clients[client].unsure.contains(&slot) => true,
            None => self
                .of(client, slot)
                .is_some_and(|route| route.epoch == epoch && (route.node == server || asking)),
        }
    }

    /// A client reads an announcement of a sentinel: `<name> <old host> <old port> <new host> <new port>`.
    pub fn read_switch(&mut self, (client, from): (usize, usize), message: &str, now: Instant) {
        let words: Vec<_> = message.split(' ').collect();
        let [_, old_host, old_port, new_host, new_port] = words[..] else { return };
        let named = [(old_host, old_port), (new_host, new_port)].map(|(host, port)| format!("{host}:{port}"));
        if let [Some(old), Some(new)] = named.map(|target| self.learn(client, &target)) {
            self.clients[client].switches.read(old, new, now);
            self.clients[client].switches.names(from, new, now);
            *self.followed.entry("switches read").or_default() += 1;
        }
    }

    /// The slots that have another node since the last call, as this client knows.
    pub fn take_shifted(&mut self, client: usize) -> Vec<u16> {
        std::mem::take(&mut self.clients[client].shifted)
    }

    /// A client asks for the map, on a new connection if it `waited` for that. Returns the number of the request.
    pub fn asks_for_map(&mut self, client: usize, waited: bool, now: Instant) -> Result<u64, Violation> {
        let most = MOST_MAPS * self.first_sentinel.map_or(1, |first| self.nodes - first);
        let Known { maps, requests, asked_at, has_waited, .. } = &mut self.clients[client];
        *requests += 1;
        (*asked_at, *has_waited) = (now, waited);
        maps.push_back(now);
        while maps.front().is_some_and(|first| now.since(*first) >= SECOND) {
            maps.pop_front();
        }
        if maps.len() > most {
            let text = format!("client {client} asks for the map {} times in a second", maps.len());
            return Err(Violation::new("redirects bounded", text));
        }
        Ok(*requests)
    }

    /// A client sends a command of a lock. One that is sent again at once, because it was redirected, is the same attempt.
    pub fn sends(&mut self, client: usize, command: CommandOf, now: Instant) -> Result<(), Violation> {
        let script = command.2;
        let sends = self.clients[client].sends.entry(command).or_default();
        sends.times = if sends.redirected.take() == Some(now) { sends.times + 1 } else { 1 };
        // Of a held lock, what was requested meanwhile is asked for at once when a question has failed, and then what fell due
        // during that one.
        let most = if script == "extend" { 3 * MOST_SENDS } else { MOST_SENDS };
        if sends.times > most {
            let text = format!("client {client} sends {script} for the {}th time", sends.times);
            return Err(Violation::new("redirects bounded", text));
        }
        Ok(())
    }

    /// A client reads an error that answers a command of a lock in this slot.
    pub fn read_error(
        &mut self,
        (client, node): (usize, usize),
        line: &[u8],
        (command, slot): (CommandOf, u16),
        now: Instant,
    ) {
        let text = String::from_utf8_lossy(line).into_owned();
        let words: Vec<_> = text.split(' ').collect();
        let &[kind @ ("MOVED" | "ASK"), of, target] = &words[..] else { return };
        let Some(to) = self.learn(client, target) else { return };
        if let Some(sends) = self.clients[client].sends.get_mut(&command) {
            sends.redirected = Some(now);
        }
        let is_to_itself = to == node;
        *self.followed.entry(if kind == "ASK" { "asked at the target" } else { "moved" }).or_default() += 1;
        if kind == "MOVED" && !is_to_itself && of.parse() == Ok(slot) {
            // The word of a node that is known not to have the slot is older.
            if self.of(client, slot).is_none_or(|route| route.node == node) {
                self.set(client, slot, to);
                self.clients[client].redirected_at.insert(slot, now);
            }
        }
    }

    /// A client reads a map, or which master a sentinel names.
    pub fn read_map(&mut self, (client, from): (usize, usize), number: u64, frame: &[u8], now: Instant) {
        if self.first_sentinel.is_some() {
            let text = String::from_utf8_lossy(frame).into_owned();
            if let ["*2", _, host, _, port, ..] = text.split("\r\n").collect::<Vec<_>>()[..]
                && let Some(server) = self.learn(client, &format!("{host}:{port}"))
            {
                self.clients[client].switches.names(from, server, now);
            }
            return;
        }
        // The client gave up on a server that it asked before another one.
        if number < self.clients[client].requests {
            return;
        }
        // By then the client may have turned to another server, to which it only has to be connected: it may believe either.
        let &Known { asked_at, has_waited, .. } = &self.clients[client];
        for (first, last, target) in ranges(frame) {
            let Some(node) = self.learn(client, &target) else { continue };
            for slot in self.slots.range(first..=last).copied().collect::<Vec<_>>() {
                let is_new = self.of(client, slot).is_none_or(|route| route.node != node);
                let overtaken =
                    self.clients[client].redirected_at.get(&slot).is_some_and(|&at| at > asked_at);
                let is_late = has_waited && overtaken || now.since(asked_at) >= SECOND;
                if !is_late {
                    self.set(client, slot, node);
                } else if is_new {
                    self.clients[client].unsure.insert(slot);
                }
            }
        }
    }

    /// Whether a map or a redirect has named the address to this client, or it is one of its seeds.
    pub fn check_dialled(&self, client: usize, address: &str) -> Result<(), Violation> {
        if self.clients[client].named.contains(address) {
            return Ok(());
        }
        let text = format!("client {client} dials {address}, which nobody has named");
        Err(Violation::new("nowhere else", text))
    }

    /// A node's address is named. Without a host, it is that of the node which says so.
    fn learn(&mut self, client: usize, target: &str) -> Option<usize> {
        let (host, port) = target.rsplit_once(':')?;
        let whole = format!("{}:{port}", if host.is_empty() { HOST } else { host });
        let node = node_at(&whole, self.nodes);
        self.clients[client].named.insert(whole);
        node
    }

    fn set(&mut self, client: usize, slot: u16, node: usize) {
        let known = &mut self.clients[client];
        // By a late map, the client may have known the node already when it sent its last commands.
        let first = if known.unsure.remove(&slot) { 0 } else { 1 };
        let old = known.routes.get(&slot).copied();
        if old.is_none_or(|old| old.node != node) {
            known.routes.insert(slot, Route { node, epoch: old.map_or(first, |old| old.epoch + 1) });
            if old.is_some() {
                known.shifted.push(slot);
            }
        }
    }
}

/// The ranges of a reply to CLUSTER SLOTS: first slot, last slot, and the address of the primary.
fn ranges(frame: &[u8]) -> Vec<(u16, u16, String)> {
    let text = String::from_utf8_lossy(frame).into_owned();
    let lines: Vec<_> = text.split("\r\n").collect();
    let number = |line: &str| line.strip_prefix(':').and_then(|digits| digits.parse::<u16>().ok());
    let mut ranges = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        // Only a range has two numbers behind its header.
        let [Some(first), Some(last)] = [1, 2].map(|next| lines.get(at + next).and_then(|line| number(line)))
        else {
            continue;
        };
        if !line.starts_with('*') {
            continue;
        }
        let host_at = at + 4;
        let (host, port_at) = match lines[host_at] {
            "_" | "$-1" => ("", host_at + 1),
            _ => (lines[host_at + 1], host_at + 2),
        };
        if let Some(port) = number(lines[port_at]) {
            ranges.push((first, last, format!("{host}:{port}")));
        }
    }
    ranges
}
