//! An observer who knows everything, and reports each broken rule.

use std::collections::{BTreeMap, BTreeSet};

use redlatch::{HandleId, memory::Keyspace};

use crate::{
    contract,
    evidence::Evidence,
    exemptions::Exemptions,
    fifo::Queues,
    plan::{Micros, Plan},
    server::Executed,
    world::{ScriptCall, Verb},
};

#[derive(Clone, Debug)]
pub struct Violation {
    pub rule: &'static str,
    pub text: String,
}

impl Violation {
    pub fn new(rule: &'static str, text: impl Into<String>) -> Self {
        Self { rule, text: text.into() }
    }
}

/// A lock that an application was told it holds.
#[derive(Clone, Debug)]
pub struct Hold {
    pub client: usize,
    pub lock: HandleId,
    pub owner: Vec<u8>,
    /// Whether the engine drew the token, for this lock alone.
    pub minted: bool,
    /// Whether another process held it before.
    pub adopted: bool,
    pub keys: BTreeSet<usize>,
    /// In how many slots they are, of a cluster.
    pub turns: usize,
    /// When it was requested, in true time.
    pub asked: Micros,
}

pub struct Observer {
    servers: usize,
    calm: bool,
    patient: bool,
    exemptions: Exemptions,
    pub holds: Vec<Hold>,
    /// The largest fencing token reported for a key, and its owner.
    fences: BTreeMap<usize, (u64, Vec<u8>)>,
    /// The last fencing token of each server, or of each slot of a cluster, by its counter.
    minted: BTreeMap<(usize, Vec<u8>), u64>,
    is_cluster: bool,
    pub evidence: Evidence,
    /// Tokens that a client may neither extend nor acquire any more.
    released: BTreeSet<(usize, Vec<u8>)>,
    /// The client that was granted a token's lock or adopted it last, of those that share the token.
    claimants: BTreeMap<Vec<u8>, usize>,
    /// Claimants that released a token's lock: it has ended then for all that share the token.
    let_go: BTreeSet<(Vec<u8>, usize)>,
    queues: Vec<Queues>,
    /// How often each outcome and fault happened, because a world in which nothing happens proves nothing.
    pub coverage: BTreeMap<&'static str, u64>,
}

impl Observer {
    pub fn new(plan: &Plan) -> Self {
        Self {
            servers: plan.settings.votes(),
            is_cluster: plan.settings.cluster.is_some(),
            calm: plan.settings.calm,
            patient: plan.settings.patience.is_some(),
            exemptions: Exemptions::new(&plan.settings),
            holds: Vec::new(),
            fences: BTreeMap::new(),
            minted: BTreeMap::new(),
            evidence: Evidence::new(&plan.settings),
            released: BTreeSet::new(),
            claimants: BTreeMap::new(),
            let_go: BTreeSet::new(),
            queues: vec![Queues::default(); plan.settings.servers],
            coverage: BTreeMap::new(),
        }
    }

    pub fn count(&mut self, what: &'static str) {
        *self.coverage.entry(what).or_default() += 1;
    }

    pub fn is_calm(&self) -> bool {
        self.calm
    }

    /// The client was impatient: a violation in worlds in which a patient client can wait out everything that fails.
    pub fn impatient(&self, text: impl FnOnce() -> String) -> Result<(), Violation> {
        if self.patient { Err(Violation::new("patience", text())) } else { Ok(()) }
    }

    /// A server lost a key that belongs to a lock: its fence counter, or another one.
    pub fn lost(&mut self, server: usize, key: usize, counter: bool, time: Micros) {
        self.exemptions.keys_lost(Some(key), time);
        if counter {
            self.exemptions.counters_lost();
        }
        self.queues[server].clear();
    }

    /// A server crashed and lost everything. Whether that exempts from a rule depends on when it is back.
    pub fn forgot(&mut self, server: usize) {
        self.exemptions.counters_lost();
        self.queues[server].clear();
    }

    /// It is back too soon: locks requested before it crashed may have two believers.
    pub fn back_too_soon(&mut self, crashed: Micros) {
        self.exemptions.keys_lost(None, crashed);
    }

    /// Keys of a cluster are on another server now: what is in the queues is seen for the first time.
    pub fn reshaped(&mut self) {
        self.queues.iter_mut().for_each(Queues::clear);
    }

    /// A server's clock was set.
    pub fn stepped(&mut self, server: usize, by: i64, time: Micros) {
        self.exemptions.clock_set(by, time);
        if by > 0 {
            self.queues[server].clear();
        }
    }

    /// A server has executed a command, which concerned these locks.
    pub fn executed(
        &mut self,
        server: usize,
        locks: &[Executed],
        keys: Option<&Keyspace>,
        now: u64,
        time: Micros,
    ) -> Result<(), Violation> {
        if let [first, _, ..] = locks
            && first.done
        {
            self.count(runs_of(first.call.verb()));
        }
        for executed in locks {
            if self.evidence.record(server, executed, time) {
                self.count("votes taken back");
            }
            self.check_minted(server, executed, now)?;
            if let Some(keys) = keys {
                contract::check(executed, keys, now)?;
                self.queues[server].look(executed, keys, now, self.calm)?;
            }
        }
        match keys.and_then(|keys| keys.live(now).find(|(.., expiry)| expiry.is_none())) {
            Some((key, ..)) => Err(Violation::new("expiry", format!("{} never expires", key.escape_ascii()))),
            None => Ok(()),
        }
    }

