//! Until when a client may believe in its locks, from the bytes that it wrote and read (rule 1). Computed independently of
//! the engine, which must not exceed it, whatever commands it repeats and whichever votes it regains.

use std::collections::{BTreeMap, BTreeSet};

use redis_protocol::redis_keyslot;
use redlatch::{
    Duration, Instant,
    resp::{Reply, decode},
};

use crate::{
    clusters::slots_of,
    network::LinkId,
    observer::Violation,
    plan::Plan,
    routes::Routes,
    wire::{Asked, Owned, Sent, Wire, answer_by_push, command_of, is_reply, owned, slot},
    world::{ScriptCall, Verb},
};

/// An answer about a lock that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    Granted,
    Extended,
    NotOurs,
}

/// By vote, the server that granted a lock, and its epoch then.
type Granters = BTreeMap<usize, (usize, u32)>;

/// What a client was told about a lock by one server.
#[derive(Clone, Default)]
struct Part {
    until: Instant,
    /// Replies to calls up to this one no longer count: a later one was denied, or released the lock.
    after: u64,
}

pub struct Validity {
    votes: usize,
    /// By server.
    vote_of: Vec<usize>,
    /// How many replicas of a server must confirm what is granted.
    replicas: i64,
    /// In millionths.
    drift: u64,
    numbers: u64,
    wires: BTreeMap<LinkId, Wire>,
    parts: BTreeMap<Owned, Vec<Part>>,
    /// What clients know of their cluster, if there is one.
    pub routes: Option<Routes>,
    /// The number of the last call that was answered so, by client, token and slot, if the answer came from the slot's node.
    told: BTreeMap<(usize, Vec<u8>, u16, Told), u64>,
    /// The server that granted a lock last of each vote, and its epoch then, by client and token.
    granted: BTreeMap<(usize, Vec<u8>), Granters>,
    /// The number of the last call about a lock.
    last: BTreeMap<(usize, Vec<u8>), u64>,
}

impl Validity {
    pub fn new(plan: &Plan) -> Self {
        let policy = &plan.settings.policy;
        Self {
            votes: plan.settings.votes(),
            vote_of: (0..plan.settings.servers).map(|server| plan.settings.vote_of(server)).collect(),
            replicas: policy.replicas.into(),
            drift: policy.drift.into(),
            numbers: 0,
            wires: BTreeMap::new(),
            parts: BTreeMap::new(),
            routes: Routes::new(plan),
            told: BTreeMap::new(),
            granted: BTreeMap::new(),
            last: BTreeMap::new(),
        }
    }

    /// The number of the last call that was written.
    pub const fn written_so_far(&self) -> u64 {
        self.numbers
    }

    /// The number of the last call that a client wrote about a lock with this token.
    pub fn last_call(&self, client: usize, token: &[u8]) -> u64 {
        self.last.get(&(client, token.to_vec())).copied().unwrap_or(0)
    }

    /// Whether a call about a lock with this token has no answer yet on that connection.
    pub fn is_asked(&self, link: LinkId, token: &[u8]) -> bool {
        let calls = self.wires.get(&link).into_iter().flat_map(|wire| &wire.calls);
        calls.flat_map(Asked::locks).any(|sent| sent.call.token() == token)
    }

    /// Something that an application is told rests on an answer, to a call after number `since`, of the node that had the
    /// lock's slot all the time, as the client knew: in all slots of the lock, or in one if the lock is lost.
    pub fn check_told(
        &self,
        client: usize,
        token: &[u8],
        keys: &[usize],
        told: Told,
        since: u64,
    ) -> Result<(), Violation> {
        let last = |slot| self.told.get(&(client, token.to_vec(), slot, told)).copied();
        let mut said = slots_of(keys).into_iter().map(|slot| last(slot).is_some_and(|last| last > since));
        let is_any = told == Told::NotOurs || self.has_one_master();
        let is_said = if is_any { said.any(|said| said) } else { said.all(|said| said) };
        if self.routes.is_none() || is_said {
            return Ok(());
        }
        let text = format!("client {client} is told {told:?}, and no node that has the slot has said so");
        Err(Violation::new("former owner", text))
    }

    /// A grant rests on a majority of votes whose servers were not replaced since they granted, as the client knows.
    pub fn check_votes(&self, client: usize, token: &[u8]) -> Result<(), Violation> {
        let Some(routes) = self.routes.as_ref().filter(|_| self.votes > 1) else { return Ok(()) };
        let granted = self.granted.get(&(client, token.to_vec())).into_iter().flatten();
        let current = granted
            .filter(|&(_, &(server, epoch))| routes.is_current(client, 0, server, epoch, false))
            .count();
        if current > self.votes / 2 {
            return Ok(());
        }
        let text =
            format!("client {client} is granted a lock by {current} servers that were not replaced since");
        Err(Violation::new("former owner", text))
    }

    /// Whether a master has all slots, so that it answers for all keys of a lock at once.
    fn has_one_master(&self) -> bool {
        self.routes.as_ref().is_some_and(|routes| routes.first_sentinel.is_some())
    }

