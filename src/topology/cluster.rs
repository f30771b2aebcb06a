//! One Redis Cluster: its servers, the server of each slot, and when to ask for the map.
//!
//! ```text
//!           wanted, and it is time                       accepted
//!   Known ------------------------> Asking(a server) ----------------> Known
//!     ^                                 |      ^
//!     |                 refused, silent |      | the next server
//!     |                                 v      |
//!     '------- all were asked ------- Asking the next
//! ```
//! The map is wanted while no route is known, and when a redirect, a failure or an error shows that it has changed. An idle
//! client asks for none. Each time that it changes nothing, the next one is asked for later: after 100 to 200 ms at first,
//! and after 150 to 300 ms at last, so that waiters hear of a new master within half a second. So ten are asked for in a second
//! at most, even if servers contradict each other.

use super::{
    address::{Address, Announced, number},
    map::Shard,
    redirect::{Redirect, RedirectKind},
    slots::{Route, Slot, SlotMap, Slots},
};
use crate::{
    entropy::{Entropy, jitter},
    error::NodeError,
    id::{LockId, NodeId},
    time::{Duration, Instant},
};

/// Upper bounds of the random pause between two maps: at first, and after several maps that changed nothing. The lower bound
/// is half of each.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(300);

/// How long a server that was asked for the map, or is being connected to for that, keeps others from being asked.
const PATIENCE: Duration = Duration::from_millis(1000);

/// For how long no server may give a map of the same cluster, until that of another one counts: all servers may have been
/// replaced.
const OWN_MEMORY: Duration = Duration::from_millis(60_000);

/// The most servers of a cluster, with those that it had before. Further ones are not dialled.
const MOST_NODES: usize = 1024;

/// The order in which servers are asked for the map, last first. Each entry says whether a redirect led to the server, whether
/// it is ready, and whether it serves slots.
const LEAST_LIKELY_FIRST: [(bool, bool, bool); 8] = [
    (false, false, false),
    (false, false, true),
    (false, true, false),
    (false, true, true),
    (true, false, false),
    (true, false, true),
    (true, true, false),
    (true, true, true),
];

#[derive(Clone, Debug, Hash)]
pub(crate) struct Cluster {
    /// The servers in the order of their numbers, with their addresses. The seeds come first, and are kept for ever.
    nodes: Vec<(NodeId, Address)>,
    seeds: usize,
    slots: SlotMap,
    /// The ids of the servers in the last map, by which the cluster is known again.
    ids: Vec<u64>,
    wanted: bool,
    /// The servers with slots whose connections ended, and that were not ready since.
    lost: Vec<NodeId>,
    /// Since when servers have answered with maps of another cluster alone.
    foreign_since: Option<Instant>,
    /// The server that was asked for the map, or is being connected to for that, and since when.
    asked: Option<(NodeId, Instant)>,
    /// The servers to ask next, the next one last.
    others: Vec<NodeId>,
    /// When to ask next, in listening time.
    next_at: Instant,
    pause: Duration,
    /// Where the last turn of questions began among the servers.
    turn: usize,
    /// The server to which a redirect last led: its view is the newest.
    newest: Option<NodeId>,
    /// The locks that wait for a route.
    waiting: Vec<LockId>,
}

/// What a redirect means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Redirected {
    /// The slot has another server than was known.
    Moved(Slots),
    /// The slot has the server that was known, or the redirect changes nothing.
    AsKnown,
    /// The server redirects to itself: another one has its address now.
    ToItself,
    /// This command alone goes to another server, behind ASKING.
    Ask(NodeId),
}

impl Cluster {
    /// A cluster about which nothing is known but its seeds.
    pub(crate) fn new(seeds: Vec<(NodeId, Address)>) -> Self {
        Self {
            seeds: seeds.len(),
            nodes: seeds,
            slots: SlotMap::default(),
            ids: Vec::new(),
            wanted: false,
            lost: Vec::new(),
            foreign_since: None,
            asked: None,
            others: Vec::new(),
            next_at: Instant::default(),
            pause: SHORTEST_PAUSE,
            turn: 0,
            newest: None,
            waiting: Vec::new(),
        }
    }

