//! What the servers have said to whom: from it follows what a client may believe at most.

/// Whose lock it is: the token on the wire, and the lock keys, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    pub token: Vec<u8>,
    pub keys: Vec<Vec<u8>>,
}

impl Title {
    fn concerns(&self, other: &Self) -> bool {
        self.token == other.token && self.keys.iter().any(|key| other.keys.contains(key))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Granted, with this fence.
    Granted(u64),
    /// Extended, or only said to be ours when the lease asked for was 0.
    Ours,
    NotOurs,
    /// Held by another, or not one's turn.
    Taken,
    /// So many keys were deleted.
    Released(u64),
}

/// An answer, and what was asked.
#[derive(Clone, Debug)]
pub struct Entry {
    pub title: Title,
    pub node: u32,
    /// When the question was sent, among all that was sent.
    pub seq: u64,
    pub at: u64,
    pub lease_ms: u64,
    pub word: Word,
    /// Whether the client has read it: not known of what came in the step in which it dropped the connection.
    pub sure: bool,
}

#[derive(Debug)]
pub struct Ledger {
    pub nodes: u32,
    /// In millionths.
    drift: u32,
    entries: Vec<Entry>,
    /// Releases that were sent.
    releases: Vec<(Title, u32, u64)>,
    /// Until when each server keeps each lock, in microseconds; 0 if it does not.
    kept: Vec<(Title, Vec<u64>)>,
}

impl Ledger {
    pub fn new(nodes: u32, drift: u32) -> Self {
        Self { nodes, drift, entries: Vec::new(), releases: Vec::new(), kept: Vec::new() }
    }

    pub fn quorum(&self) -> usize {
        self.nodes as usize / 2 + 1
    }

    /// A release was sent: nothing that was asked before counts any more.
    pub fn releasing(&mut self, title: &Title, node: u32, seq: u64) {
        for (_, until) in self.kept.iter_mut().filter(|(kept, _)| kept.concerns(title)) {
            until[node as usize] = 0;
        }
        self.releases.push((title.clone(), node, seq));
    }

    /// Takes down an answer. Each server's come in the order of the questions.
    pub fn enter(&mut self, entry: Entry) {
        let Entry { title, node, seq, at, lease_ms, word, sure } = &entry;
        let end = self.end(*at, *lease_ms);
        let released =
            self.releases.iter().any(|(of, on, then)| on == node && then > seq && of.concerns(title));
        let place = self.kept.iter().position(|(kept, _)| kept == title).unwrap_or_else(|| {
            self.kept.push((title.clone(), vec![0; self.nodes as usize]));
            self.kept.len() - 1
        });
        let until = &mut self.kept[place].1[*node as usize];
        match word {
            Word::Granted(_) | Word::Ours if *lease_ms > 0 && !released => *until = end.max(*until),
            Word::NotOurs if *sure => *until = 0,
            _ => {}
        }
        self.entries.push(entry);
    }

    /// From before it was sent, the lease less drift, rounded up, and 2 ms.
    fn end(&self, sent: u64, lease_ms: u64) -> u64 {
        let lease = (u128::from(lease_ms) * 1000).min(u64::MAX.into());
        let allowance = (lease * u128::from(self.drift)).div_ceil(1_000_000) + 2000;
        u64::try_from(u128::from(sent) + lease.saturating_sub(allowance)).unwrap_or(u64::MAX)
    }

    /// Until when the lock may be believed in: the quorum-th largest of the servers' own; 0 if there are not as many.
    pub fn validity(&self, title: &Title) -> u64 {
        let Some((_, until)) = self.kept.iter().find(|(kept, _)| kept == title) else { return 0 };
        let mut until = until.clone();
        until.sort_unstable();
        until[until.len() - self.quorum()]
    }

    /// On how many servers any answer was given that fits, whatever came later.
    pub fn ever(&self, title: &Title, fits: impl Fn(&Entry) -> bool) -> usize {
        let fitting = self.entries.iter().filter(|entry| entry.title == *title && fits(entry));
        let mut nodes: Vec<u32> = fitting.map(|entry| entry.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.len()
    }
}