    /// The vote of a server.
    fn vote(&self, server: usize) -> usize {
        self.vote_of[server]
    }

    /// A client writes a call for these locks at this time of its clock. Of each lock, one command may be in flight on a
    /// connection, followed by a release (rule 16), and nothing follows its release there.
    pub fn written(
        &mut self,
        (client, server): (usize, usize),
        link: LinkId,
        locks: Vec<ScriptCall>,
        now: Instant,
    ) -> Result<(), Violation> {
        let calls = &mut self.wires.entry(link).or_default().calls;
        let asking = matches!(calls.back(), Some(Asked::Asking));
        calls.push_back(Asked::Locks(Vec::new()));
        for call in locks {
            self.numbers += 1;
            let epoch =
                self.routes.as_ref().map_or(0, |routes| routes.epoch(client, slot(&call), server, now));
            if let Some(routes) = &mut self.routes {
                routes.sends(client, command_of(&call), now)?;
            }
            self.last.insert((client, call.token()), self.numbers);
            let sent = Sent { call, number: self.numbers, at: now, epoch, asking };
            if sent.call.releases() {
                self.forget((client, self.vote(server)), &sent);
            }
            let wire = self.wires.entry(link).or_default();
            wire.greeted = true;
            let identity = (sent.call.token(), sent.call.claim());
            let asks = |what| format!("client {client} sends {} {what}", sent.call.name());
            if sent.call.releases() {
                wire.released.insert(identity);
            } else if wire.released.contains(&identity) {
                return Err(Violation::new("order of asking", asks("behind the release of its lock")));
            } else if !wire.broken && wire.is_asking(client, &sent.call) {
                let text = asks("before its last command is answered");
                return Err(Violation::new("one command in flight", text));
            }
            if let Some(Asked::Locks(locks)) = wire.calls.back_mut() {
                locks.push(sent);
            }
        }
        Ok(())
    }

    /// A client asks for the replicas of what it wrote on this link.
    pub fn waits(&mut self, link: LinkId) {
        self.wires.entry(link).or_default().calls.push_back(Asked::Replicas);
    }

    /// A client asks for the map of its cluster.
    pub fn asks_for_map(&mut self, client: usize, link: LinkId, now: Instant) -> Result<(), Violation> {
        let wire = self.wires.entry(link).or_default();
        let waited = !std::mem::replace(&mut wire.greeted, true);
        let number = self.routes.as_mut().map_or(Ok(0), |routes| routes.asks_for_map(client, waited, now))?;
        wire.calls.push_back(Asked::Map(number));
        Ok(())
    }

    /// A client begins or ends a subscription to a shard channel.
    pub fn subscribes(&mut self, link: LinkId, channels: &[Vec<u8>], begins: bool) {
        let channel = channels[0].clone();
        let asked = if begins { Asked::Subscribe } else { Asked::Unsubscribe(channel, channels.len()) };
        self.wires.entry(link).or_default().calls.push_back(asked);
    }

    /// A client's next command may use a slot that moves.
    pub fn asking(&mut self, link: LinkId) {
        let wire = self.wires.entry(link).or_default();
        wire.greeted = true;
        wire.calls.push_back(Asked::Asking);
    }