    /// The address of a server.
    pub(crate) fn address(&self, node: NodeId) -> Option<&Address> {
        let place = self.nodes.binary_search_by_key(&node, |&(node, _)| node).ok()?;
        self.nodes.get(place).map(|(_, address)| address)
    }

    /// Whether both are the same cluster: a server is in both maps.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.ids.iter().any(|id| other.ids.contains(id))
    }

    /// The route of a slot, if it is known.
    pub(crate) fn route(&self, slot: Slot) -> Option<Route> {
        self.slots.get(slot)
    }

    /// Whether a server has slots, as far as is known.
    pub(crate) fn has_slots(&self, node: NodeId) -> bool {
        self.slots.nodes().contains(&node)
    }

    /// A new map is wanted, because the present one may be wrong.
    pub(crate) fn want(&mut self) {
        self.wanted = true;
    }

    /// The connection to a server with slots ended. Until it is ready again, or has none any more, maps are asked for as long as
    /// something is owed.
    pub(crate) fn lose(&mut self, node: NodeId) {
        self.wanted = true;
        if !self.lost.contains(&node) {
            self.lost.push(node);
        }
    }

    /// A server is ready.
    pub(crate) fn found(&mut self, node: NodeId) {
        self.lost.retain(|&lost| lost != node);
    }

    fn wants(&self, owed: bool) -> bool {
        self.wanted || !self.waiting.is_empty() || owed && !self.lost.is_empty()
    }

    /// The lock waits for a route. It is told of the next map, or that none can be had.
    pub(crate) fn wait(&mut self, lock: LockId) {
        self.waiting.push(lock);
    }

    /// Whether nothing is known of where slots are.
    pub(crate) fn is_unknown(&self) -> bool {
        self.ids.is_empty()
    }

    /// When to call [`next`](Self::next) again. `owed` says whether the application waits for anything.
    pub(crate) fn deadline(&self, owed: bool) -> Option<Instant> {
        match self.asked {
            // The last one is waited for until its connection answers or ends.
            Some(_) if self.others.is_empty() => None,
            Some((_, since)) => Some(since.after(PATIENCE)),
            None => self.wants(owed).then_some(self.next_at),
        }
    }

    /// Whether the server that was asked has had its time.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        !self.others.is_empty() && self.asked.is_some_and(|(_, since)| since.after(PATIENCE) <= now)
    }

    /// The server to ask for the map now, if one is to be asked. `is_ready` says which servers can be asked at once: these
    /// come first, and of each kind those with slots before the others.
    pub(crate) fn next(
        &mut self,
        is_ready: impl Fn(NodeId) -> bool,
        owed: bool,
        now: Instant,
    ) -> Option<NodeId> {
        if self.asked.is_some() {
            return None;
        }
        if self.others.is_empty() {
            if !self.wants(owed) || now < self.next_at {
                return None;
            }
            self.begin_turn(is_ready);
        }
        let node = self.others.pop()?;
        self.asked = Some((node, now));
        Some(node)
    }

    /// All servers are asked once, those that are most likely to know first. Each turn begins with another one, because
    /// the last one may have said the wrong thing.
    fn begin_turn(&mut self, is_ready: impl Fn(NodeId) -> bool) {
        // What shows from now on that the map has changed, this one may not know yet.
        self.wanted = false;
        let count = self.nodes.len().max(1);
        self.turn = self.turn.wrapping_add(1);
        let all = (0..count).map(|at| at.wrapping_add(self.turn).checked_rem(count).unwrap_or(0));
        let with_slots = self.slots.nodes();
        let may_know = |at: usize| {
            let &(node, _) = self.nodes.get(at)?;
            (at < self.seeds || with_slots.contains(&node)).then_some(node)
        };
        let nodes: Vec<NodeId> = all.filter_map(may_know).collect();
        let newest = self.newest.take();
        let likely = |node: NodeId| (Some(node) == newest, is_ready(node), with_slots.contains(&node));
        self.others.clear();
        for rank in LEAST_LIKELY_FIRST {
            self.others.extend(nodes.iter().filter(|&&node| likely(node) == rank));
        }
    }

    /// Whether this server was asked, or is to be asked once it is connected.
    pub(crate) fn is_asked(&self, node: NodeId) -> bool {
        self.asked.is_some_and(|(asked, _)| asked == node)
    }

    /// The server that was asked gave no map. If none is left to ask, returns the locks that wait for one.
    pub(crate) fn failed(
        &mut self,
        error: &NodeError,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<(Vec<LockId>, NodeError)> {
        self.asked = None;
        if !self.others.is_empty() {
            return None;
        }
        self.end_turn(false, entropy, now);
        Some((core::mem::take(&mut self.waiting), error.clone()))
    }

    fn end_turn(&mut self, changed: bool, entropy: &mut dyn Entropy, now: Instant) {
        self.others.clear();
        if changed {
            self.pause = SHORTEST_PAUSE;
        }
        self.next_at = now.after(jitter(self.pause.part(2), self.pause, entropy));
        self.pause = self.pause.times(2).min(LONGEST_PAUSE);
    }

    /// Takes a map over, if it is one of this cluster. Returns the slots that have another server now, and the locks
    /// that waited for a map; `None` if it is refused. `intern` returns the number of a new server.
    pub(crate) fn accept(
        &mut self,
        from: NodeId,
        shards: Vec<Shard>,
        mut intern: impl FnMut() -> NodeId,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<(Vec<Slots>, Vec<LockId>)> {
        let mut ids = Vec::new();
        for id in shards.iter().flat_map(|shard| &shard.ids) {
            if !ids.contains(id) {
                ids.push(*id);
            }
        }
        let is_known = |id: &u64| self.ids.contains(id);
        let is_foreign = !self.ids.is_empty() && !ids.iter().any(is_known);
        if ids.is_empty() || is_foreign && now.since(*self.foreign_since.get_or_insert(now)) < OWN_MEMORY {
            return None;
        }
        self.foreign_since = None;
        self.asked = None;
        let mut ranges = Vec::with_capacity(shards.len());
        for shard in shards {
            if let Some(node) = self.number(from, shard.primary, &mut intern) {
                ranges.push((shard.slots, node));
            }
        }
        let before = self.slots.clone();
        let moved = self.slots.take(&ranges);
        self.ids = ids;
        let with_slots = self.slots.nodes();
        self.lost.retain(|node| with_slots.contains(node));
        self.end_turn(self.slots != before, entropy, now);
        Some((moved, core::mem::take(&mut self.waiting)))
    }

    /// Takes over what an error of the server `from` says about a command for this slot, or for one that nobody knows any
    /// more. `None` if it is no redirect of this slot.
    pub(crate) fn redirect(
        &mut self,
        from: NodeId,
        slot: Option<Slot>,
        error: &NodeError,
        epoch: u32,
        mut intern: impl FnMut() -> NodeId,
    ) -> Option<Redirected> {
        let NodeError::Server(error) = error else { return None };
        let redirect = Redirect::read(&error.message)?;
        if slot.is_some_and(|slot| slot != redirect.slot) {
            return None;
        }
        let slot = redirect.slot;
        if self.route(slot).is_none_or(|route| route.epoch != epoch && route.node != from) {
            // A former server may send its commands anywhere.
            return Some(Redirected::AsKnown);
        }
        let to = self.number(from, redirect.to, &mut intern)?;
        if redirect.kind == RedirectKind::Ask {
            return Some(Redirected::Ask(to));
        }
        if to == from {
            return Some(Redirected::ToItself);
        }
        let known = self.route(slot);
        if known.is_some_and(|route| route.node != from) {
            // It answers a question that was asked before the slot was known to have moved, or it got the question by ASK, and
            // the slot has moved on.
            self.want();
            return Some(Redirected::AsKnown);
        }
        self.want();
        self.newest = Some(to);
        self.slots.take(&[((slot, slot), to)]);
        Some(if known.is_some() { Redirected::Moved((slot, slot)) } else { Redirected::AsKnown })
    }

    /// The number of the server with this address, which the server `from` announced.
    fn number(
        &mut self,
        from: NodeId,
        announced: Announced,
        intern: &mut impl FnMut() -> NodeId,
    ) -> Option<NodeId> {
        let address = announced.from(self.address(from)?);
        number(&mut self.nodes, address, MOST_NODES, intern)
    }
}
