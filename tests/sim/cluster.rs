//! The nodes of a cluster: what is true, and by which steps it changes and each node learns of it. `upheavals.rs` takes them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use redlatch::memory::{ClusterNode, ClusterView, NodeName};

use crate::{
    clusters::{ClusterSettings, Former, Upheaval},
    plan::{Micros, Settings},
    rng::Rng,
};

pub const HOST: &str = "10.0.0.1";
const FIRST_PORT: u16 = 7000;

/// The name of an observer's view: no node has it.
const NOBODY: NodeName = NodeName(u64::MAX);

pub struct SimCluster {
    /// The owner of each slot, and which nodes are masters.
    pub truth: ClusterView,
    settings: ClusterSettings,
    nodes: usize,
    masters: usize,
    /// The first sentinel, if there are any: behind the servers with keys.
    pub first_sentinel: Option<usize>,
    /// What is still to happen, and how long after what came before, by the number of the fault.
    pub steps: BTreeMap<usize, VecDeque<(Micros, Step)>>,
    /// The nodes that hear of no change, and the changes that they have missed.
    pub behind: BTreeMap<usize, Vec<Change>>,
    /// The slots that move, each with its source and its target.
    pub moving: BTreeMap<u16, (usize, usize)>,
    /// The shards in which a replica takes over.
    pub failing: BTreeSet<usize>,
}

/// What a node hears of.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// The slot has another owner.
    Owner(u16),
    /// The replica that is a master now.
    Promoted(usize),
}

#[derive(Clone, Copy, Debug)]
pub enum Step {
    Import {
        slot: u16,
        from: usize,
        to: usize,
    },
    Migrate {
        slot: u16,
        from: usize,
        to: usize,
    },
    /// One key moves, as long as there are any.
    Key {
        slot: u16,
        pace: Micros,
    },
    /// The target owns the slot.
    Arrive {
        slot: u16,
    },
    MoveEnds {
        slot: u16,
    },
    /// The replica gets all keys of its master.
    Copy {
        shard: usize,
    },
    Stop {
        node: usize,
        former: Former,
    },
    /// `has_all` if the replica has all keys of the master that stops.
    Promote {
        shard: usize,
        has_all: bool,
    },
    GoOn {
        node: usize,
        former: Former,
    },
    FailoverEnds {
        shard: usize,
    },
    Learn {
        node: usize,
        change: Change,
    },
}

pub const fn name(node: usize) -> NodeName {
    NodeName(node as u64 + 1)
}

pub fn address(node: usize) -> String {
    format!("{HOST}:{}", usize::from(FIRST_PORT) + node)
}

/// The name under which sentinels know the master.
pub const MASTER: &str = "mymaster";

/// The port of a node.
pub fn port(node: usize) -> u16 {
    FIRST_PORT + node as u16
}

/// The node at an address, of so many.
pub fn node_at(address: &str, nodes: usize) -> Option<usize> {
    (0..nodes).find(|&node| self::address(node) == address)
}

/// What a node knows at first: masters with equal shares of the slots, and a replica for each if there are so many nodes.
pub fn first_view(settings: &Settings, me: NodeName) -> Option<ClusterView> {
    let cluster = settings.cluster?;
    let masters = cluster.masters;
    let mut view = ClusterView::new(me);
    for node in 0..settings.servers - cluster.all_sentinels() {
        let known = ClusterNode::new(HOST, FIRST_PORT + node as u16);
        let host = known.host.clone().filter(|_| !cluster.is_nameless);
        let master = (node >= masters).then(|| name(node % masters));
        view.set_node(name(node), ClusterNode { host, master, ..known });
    }
    for master in 0..masters {
        let first = |master: usize| (16_384 * master / masters) as u16;
        view.set_owner(first(master)..=first(master + 1) - 1, Some(name(master)));
    }
    Some(view)
}

impl SimCluster {
    pub fn new(settings: &Settings) -> Option<Self> {
        Some(Self {
            truth: first_view(settings, NOBODY)?,
            settings: settings.cluster?,
            nodes: settings.servers,
            masters: settings.cluster?.masters,
            first_sentinel: settings
                .cluster
                .filter(|cluster| cluster.has_sentinels())
                .map(|cluster| settings.servers - cluster.all_sentinels()),
            steps: BTreeMap::new(),
            behind: BTreeMap::new(),
            moving: BTreeMap::new(),
            failing: BTreeSet::new(),
        })
    }

    pub fn owner(&self, slot: u16) -> usize {
        self.truth.owner(slot).map_or(0, |NodeName(number)| number as usize - 1)
    }