    /// A client reads bytes of a connection.
    pub fn read(&mut self, (client, server): (usize, usize), link: LinkId, bytes: &[u8], now: Instant) {
        let vote = self.vote(server);
        let Self { wires, routes, .. } = self;
        let wire = wires.entry(link).or_default();
        wire.scanner.push(bytes);
        let mut answered = Vec::new();
        while !wire.broken
            && let Ok(Some(frame)) = wire.scanner.next_frame()
        {
            if let (Some(&Asked::Map(number)), Some(routes)) = (wire.calls.front(), routes.as_mut())
                && !frame.bytes.starts_with(b">")
            {
                wire.calls.pop_front();
                match frame.bytes.first() {
                    Some(b'*') => routes.read_map((client, server), number, frame.bytes, now),
                    Some(b'-' | b'_' | b'%') => {}
                    _ => wire.broken = true,
                }
                continue;
            }
            let reply = decode(frame);
            if let Ok(Reply::Push(push)) = &reply {
                if let (
                    [Reply::Bulk(b"message"), Reply::Bulk(b"+switch-master"), Reply::Bulk(message)],
                    Some(routes),
                ) = (push.as_slice(), routes.as_mut())
                {
                    routes.read_switch((client, server), &String::from_utf8_lossy(message), now);
                }
                answer_by_push(&mut wire.calls, push);
                continue;
            }
            if !wire.greeted {
                continue;
            }
            match (reply, wire.calls.pop_front()) {
                (Ok(Reply::Integer(confirmed)), Some(Asked::Replicas)) => {
                    let unconfirmed = std::mem::take(&mut wire.unconfirmed);
                    if confirmed >= self.replicas {
                        let counts =
                            unconfirmed.into_iter().filter(|sent| is_current(routes, (client, server), sent));
                        answered.extend(counts.map(|sent| (sent, true)));
                    }
                }
                (Ok(Reply::Simple(_)), Some(Asked::Asking)) => {}
                (Ok(Reply::Error(_)), Some(Asked::Subscribe | Asked::Unsubscribe(..))) => {}
                (Ok(Reply::Error(_)), Some(Asked::Replicas)) => wire.unconfirmed.clear(),
                (Ok(Reply::Error(line)), Some(Asked::Locks(locks))) => {
                    if let ([sent, ..], Some(routes)) = (&locks[..], routes.as_mut()) {
                        let of = (command_of(&sent.call), slot(&sent.call));
                        routes.read_error((client, server), line, of, now);
                    }
                }
                (Ok(Reply::Array(parts)), Some(Asked::Locks(locks))) if is_reply(&parts, &locks) => {
                    let yes = |result: &[Reply<'_>]| matches!(result, [Reply::Integer(1..), ..]);
                    let results = &parts[1..];
                    let results = results.chunks(results.len() / locks.len()).map(yes);
                    for (sent, yes) in locks.into_iter().zip(results.collect::<Vec<_>>()) {
                        if !is_current(routes, (client, server), &sent) {
                            continue;
                        }
                        if sent.call.releases() {
                            // What was to be confirmed is over.
                            let of = owned(client, &sent.call);
                            wire.unconfirmed.retain(|other| owned(client, &other.call) != of);
                        }
                        if yes && self.replicas > 0 && !sent.call.releases() {
                            wire.unconfirmed.push(sent);
                        } else {
                            answered.push((sent, yes));
                        }
                    }
                }
                _ => wire.broken = true,
            }
        }
        for (sent, yes) in answered {
            if yes && sent.call.verb() == Verb::Acquire {
                let of = self.granted.entry((client, sent.call.token())).or_default();
                of.insert(vote, (server, sent.epoch));
            }
            self.answered((client, vote), &sent, yes);
        }
    }

    fn answered(&mut self, (client, vote): (usize, usize), sent: &Sent, yes: bool) {
        let told = match sent.call.verb() {
            Verb::Acquire if yes => Some(Told::Granted),
            Verb::Extend => Some(if yes { Told::Extended } else { Told::NotOurs }),
            _ => None,
        };
        if let Some(told) = told.filter(|_| self.routes.is_some()) {
            self.told.insert((client, sent.call.token(), slot(&sent.call), told), sent.number);
        }
        let lease = Duration::from_millis(sent.call.lease().unwrap_or(0));
        let until = sent.at.after(lease.minus(self.allowance(lease)));
        let (votes, owned) = (self.votes, owned(client, &sent.call));
        let part = &mut self.parts.entry(owned).or_insert_with(|| vec![Part::default(); votes])[vote];
        if sent.call.extends() && !yes {
            *part = Part { until: Instant::default(), after: part.after.max(sent.number) };
        } else if yes && !sent.call.releases() && lease > Duration::ZERO && sent.number > part.after {
            part.until = part.until.max(until);
        }
    }

    /// A release is on its way: replies to earlier calls no longer count.
    fn forget(&mut self, (client, vote): (usize, usize), sent: &Sent) {
        let (_, token, keys) = owned(client, &sent.call);
        for ((of, by, locked), parts) in &mut self.parts {
            if *of == client && *by == token && keys.iter().any(|key| locked.contains(key)) {
                parts[vote] = Part { until: Instant::default(), after: sent.number };
            }
        }
    }

    fn allowance(&self, lease: Duration) -> Duration {
        Duration::from_micros((lease.as_micros() * self.drift).div_ceil(1_000_000) + 2000)
    }

    /// Until when the client may believe in a lock at most. In several slots, by the first of their leases to end.
    pub fn until(&self, client: usize, token: &[u8], keys: &[Vec<u8>]) -> Instant {
        if self.routes.is_none() || self.has_one_master() {
            return self.until_of(client, token, keys);
        }
        let slots: BTreeSet<_> = keys.iter().map(|key| redis_keyslot(key)).collect();
        let of = |slot| keys.iter().filter(|key| redis_keyslot(key) == slot).cloned().collect::<Vec<_>>();
        slots.into_iter().map(|slot| self.until_of(client, token, &of(slot))).min().unwrap_or_default()
    }

    fn until_of(&self, client: usize, token: &[u8], keys: &[Vec<u8>]) -> Instant {
        let Some(parts) = self.parts.get(&(client, token.to_vec(), keys.to_vec())) else {
            return Instant::default();
        };
        let mut ends: Vec<_> = parts.iter().map(|part| part.until).collect();
        ends.sort_unstable();
        ends[ends.len() - 1 - self.votes / 2]
    }
}

/// Whether the lock's slot has had the node to which the call was sent all the time, as the client knows, or moves there.
fn is_current(routes: &Option<Routes>, (client, server): (usize, usize), sent: &Sent) -> bool {
    let Some(routes) = routes else { return true };
    routes.is_current(client, slot(&sent.call), server, sent.epoch, sent.asking)
}