    /// Each fencing token of a server is larger than the one before, whichever lock gets it. `now` is the server's time in ms.
    fn check_minted(&mut self, server: usize, executed: &Executed, now: u64) -> Result<(), Violation> {
        let Some(counter) = executed.call.counter() else { return Ok(()) };
        let server = if self.is_cluster { 0 } else { server };
        if executed.call.raises() && executed.count == 1 {
            let last = self.minted.entry((server, counter.clone())).or_default();
            *last = executed.call.fence().max(*last);
            self.count("fences raised");
            if executed.call.fence() / 1000 > now {
                // Made by a clock that is ahead: to this counter, its own clock was set back.
                self.exemptions.clock_set(-1, 0);
                self.count("fences raised beyond the clock");
            }
        }
        let Some(fence) = executed.fence else { return Ok(()) };
        let last = self.minted.insert((server, counter.clone()), fence);
        if last.is_some_and(|last| fence <= last) && !self.exemptions.fence_reset() {
            let text = format!("{} mints {fence} after {last:?}", executed.call.name());
            return Err(Violation::new("fence", text));
        }
        Ok(())
    }

    /// A client writes a script call.
    pub fn written(&self, client: usize, call: &ScriptCall) -> Result<(), Violation> {
        if !call.releases() && self.released.contains(&(client, call.token())) {
            let text = format!("{} with a released token", call.name());
            return Err(Violation::new("sent after release", text));
        }
        Ok(())
    }

    pub fn released(&mut self, client: usize, owner: &[u8]) {
        self.released.insert((client, owner.to_vec()));
    }

    /// Whether another client that had the claim released the lock.
    pub fn let_go(&self, owner: &[u8], client: usize) -> bool {
        self.let_go.iter().any(|(token, other)| token == owner && *other != client)
    }

    /// An application adopts a token's lock, or was granted it.
    pub fn claims(&mut self, owner: &[u8], client: usize) {
        self.claimants.insert(owner.to_vec(), client);
    }

    /// Whether this client released it.
    pub fn let_go_by(&self, owner: &[u8], client: usize) -> bool {
        self.let_go.contains(&(owner.to_vec(), client))
    }

    /// Whether another client has adopted the lock, or has requested to: then it may have done so on some
    /// servers.
    pub fn taken_over(&self, owner: &[u8], client: usize) -> bool {
        self.claimants.get(owner).is_some_and(|&claimant| claimant != client)
    }

    /// An application is told that it holds a lock. `believes` says whether the holder of another lock
    /// believes so too, now.
    pub fn lock_reported(
        &mut self,
        hold: Hold,
        fence: u64,
        believes: impl Fn(&Hold) -> bool,
    ) -> Result<(), Violation> {
        self.count(if hold.adopted { "adopted" } else { "granted" });
        let enters = |other: &Hold| other.client == hold.client && other.owner == hold.owner;
        if hold.adopted && self.holds.iter().any(enters) {
            self.count("adopted twice");
        } else if hold.adopted {
            self.evidence.check_adoption(&hold)?;
        } else {
            self.evidence.check_grant(&hold, fence)?;
        }
        for &key in &hold.keys {
            let mut others =
                self.holds.iter().filter(|other| other.keys.contains(&key) && other.owner != hold.owner);
            let overlap = others.find(|other| believes(other)).cloned();
            if let Some(other) = overlap {
                if self.let_go(&other.owner, other.client) {
                    self.count("two believers, handed over and let go");
                    continue;
                }
                // Keys of either lock that were lost since its first grant count: some of a majority may have
                // granted long before the grant is reported.
                let since =
                    self.evidence.first_grant(&hold).map_or(other.asked, |first| first.min(other.asked));
                if !self.exemptions.two_believers(key, since) {
                    let text = format!(
                        "clients {} and {} both believe to hold lock:{key} (locks {:?} and {:?})",
                        other.client, hold.client, other.lock, hold.lock
                    );
                    return Err(Violation::new("exclusion", text));
                }
                self.count("two believers, exempt");
            }
            if self.servers == 1 && !hold.adopted {
                let (last, last_owner) = self.fences.get(&key).cloned().unwrap_or_default();
                // A re-entry has the same fence.
                let grows = fence > last || fence == last && last_owner == hold.owner;
                let exempt = self.exemptions.fence_reset() || self.exemptions.two_believers(key, hold.asked);
                if !grows && !exempt {
                    let text = format!("lock:{key} had {last}, and then {fence}");
                    return Err(Violation::new("fence", text));
                }
                if fence >= last {
                    self.fences.insert(key, (fence, hold.owner.clone()));
                }
            }
        }
        // A re-entry claims nothing.
        if hold.adopted || !self.holds.iter().any(enters) {
            self.claims(&hold.owner, hold.client);
        }
        self.holds.push(hold);
        Ok(())
    }

    /// An application no longer holds a lock.
    pub fn over(&mut self, client: usize, lock: HandleId) {
        let ended = self.holds.iter().find(|hold| hold.client == client && hold.lock == lock);
        let ended = ended.map(|hold| hold.owner.clone());
        if let Some(owner) = ended.filter(|owner| !self.taken_over(owner, client)) {
            self.let_go.insert((owner, client));
        }
        self.holds.retain(|hold| hold.client != client || hold.lock != lock);
    }

    pub fn killed(&mut self, client: usize) {
        self.holds.retain(|hold| hold.client != client);
    }
}

/// The name under which a call for several locks is counted.
const fn runs_of(verb: Verb) -> &'static str {
    match verb {
        Verb::Acquire => "runs of acquires",
        Verb::Raise => "runs of raised fences",
        Verb::Extend => "runs of extensions",
        Verb::Release => "runs of releases",
    }
}