    /// The node that serves commands about the slot where a command to this one belongs. Each master with sentinels has all slots.
    pub fn master_for(&self, node: usize, slot: u16) -> usize {
        match self.first_sentinel {
            Some(_) => self.master_of(self.shard_of(node)),
            None => self.owner(slot),
        }
    }

    /// Whether a node may serve commands about the slot: it owns it, or the slot moves to it.
    pub fn serves(&self, node: usize, slot: u16) -> bool {
        self.master_for(node, slot) == node || self.moving.get(&slot).is_some_and(|&(_, to)| to == node)
    }

    fn shard_of(&self, node: usize) -> usize {
        self.settings.shard_of(node, self.nodes)
    }

    /// Whether a node hears what happens in a shard: all of a cluster do.
    fn hears_of(&self, node: usize, shard: usize) -> bool {
        self.first_sentinel.is_none() || self.shard_of(node) == shard
    }

    pub fn master_of(&self, shard: usize) -> usize {
        let is_master = |node: usize| self.truth.node(name(node)).is_some_and(|node| node.master.is_none());
        if is_master(shard) { shard } else { shard + self.masters }
    }

    pub fn heir_of(&self, shard: usize) -> Option<usize> {
        let heir = shard + if self.master_of(shard) == shard { self.masters } else { 0 };
        self.truth.node(name(heir)).map(|_| heir)
    }

    fn is_moving(&self, node: usize) -> bool {
        self.moving.values().any(|&(from, to)| from == node || to == node)
    }

    pub fn plan_move(
        &mut self,
        slot: u16,
        to: usize,
        (pace, rest): (Micros, Micros),
        rng: &mut Rng,
        nodes: usize,
    ) -> VecDeque<(Micros, Step)> {
        let from = self.owner(slot);
        let mut to = self.master_of(to);
        if to == from {
            to = self.master_of((self.shard_of(to) + 1) % self.masters);
        }
        let fails = |node| self.failing.contains(&self.shard_of(node));
        if self.moving.contains_key(&slot) || fails(from) || fails(to) {
            return VecDeque::new();
        }
        self.moving.insert(slot, (from, to));
        let mut steps = VecDeque::from([
            (0, Step::Import { slot, from, to }),
            (pace, Step::Migrate { slot, from, to }),
            (rest, Step::Key { slot, pace }),
            (rest, Step::Arrive { slot }),
        ]);
        let change = Change::Owner(slot);
        steps.push_back((rest, Step::Learn { node: from, change }));
        steps.push_back((0, Step::MoveEnds { slot }));
        let others = (0..nodes).filter(|&node| node != from && node != to);
        steps.extend(shuffled(others, rng).map(|node| (rest, Step::Learn { node, change })));
        steps
    }

    pub fn plan_failover(&mut self, what: Upheaval, rng: &mut Rng, nodes: usize) -> VecDeque<(Micros, Step)> {
        let Upheaval::Failover { shard, former, lag, takes, pace, stale } = what else {
            return VecDeque::new();
        };
        let node = self.master_of(shard);
        let Some(heir) = self.heir_of(shard) else { return VecDeque::new() };
        if self.is_moving(node) || !self.failing.insert(shard) {
            return VecDeque::new();
        }
        let change = Change::Promoted(heir);
        let mut steps = VecDeque::from([
            (0, Step::Copy { shard }),
            (lag, Step::Stop { node, former }),
            (takes, Step::Promote { shard, has_all: lag == 0 }),
        ]);
        // The one that takes over may be among the last to know, as seen by clients.
        let hears = |&other: &usize| other != node && self.hears_of(other, shard);
        let others = shuffled((0..nodes).filter(hears), rng).collect::<Vec<_>>();
        // A sentinel names it only once it is a master.
        let first = if rng.chance(70) || self.first_sentinel.is_some() { heir } else { others[0] };
        steps.push_back((0, Step::Learn { node: first, change }));
        steps.extend(
            others
                .into_iter()
                .filter(|&other| other != first)
                .map(|node| (pace, Step::Learn { node, change })),
        );
        let learns = (stale, Step::Learn { node, change });
        match former {
            Former::Down => {
                steps.extend([(0, Step::Learn { node, change }), (stale, Step::GoOn { node, former })])
            }
            Former::Stopped => steps.extend([(pace, Step::GoOn { node, former }), learns]),
            Former::CutOff => steps.push_back(learns),
        }
        steps.push_back((0, Step::FailoverEnds { shard }));
        steps
    }
}

fn shuffled(nodes: impl Iterator<Item = usize>, rng: &mut Rng) -> impl Iterator<Item = usize> {
    let mut nodes: Vec<_> = nodes.collect();
    for last in (1..nodes.len()).rev() {
        nodes.swap(last, rng.index(last + 1));
    }
    nodes.into_iter()
}
