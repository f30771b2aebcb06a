//! What happens in a random sequence on two nodes of a cluster: commands whose keys are in a few slots, while the slots move.

use proptest::prelude::*;
use redlatch::EXCLUSIVE_RELEASE;

use crate::steps::{COUNTER, SHARDED, Word, client, command, derived, script, text, time, value, waiter};

/// Connections to each node.
pub const CONNECTIONS: usize = 2;

/// The hash tags of the keys, and the node that has their slot first.
pub const TAGS: [(&str, usize); 3] = [("a", 1), ("b", 0), ("c", 0)];

/// A node is 0 or 1.
#[derive(Clone, Debug)]
pub enum Step {
    /// Microseconds that pass, or are taken back.
    Time(i64),
    /// Commands in one write, on that connection to a node.
    Commands {
        to: To,
        at: usize,
        commands: Vec<Placed>,
    },
    /// Both nodes are out of memory from here on, or not any more.
    OutOfMemory(bool),
    Reconnect(usize, usize),
    /// Something happens to the slot of the tag with that index.
    Slot(usize, Change),
    /// The cluster is down for that node from here on, or not any more.
    Down(usize, bool),
    /// What both nodes call nodes from here on.
    Endpoint(Endpoint),
}

#[derive(Clone, Copy, Debug)]
pub enum To {
    Node(usize),
    /// The owner of the slot of the first command, as node 0 believes.
    Owner,
    /// The node that is not the owner.
    Other,
}

#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// It begins to move away from that node, if it is its own.
    Begin(usize),
    /// One of the keys that that node has moves to the other, if it can.
    Key { from: usize, which: usize },
    /// The rest of its keys moves to that node, which becomes the owner.
    Finish(usize),
    /// That node imports it, if it is not its own.
    Importing(usize),
    /// That node migrates it, if it is its own.
    Migrating(usize),
    /// That node stops to import or migrate it.
    Stable(usize),
    /// For that node, the other one is the owner now, or nobody, if it can be.
    Owner(usize, Option<usize>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Ip,
    /// An address, and a host name in the metadata.
    IpAndName,
    /// `?`, for no name is announced.
    NoName,
    Name,
    Unknown,
}

/// A command, and where its keys are.
#[derive(Clone, Debug)]
pub struct Placed {
    pub words: Vec<Word>,
    /// The hash tag of its keys; without one, each is in a slot of its own.
    pub tag: Option<usize>,
    /// A key that has another hash tag: which of the keys, and the tag.
    stray: Option<(usize, usize)>,
}

impl Placed {
    /// The words, at that time in microseconds.
    pub fn render(&self, now: u64) -> Vec<Vec<u8>> {
        let mut keys = 0;
        let render = |word: &Word| {
            let mut tag = self.tag;
            if let Word::Key(_) = word {
                tag = self.stray.filter(|(which, _)| *which == keys).map_or(tag, |(_, tag)| Some(tag));
                keys += 1;
            }
            word.render(now, &tag.map_or(String::new(), |tag| format!("{{{}}}", TAGS[tag].0)))
        };
        self.words.iter().map(render).collect()
    }
}

/// Sequences of about 300 commands.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (node, tag) = (|| 0..2_usize, || 0..TAGS.len());
    let one = prop_oneof![
        16 => commands(),
        4 => time().prop_map(Step::Time),
        1 => prop::bool::weighted(0.25).prop_map(Step::OutOfMemory),
        1 => (node(), 0..CONNECTIONS).prop_map(|(node, at)| Step::Reconnect(node, at)),
        10 => (tag(), change()).prop_map(|(tag, change)| Step::Slot(tag, change)),
        1 => (node(), prop::bool::weighted(0.1)).prop_map(|(node, down)| Step::Down(node, down)),
        1 => endpoint().prop_map(Step::Endpoint),
    ];
    let some = prop_oneof![20 => one.prop_map(|step| vec![step]), 1 => departure(), 1 => wake_ups()];
    prop::collection::vec(some, 1..190).prop_map(|steps| steps.concat())
}

/// A slot with all keys of all locks begins to move, and scripts run. Only then a script at the source may empty a key. The
/// first script releases a lock twice, and so uses a key that it has emptied.
fn departure() -> impl Strategy<Value = Vec<Step>> {
    let lock = (value(), waiter(), client(), -2..5000_i64);
    (0..TAGS.len(), prop::collection::vec(lock, 3..=3), prop::collection::vec(script(), 1..5)).prop_map(
        |(tag, locks, scripts)| {
            let key = |name: &str| Word::Key(name.to_owned());
            let mut filled = vec![vec![text("SET"), key(COUNTER), text("7")]];
            let mut twice = words(["EVAL", EXCLUSIVE_RELEASE.source, "4"]);
            for (lock, (value, waiter, client, left)) in ["a", "b", "c"].into_iter().zip(locks) {
                let set = |name: &str, score, member: &Word| {
                    vec![text("ZADD"), key(&derived(name, lock)), score, member.clone()]
                };
                filled.push(vec![text("SET"), key(lock), value.clone(), text("PX"), text("5000")]);
                filled.push(set("waiters", Word::Now(left), &waiter));
                filled.push(set("queue", text("1"), &waiter));
                filled.push(set("places", Word::Now(left), &client));
                if lock == "a" {
                    let keys = [key("a"), key(&derived("waiters", "a"))];
                    twice.extend([keys.clone(), keys].concat());
                    twice.extend([text("n0000000000000ab"), text(""), value.clone(), value]);
                }
            }
            let commands = |all: Vec<Vec<Word>>| {
                let place = |words| Placed { words, tag: Some(tag), stray: None };
                let commands = all.into_iter().map(place).collect();
                Step::Commands { to: To::Owner, at: 0, commands }
            };
            let begin = [0, 1].map(|node| Step::Slot(tag, Change::Begin(node)));
            let run = commands([vec![twice], scripts].concat());
            [commands(filled)].into_iter().chain(begin).chain([run]).collect()
        },
    )
}

