//! What a client knows of a master's switches: from the announcements that it has read, computed independently of the engine.

use std::collections::BTreeMap;

use redlatch::{Duration, Instant};

/// For how long a server that was replaced must not be used, unless another announcement names it, or a sentinel names it that has
/// named another one before.
const DISTRUST: Duration = Duration::from_millis(10_000);

#[derive(Default)]
pub struct Switches {
    /// The servers that were replaced: how often, and until when they must not be used.
    replaced: BTreeMap<usize, (u32, Instant)>,
    /// The server that each sentinel named last.
    named: BTreeMap<usize, usize>,
}

impl Switches {
    /// An announcement was read: the one server replaces the other.
    pub fn read(&mut self, old: usize, new: usize, now: Instant) {
        let (times, until) = self.replaced.entry(old).or_default();
        *times += 1;
        *until = now.after(DISTRUST);
        if let Some((_, until)) = self.replaced.get_mut(&new) {
            *until = now;
        }
    }

    /// A sentinel names a server.
    pub fn names(&mut self, sentinel: usize, server: usize, now: Instant) {
        let is_another = self.named.insert(sentinel, server).is_some_and(|before| before != server);
        if let Some((_, until)) = self.replaced.get_mut(&server).filter(|_| is_another) {
            *until = now.min(*until);
        }
    }

    /// How often a server was replaced; `None` while it must not be used.
    pub fn epoch(&self, server: usize, now: Instant) -> Option<u32> {
        let (times, until) = self.replaced.get(&server).copied().unwrap_or_default();
        (until <= now).then_some(times)
    }

    /// Whether a server was replaced since it had that epoch.
    pub fn is_current(&self, server: usize, epoch: u32) -> bool {
        self.replaced.get(&server).map_or(0, |&(times, _)| times) == epoch
    }
}
