//! The replies of the servers, and the validity that follows from them.

/// An owner's lock: the token on the wire, and the lock keys, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedLock {
    pub token: Vec<u8>,
    pub keys: Vec<Vec<u8>>,
}

impl OwnedLock {
    fn concerns(&self, other: &Self) -> bool {
        self.token == other.token && self.keys.iter().any(|key| other.keys.contains(key))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Granted, with this fence.
    Granted(u64),
    /// Extended, or confirmed if the requested lease was 0.
    Ours,
    NotOurs,
    /// Held by another, or another waiter is ahead.
    Taken,
    /// The number of keys that were deleted.
    Released(u64),
}

/// A reply, and the call that it belongs to.
#[derive(Clone, Debug)]
pub struct Entry {
    pub owned: OwnedLock,
    pub node: u32,
    /// The number of the call among all that was sent.
    pub seq: u64,
    pub at: u64,
    pub lease_ms: u64,
    pub answer: Answer,
    /// Whether the client has certainly read it: unknown if it closed the connection in that step.
    pub sure: bool,
}

#[derive(Debug)]
pub struct Ledger {
    pub nodes: u32,
    /// In millionths.
    drift: u32,
    entries: Vec<Entry>,
    /// Releases that were sent.
    releases: Vec<(OwnedLock, u32, u64)>,
    /// Until when each server keeps each lock, in microseconds; 0 if it does not.
    kept: Vec<(OwnedLock, Vec<u64>)>,
}

impl Ledger {
    pub fn new(nodes: u32, drift: u32) -> Self {
        Self { nodes, drift, entries: Vec::new(), releases: Vec::new(), kept: Vec::new() }
    }

    pub fn quorum(&self) -> usize {
        self.nodes as usize / 2 + 1
    }

    /// A release was sent: replies to earlier calls no longer count.
    pub fn releasing(&mut self, owned: &OwnedLock, node: u32, seq: u64) {
        for (_, until) in self.kept.iter_mut().filter(|(kept, _)| kept.concerns(owned)) {
            until[node as usize] = 0;
        }
        self.releases.push((owned.clone(), node, seq));
    }

    /// Records a reply. Each server's replies arrive in the order of the calls.
    pub fn enter(&mut self, entry: Entry) {
        let Entry { owned, node, seq, at, lease_ms, answer, sure } = &entry;
        let end = self.end(*at, *lease_ms);
        let released =
            self.releases.iter().any(|(of, on, then)| on == node && then > seq && of.concerns(owned));
        let place = self.kept.iter().position(|(kept, _)| kept == owned).unwrap_or_else(|| {
            self.kept.push((owned.clone(), vec![0; self.nodes as usize]));
            self.kept.len() - 1
        });
        let until = &mut self.kept[place].1[*node as usize];
        match answer {
            Answer::Granted(_) | Answer::Ours if *lease_ms > 0 && !released => *until = end.max(*until),
            Answer::NotOurs if *sure => *until = 0,
            _ => {}
        }
        self.entries.push(entry);
    }

    /// From before the call was sent: the lease less drift, rounded up, and 2 ms.
    fn end(&self, sent: u64, lease_ms: u64) -> u64 {
        let lease = (u128::from(lease_ms) * 1000).min(u64::MAX.into());
        let allowance = (lease * u128::from(self.drift)).div_ceil(1_000_000) + 2000;
        u64::try_from(u128::from(sent) + lease.saturating_sub(allowance)).unwrap_or(u64::MAX)
    }

    /// Until when the lock may be valid: the quorum-th largest of the servers' own ends; 0 if there are not
    /// as many.
    pub fn validity(&self, owned: &OwnedLock) -> u64 {
        let Some((_, until)) = self.kept.iter().find(|(kept, _)| kept == owned) else { return 0 };
        let mut until = until.clone();
        until.sort_unstable();
        until[until.len() - self.quorum()]
    }

    /// How many servers ever sent a fitting reply, whatever followed.
    pub fn ever(&self, owned: &OwnedLock, fits: impl Fn(&Entry) -> bool) -> usize {
        let fitting = self.entries.iter().filter(|entry| entry.owned == *owned && fits(entry));
        let mut nodes: Vec<u32> = fitting.map(|entry| entry.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.len()
    }
}