/// A lock is released for a waiter that listens, before its slot moves and when it begins to. Then the slot leaves, and with it the
/// subscription ends.
fn wake_ups() -> impl Strategy<Value = Vec<Step>> {
    (0..TAGS.len(), value(), 0..2_usize).prop_map(|(tag, value, node)| {
        let key = |name: &str| Word::Key(name.to_owned());
        let release = [
            vec![text("SET"), key("a"), value.clone(), text("PX"), text("5000")],
            vec![text("ZADD"), key(&derived("waiters", "a")), Word::Now(1000), text(format!("{SHARDED}:1"))],
            [
                words(["EVAL", EXCLUSIVE_RELEASE.source, "2"]),
                vec![key("a"), key(&derived("waiters", "a"))],
                vec![text("n0000000000000ab"), text(""), value],
            ]
            .concat(),
        ];
        let listen =
            [words(["HELLO", "3"]), vec![text("SSUBSCRIBE"), key(&format!("redlatch:wake:{SHARDED}"))]];
        let commands = |to, all: &[Vec<Word>]| {
            let place = |words: &Vec<Word>| Placed { words: words.clone(), tag: Some(tag), stray: None };
            Step::Commands { to, at: 0, commands: all.iter().map(place).collect() }
        };
        let change = |change| Step::Slot(tag, change);
        vec![
            commands(To::Owner, &listen),
            commands(To::Owner, &release),
            change(Change::Begin(0)),
            change(Change::Begin(1)),
            commands(To::Owner, &release),
            change(Change::Finish(node)),
            commands(To::Other, &[words(["PING"])]),
        ]
    })
}

fn words<const N: usize>(words: [&str; N]) -> Vec<Word> {
    words.map(text).to_vec()
}

fn change() -> impl Strategy<Value = Change> {
    let node = || 0..2_usize;
    prop_oneof![
        4 => node().prop_map(Change::Begin),
        8 => (node(), 0..12_usize).prop_map(|(from, which)| Change::Key { from, which }),
        3 => node().prop_map(Change::Finish),
        1 => node().prop_map(Change::Importing),
        1 => node().prop_map(Change::Migrating),
        1 => node().prop_map(Change::Stable),
        1 => (node(), prop::option::weighted(0.8, node())).prop_map(|(at, owner)| Change::Owner(at, owner)),
    ]
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    use Endpoint::{Ip, IpAndName, Name, NoName, Unknown};
    prop::sample::select(vec![Ip, Ip, Ip, IpAndName, NoName, Name, Unknown])
}

/// Commands in one write, most of them with keys of one slot, and some of them behind ASKING.
fn commands() -> impl Strategy<Value = Step> {
    let to = prop_oneof![2 => (0..2_usize).prop_map(To::Node), 5 => Just(To::Owner), 3 => Just(To::Other)];
    let each = (placed(), 0..100_u32, prop::bool::weighted(0.8));
    (to, 0..CONNECTIONS, 0..TAGS.len(), prop::collection::vec(each, 1..7)).prop_map(|(to, at, tag, drawn)| {
        let mut commands = Vec::new();
        for (mut placed, asks, is_alike) in drawn {
            if asks < if matches!(to, To::Other) { 80 } else { 10 } {
                commands.push(Placed { words: vec![text("ASKING")], tag: Some(tag), stray: None });
            }
            placed.tag = placed.tag.map(|other| if is_alike { tag } else { other });
            commands.push(placed);
        }
        Step::Commands { to, at, commands }
    })
}

fn placed() -> impl Strategy<Value = Placed> {
    let words = prop_oneof![12 => command().boxed(), 1 => about_the_cluster().boxed()];
    let tag = prop::option::weighted(0.97, 0..TAGS.len());
    let stray = prop::option::weighted(0.05, (0..6_usize, 0..TAGS.len()));
    (words, tag, stray).prop_map(|(words, tag, stray)| Placed { words, tag, stray })
}

fn about_the_cluster() -> impl Strategy<Value = Vec<Word>> {
    let words = |line: &'static str| Just(line.split(' ').map(text).collect::<Vec<_>>());
    prop_oneof![
        4 => words("CLUSTER SLOTS"), 1 => words("cluster slots x"), 1 => words("CLUSTER MYID"),
        1 => words("CLUSTER KEYSLOT a{bc}{d}"), 1 => words("CLUSTER KEYSLOT {}a"), 1 => words("CLUSTER KEYSLOT"),
        1 => words("HELLO 2"), 2 => words("HELLO 3"), 1 => words("ASKING"), 1 => words("ASKING x"),
    ]
}
