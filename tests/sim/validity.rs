//! Until when a client may believe in its locks, from the bytes that it wrote and read (rule 1). Computed independently of
//! the engine, which must not exceed it, whatever commands it repeats and whichever votes it regains.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use redlatch::{
    Duration, Instant, KeyRole, Policy,
    resp::{Limits, Reply, Scanner, decode},
};

use crate::{network::LinkId, observer::Violation, world::ScriptCall};

/// What a client wrote about a lock, in a script call.
#[derive(Clone)]
struct Sent {
    call: ScriptCall,
    number: u64,
    at: Instant,
}

/// What a client was told about a lock by one server.
#[derive(Clone, Default)]
struct Part {
    until: Instant,
    /// Replies to calls up to this one no longer count: a later one was denied, or released the lock.
    after: u64,
}

/// A connection, from the client's end.
struct Wire {
    scanner: Scanner,
    /// Whether the handshake is over: the first call was written.
    greeted: bool,
    /// Whether a reply did not match its call: no further reply counts (rule 7).
    broken: bool,
    /// Calls without a reply, in the order in which they were written, each with its locks; a WAIT has none.
    calls: VecDeque<Vec<Sent>>,
    /// What was answered with yes, and counts once a replica confirms it.
    unconfirmed: Vec<Sent>,
    /// The token and the claim of each lock that was released.
    released: BTreeSet<(Vec<u8>, Vec<u8>)>,
}

impl Default for Wire {
    fn default() -> Self {
        let scanner = Scanner::new(Limits::default());
        let (calls, unconfirmed, released) = (VecDeque::new(), Vec::new(), BTreeSet::new());
        Self { scanner, greeted: false, broken: false, calls, unconfirmed, released }
    }
}

impl Wire {
    /// Whether a call about this lock waits for its reply. A release ends the lock: a later one may have its token.
    fn is_asking(&self, lock: &Owned) -> bool {
        let about = |sent: &&Sent| owned(lock.0, &sent.call) == *lock;
        self.unconfirmed
            .iter()
            .chain(self.calls.iter().flatten())
            .rfind(about)
            .is_some_and(|last| !last.call.releases())
    }
}

/// A client's lock: the client, the token, and the lock keys.
type Owned = (usize, Vec<u8>, Vec<Vec<u8>>);

pub struct Validity {
    servers: usize,
    /// How many replicas of a server must confirm what is granted.
    replicas: i64,
    /// In millionths.
    drift: u64,
    numbers: u64,
    wires: BTreeMap<LinkId, Wire>,
    parts: BTreeMap<Owned, Vec<Part>>,
}

impl Validity {
    pub fn new(servers: usize, policy: &Policy) -> Self {
        let (drift, replicas) = (policy.drift.into(), policy.replicas.into());
        Self { servers, replicas, drift, numbers: 0, wires: BTreeMap::new(), parts: BTreeMap::new() }
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
        self.wires.entry(link).or_default().calls.push_back(Vec::new());
        for call in locks {
            self.numbers += 1;
            let sent = Sent { call, number: self.numbers, at: now };
            if sent.call.releases() {
                self.forget((client, server), &sent);
            }
            let wire = self.wires.entry(link).or_default();
            wire.greeted = true;
            let identity = (sent.call.token(), sent.call.claim());
            let asks = |what| format!("client {client} sends {} {what}", sent.call.name());
            if sent.call.releases() {
                wire.released.insert(identity);
            } else if wire.released.contains(&identity) {
                return Err(Violation::new("order of asking", asks("behind the release of its lock")));
            } else if !wire.broken && wire.is_asking(&owned(client, &sent.call)) {
                let text = asks("before its last command is answered");
                return Err(Violation::new("one command in flight", text));
            }
            wire.calls.back_mut().expect("this call").push(sent);
        }
        Ok(())
    }

    /// A client asks for the replicas of what it wrote on this link.
    pub fn waits(&mut self, link: LinkId) {
        self.wires.entry(link).or_default().calls.push_back(Vec::new());
    }

