//! The sentinels of one master: which server they name, and when to ask them.
//!
//! ```text
//!            wanted, and it is time              most of them name one server
//!   Known --------------------------> Asking all ----------------------------> Known
//!     ^                                   |
//!     '----- none names one, or a tie ----'        +switch-master: the new master is Known at once
//! ```
//! A sentinel may be behind, so all of them are asked at once, and the server counts that most of those who answer name. A
//! sentinel that announces a switch has seen the new master in that role, so the switch counts at once. Others may need
//! seconds to hear of it, so for a time nobody is believed who names the replaced server, and after that only a majority of
//! all sentinels.
//!
//! They are asked while no master is known, before the master is connected to again, and from time to time while something is
//! owed, because an announcement may be lost. An idle client asks for nothing.

use super::{
    RouteNews,
    address::{Address, number},
    cursor::{count, text},
    opinions::{Opinions, Verdict},
    slots::{ALL_SLOTS, Route, Slot, SlotMap},
};
use crate::{
    entropy::{Entropy, jitter},
    error::NodeError,
    id::{LockId, NodeId},
    resp::natural,
    time::{Duration, Instant},
};

/// Upper bounds of the random pause between two turns of questions: at first, and after several that changed nothing. The
/// lower bound is half of each.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(1000);

/// How long a turn waits for the other sentinels once half of them have answered.
const PATIENCE: Duration = Duration::from_millis(1000);

/// After how long at most the sentinels are asked again while something is owed; half of it at least.
const REFRESH: Duration = Duration::from_millis(10_000);

/// The most servers that sentinels may name. Further ones are not dialled.
const MOST_MASTERS: usize = 1024;

#[derive(Clone, Debug, Hash)]
pub(crate) struct Sentinels {
    /// The name under which they know the master.
    name: Box<[u8]>,
    /// What each of them says.
    opinions: Opinions,
    /// The servers that they named, in the order of their numbers, with their addresses.
    masters: Vec<(NodeId, Address)>,
    /// The master, which has all slots.
    slots: SlotMap,
    wanted: bool,
    /// Whether the connection to the master ended, and is not back.
    lost: bool,
    /// Whether the sentinels were not asked since then: another server may be the master now.
    doubted: bool,
    /// Since when they are being asked.
    asked_at: Option<Instant>,
    /// When to ask next, in listening time, and when to ask though nothing has happened.
    next_at: Instant,
    refresh_at: Instant,
    pause: Duration,
    /// The locks that wait for a master.
    waiting: Vec<LockId>,
}

impl Sentinels {
    /// The `count` servers from the `first` on are sentinels of this master.
    pub(crate) fn new(name: &str, first: NodeId, count: u32) -> Self {
        Self {
            name: name.as_bytes().into(),
            opinions: Opinions::of(first, count),
            masters: Vec::new(),
            slots: SlotMap::default(),
            wanted: false,
            lost: false,
            doubted: false,
            asked_at: None,
            next_at: Instant::default(),
            refresh_at: Instant::default(),
            pause: SHORTEST_PAUSE,
            waiting: Vec::new(),
        }
    }

    /// The command that asks for the master.
    pub(crate) fn question(&self) -> [&[u8]; 3] {
        [b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", &self.name]
    }

    /// The sentinels.
    pub(crate) fn all(&self) -> impl Iterator<Item = NodeId> + use<> {
        self.opinions.sentinels()
    }

    /// The address of a server that the sentinels named.
    pub(crate) fn address(&self, node: NodeId) -> Option<&Address> {
        let place = self.masters.binary_search_by_key(&node, |&(node, _)| node).ok()?;
        self.masters.get(place).map(|(_, address)| address)
    }

    /// The master, if it is known.
    pub(crate) fn route(&self) -> Option<Route> {
        self.slots.get(Slot::FIRST)
    }

    /// Whether both have the same master.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let master = |of: &Self| of.route().and_then(|route| of.address(route.node).cloned());
        let own = master(self);
        own.is_some() && own == master(other)
    }

