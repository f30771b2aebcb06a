//! Two real nodes of a cluster, and two memory servers with a view of it.
//!
//! The real nodes know each other from the start, by a `nodes.conf` that is written here. It gives each a bus port of the
//! other at which nobody listens. So no gossip changes a view: only the test does, in both worlds alike, in any order.

use std::{
    cell::{Cell, RefCell},
    net::TcpListener,
};

use proptest::test_runner::TestCaseError;
use redlatch::memory::NodeName;

use crate::{
    moves::steps,
    nodes::Nodes,
    pair::{START, runner, say},
    real::RealServer,
    users::users,
};

pub const NAMES: [NodeName; 2] = [NodeName(0xa0), NodeName(0xb1)];

/// The first slots of each node.
pub const SLOTS: [(u16, u16); 2] = [(0, 8191), (8192, 16_383)];

pub const HOST: &str = "127.0.0.1";

/// What replies must contain at least once if there are many.
const KINDS: [&str; 13] = [
    "-MOVED ",
    "-ASK ",
    "-TRYAGAIN ",
    "-CROSSSLOT ",
    "-CLUSTERDOWN The cluster is down",
    "-CLUSTERDOWN Hash slot not served",
    "-ERR Script attempted to access a non local key",
    "-NOSCRIPT ",
    "-NOPERM ",
    "ssubscribe",
    "smessage",
    "sunsubscribe",
    // The nonce: a script ran.
    "n0000000000000ab",
];

/// A port at which nobody listens.
const CLOSED: u16 = 1;

pub struct RealCluster {
    pub nodes: [RealServer; 2],
    pub ports: [u16; 2],
}

impl RealCluster {
    fn start(program: &str) -> Self {
        let [a, b, bus_a, bus_b] = free_ports();
        let (ports, buses) = ([a, b], [bus_a, bus_b]);
        // Before the first sequence: a node begins to serve two seconds after its start.
        let begin = START - 86_400_000_000;
        let nodes = [0, 1].map(|me| {
            let mut conf = "vars currentEpoch 2 lastVoteEpoch 0\n".to_owned();
            for node in [0, 1] {
                let (bus, flags) = if node == me { (buses[me], "myself,master") } else { (CLOSED, "master") };
                let (name, port, (first, last)) = (NAMES[node], ports[node], SLOTS[node]);
                conf += &format!(
                    "{name} {HOST}:{port}@{bus} {flags} - 0 0 {} connected {first}-{last}\n",
                    node + 1
                );
            }
            let (port, bus) = (ports[me].to_string(), buses[me].to_string());
            let options = ["--port", &port, "--bind", HOST, "--cluster-port", &bus];
            // No step of the clock makes a node suspect the other.
            let cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000000000000"];
            RealServer::start_node(
                program,
                &format!("node-{me}"),
                begin,
                &[options.as_slice(), &cluster].concat(),
                &conf,
            )
        });
        let mut cluster = Self { nodes, ports };
        for node in &mut cluster.nodes {
            let mut now = begin;
            while !node.text(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {
                now += 1000;
                assert!(now < START - 3_600_000_000, "the node does not begin to serve");
                node.set_clock(now);
            }
        }
        cluster
    }
}

fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind((HOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Compares memory servers with two nodes of a cluster, by at least that many commands.
pub fn hold_against(program: &str, commands: usize) {
    let mut real = RealCluster::start(program);
    let (sequences, run) = (Cell::new(0_usize), Cell::new(0_usize));
    let seen = RefCell::new([0_usize; KINDS.len()]);
    let mut runner = runner(commands / 200 + 1, file!());
    let shared = RefCell::new(&mut real);
    let result = runner.run(&(users(), steps()), |(users, steps)| {
        let mut real = shared.borrow_mut();
        let mut nodes = Nodes::new(&mut real, users);
        for step in &steps {
            let (count, replies) = nodes.step(step).map_err(TestCaseError::fail)?;
            run.set(run.get() + count);
            let replies = String::from_utf8_lossy(&replies);
            for (kind, seen) in KINDS.iter().zip(seen.borrow_mut().iter_mut()) {
                *seen += replies.matches(kind).count();
            }
        }
        sequences.set(sequences.get() + 1);
        nodes.compare_state().map_err(TestCaseError::fail)
    });
    let version = &real.nodes[0].version;
    if let Err(error) = result {
        panic!("{program} {version}, cluster: {error}");
    }
    let (run, sequences) = (run.get(), sequences.get());
    say(format_args!("{program} {version}, cluster: {run} commands in {sequences} sequences"));
    assert!(run >= commands, "too few commands in a sequence");
    for (kind, seen) in KINDS.iter().zip(seen.into_inner()) {
        say(format_args!("{seen} replies with {kind:?}"));
        assert!(seen > 0 || commands < 10_000, "no reply with {kind:?}");
    }
}