    /// A client reads bytes of a connection.
    pub fn read(&mut self, (client, server): (usize, usize), link: LinkId, bytes: &[u8]) {
        let wire = self.wires.entry(link).or_default();
        wire.scanner.push(bytes);
        let mut answered = Vec::new();
        while !wire.broken
            && let Ok(Some(frame)) = wire.scanner.next_frame()
        {
            let reply = decode(frame);
            if matches!(reply, Ok(Reply::Push(_))) || !wire.greeted {
                continue;
            }
            match (reply, wire.calls.pop_front()) {
                (Ok(Reply::Integer(confirmed)), Some(locks)) if locks.is_empty() => {
                    let unconfirmed = std::mem::take(&mut wire.unconfirmed);
                    if confirmed >= self.replicas {
                        answered.extend(unconfirmed.into_iter().map(|sent| (sent, true)));
                    }
                }
                (Ok(Reply::Error(_)), Some(locks)) => {
                    if locks.is_empty() {
                        wire.unconfirmed.clear();
                    }
                }
                (Ok(Reply::Array(parts)), Some(locks)) if !locks.is_empty() && is_reply(&parts, &locks) => {
                    let yes = |result: &[Reply<'_>]| matches!(result, [Reply::Integer(1..), ..]);
                    let results = &parts[1..];
                    let results = results.chunks(results.len() / locks.len()).map(yes);
                    for (sent, yes) in locks.into_iter().zip(results.collect::<Vec<_>>()) {
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
            self.answered((client, server), &sent, yes);
        }
    }

    fn answered(&mut self, (client, server): (usize, usize), sent: &Sent, yes: bool) {
        let lease = Duration::from_millis(sent.call.lease().unwrap_or(0));
        let until = sent.at.after(lease.minus(self.allowance(lease)));
        let (servers, owned) = (self.servers, owned(client, &sent.call));
        let part = &mut self.parts.entry(owned).or_insert_with(|| vec![Part::default(); servers])[server];
        if sent.call.extends() && !yes {
            *part = Part { until: Instant::default(), after: part.after.max(sent.number) };
        } else if yes && !sent.call.releases() && lease > Duration::ZERO && sent.number > part.after {
            part.until = part.until.max(until);
        }
    }

    /// A release is on its way: replies to earlier calls no longer count.
    fn forget(&mut self, (client, server): (usize, usize), sent: &Sent) {
        let (_, token, keys) = owned(client, &sent.call);
        for ((of, by, locked), parts) in &mut self.parts {
            if *of == client && *by == token && keys.iter().any(|key| locked.contains(key)) {
                parts[server] = Part { until: Instant::default(), after: sent.number };
            }
        }
    }

    fn allowance(&self, lease: Duration) -> Duration {
        Duration::from_micros((lease.as_micros() * self.drift).div_ceil(1_000_000) + 2000)
    }

    /// Until when the client may believe in a lock at most.
    pub fn until(&self, client: usize, token: &[u8], keys: &[Vec<u8>]) -> Instant {
        let Some(parts) = self.parts.get(&(client, token.to_vec(), keys.to_vec())) else {
            return Instant::default();
        };
        let mut ends: Vec<_> = parts.iter().map(|part| part.until).collect();
        ends.sort_unstable();
        ends[ends.len() - 1 - self.servers / 2]
    }
}

/// Whether a reply has the nonce of a call, and one result for each of its locks; of a lock alone it may be several.
fn is_reply(parts: &[Reply<'_>], locks: &[Sent]) -> bool {
    let is_ours = parts.first() == Some(&Reply::Bulk(locks[0].call.nonce()));
    is_ours && parts.len() > 1 && (locks.len() == 1 || parts.len() == locks.len() + 1)
}

fn owned(client: usize, call: &ScriptCall) -> Owned {
    let mut keys = call.keys_of(KeyRole::Lock);
    keys.sort();
    (client, call.token(), keys)
}