    fn is_master(&self, node: NodeId) -> bool {
        self.route().is_some_and(|route| route.node == node)
    }

    /// Whether the server is of use: the master, or a sentinel.
    pub(crate) fn serves(&self, node: NodeId) -> bool {
        self.is_master(node) || self.is_sentinel(node)
    }

    /// The sentinels are to be asked, because there may be another master.
    pub(crate) fn want(&mut self) {
        self.wanted = true;
    }

    /// The connection to a server ended. `needed` says whether anything waits for it.
    pub(crate) fn lose(&mut self, node: NodeId, error: &NodeError, needed: bool) {
        if self.is_master(node) {
            (self.lost, self.doubted) = (true, true);
            self.wanted |= needed;
            if error.prefix() == "READONLY" {
                self.opinions.demote(node);
            }
        }
    }

    /// A server is ready.
    pub(crate) fn found(&mut self, node: NodeId) {
        if self.is_master(node) {
            self.lost = false;
            self.pause = SHORTEST_PAUSE;
        }
    }

    /// Whether the sentinels must be asked before the master is connected to.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.doubted || self.route().is_none()
    }

    /// The master, if it may be connected to.
    pub(crate) fn master(&self) -> Option<NodeId> {
        self.route().filter(|_| !self.is_in_doubt()).map(|route| route.node)
    }

    /// The lock waits for what the sentinels say.
    pub(crate) fn wait(&mut self, lock: LockId) {
        self.waiting.push(lock);
    }

    /// When to call [`begin`](Self::begin) and [`end_late`](Self::end_late) again. `owed` says whether the application waits
    /// for anything.
    pub(crate) fn deadline(&self, owed: bool) -> Option<Instant> {
        match self.asked_at {
            Some(since) => self.opinions.has_half_answered().then(|| since.after(PATIENCE)),
            None if self.wants(owed) => Some(self.next_at),
            None => owed.then_some(self.refresh_at),
        }
    }

    fn wants(&self, owed: bool) -> bool {
        self.wanted || !self.waiting.is_empty() || owed && self.lost
    }

    /// Whether all sentinels are to be asked now. Then each of them counts as asked.
    pub(crate) fn begin(&mut self, owed: bool, now: Instant) -> bool {
        let is_time = self.wants(owed) && self.next_at <= now || owed && self.refresh_at <= now;
        if self.asked_at.is_some() || !is_time {
            return false;
        }
        self.wanted = false;
        self.asked_at = Some(now);
        self.opinions.ask_all();
        true
    }

    /// Whether this sentinel is to be asked once it is connected. It may have missed an announcement in any case.
    pub(crate) fn is_sentinel(&self, node: NodeId) -> bool {
        self.opinions.has(node)
    }

    /// Ends a turn of questions that has waited long enough, as is `believed`.
    pub(crate) fn end_late(
        &mut self,
        believed: Instant,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<RouteNews> {
        let is_late = self.asked_at.is_some_and(|since| since.after(PATIENCE) <= believed);
        if !is_late || !self.opinions.has_half_answered() {
            return None;
        }
        self.opinions.end_late();
        self.settle(entropy, now)
    }

    /// A sentinel answered with this frame. `intern` returns the number of a new server.
    pub(crate) fn hear(
        &mut self,
        from: NodeId,
        frame: &[u8],
        mut intern: impl FnMut() -> NodeId,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<RouteNews> {
        let odd = || NodeError::Protocol("the sentinel's answer is no address".into());
        let said = match read(frame) {
            Some(None) => Ok(None),
            Some(Some(address)) => self.number(address, &mut intern).map(Some).ok_or_else(odd),
            None => Err(odd()),
        };
        self.note(from, said, entropy, now)
    }

    /// A sentinel could not be asked, or its connection ended.
    pub(crate) fn failed(
        &mut self,
        from: NodeId,
        error: &NodeError,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<RouteNews> {
        self.note(from, Err(error.clone()), entropy, now)
    }

    /// A sentinel announced a switch: `<name> <old host> <old port> <new host> <new port>`.
    pub(crate) fn hear_switch(
        &mut self,
        from: NodeId,
        message: &[u8],
        mut intern: impl FnMut() -> NodeId,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<RouteNews> {
        let words = message.strip_prefix(&*self.name)?.strip_prefix(b" ")?;
        let mut words = words.split(|&byte| byte == b' ');
        let old = Address::of(words.next()?, natural(words.next()?)?)?;
        let new = Address::of(words.next()?, natural(words.next()?)?)?;
        let old = self.number(old, &mut intern)?;
        let new = self.number(new, &mut intern)?;
        self.opinions.note(from, Ok(Some(new)))?;
        match self.route() {
            // It follows a switch of which this client has not heard.
            Some(route) if route.node != old && route.node != new => {
                self.wanted = true;
                None
            }
            // It may be known already, from a sentinel that heard of the switch earlier.
            _ => {
                self.opinions.distrust(old, now);
                self.take(new, entropy, now)
            }
        }
    }

    /// The number of the server with this address.
    fn number(&mut self, address: Address, intern: &mut impl FnMut() -> NodeId) -> Option<NodeId> {
        number(&mut self.masters, address, MOST_MASTERS, intern)
    }

    /// Notes what a sentinel says.
    fn note(
        &mut self,
        from: NodeId,
        said: Result<Option<NodeId>, NodeError>,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Option<RouteNews> {
        let agrees = matches!(said, Ok(Some(node)) if self.is_master(node));
        let is_known = self.opinions.note(from, said)?;
        if self.asked_at.is_some() {
            return self.settle(entropy, now);
        }
        if !is_known && !agrees {
            // It alone may be behind: all are asked.
            self.refresh_at = self.next_at;
        }
        None
    }

    /// Ends the turn of questions if the sentinels have said enough.
    fn settle(&mut self, entropy: &mut dyn Entropy, now: Instant) -> Option<RouteNews> {
        let present = self.route().map(|route| route.node);
        match self.opinions.verdict(&self.name, present, present.is_some() && !self.lost, now) {
            Verdict::Open => None,
            Verdict::Master(node) => self.take(node, entropy, now),
            Verdict::Unknown(error) => {
                self.end_turn(false, entropy, now);
                Some(RouteNews::Unavailable(core::mem::take(&mut self.waiting), error))
            }
        }
    }

    /// This server is the master from now on.
    fn take(&mut self, master: NodeId, entropy: &mut dyn Entropy, now: Instant) -> Option<RouteNews> {
        let former = self.route().map(|route| route.node).filter(|&node| node != master);
        self.opinions.trust(master);
        if let Some(former) = former {
            self.opinions.distrust(former, now);
            self.lost = false;
        }
        self.end_turn(former.is_some(), entropy, now);
        let slots = self.slots.take(&[(ALL_SLOTS, master)]);
        Some(RouteNews::Changed { slots, waiting: core::mem::take(&mut self.waiting), former })
    }

    fn end_turn(&mut self, changed: bool, entropy: &mut dyn Entropy, now: Instant) {
        self.asked_at = None;
        self.doubted = false;
        if changed {
            self.pause = SHORTEST_PAUSE;
        }
        self.next_at = now.after(jitter(self.pause.part(2), self.pause, entropy));
        self.refresh_at = now.after(jitter(REFRESH.part(2), REFRESH, entropy));
        self.pause = self.pause.times(2).min(LONGEST_PAUSE);
    }
}

/// Reads the reply to the question: a host and a port, or null for no master of that name. The outer `None` for all else.
fn read(frame: &[u8]) -> Option<Option<Address>> {
    if [b"_\r\n".as_slice(), b"*-1\r\n", b"$-1\r\n"].contains(&frame) {
        return Some(None);
    }
    let mut rest = frame;
    if count(&mut rest, b'*')? != 2 {
        return None;
    }
    let (host, port) = (text(&mut rest)?, natural(text(&mut rest)?)?);
    let address = Address::of(host, port)?;
    rest.is_empty().then_some(Some(address))
}
