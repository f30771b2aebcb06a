use super::{ClusterNode, ClusterView, NodeName};
use crate::memory::{Server, SessionId, Trouble, User};
use crate::time::Instant;

const A: NodeName = NodeName(0xa);
const B: NodeName = NodeName(0xb);
const C: NodeName = NodeName(0xc);
const D: NodeName = NodeName(0xd);

/// The slot of `k`.
const SLOT: u16 = 7629;

const MOVED: &str = "-MOVED 7629 10.0.0.2:7002\r\n";

/// The view of the node `me` of a cluster in which B owns all slots, and C and D are its replicas.
fn view(me: NodeName) -> ClusterView {
    let mut view = ClusterView::new(me);
    for (name, last, master) in [(A, 1, None), (B, 2, None), (C, 3, Some(B)), (D, 4, Some(B))] {
        let node = ClusterNode::new(&format!("10.0.0.{last}"), 7000 + last);
        view.set_node(name, ClusterNode { master, ..node });
    }
    view.set_owner(0..=16_383, Some(B));
    view
}

fn node(me: NodeName) -> Server {
    let mut server = Server::new();
    server.set_cluster(Some(view(me)));
    server.connect(SessionId(1));
    server
}

fn run(server: &mut Server, command: &str) -> String {
    let words: Vec<_> = command.split(' ').map(str::as_bytes).collect();
    let mut bytes = Vec::new();
    crate::resp::encode(&words, &mut bytes);
    server.receive(SessionId(1), &bytes, Instant::from_micros(0));
    String::from_utf8(server.take_output(SessionId(1))).unwrap()
}

#[test]
fn a_promoted_replica_has_the_slots_and_the_other_replicas() {
    let mut view = view(C);
    assert!(view.is_replica());
    view.promote(C);
    assert_eq!(view.owner(SLOT), Some(C));
    let masters = [A, B, C, D].map(|name| view.node(name).unwrap().master);
    assert_eq!(masters, [None, Some(C), None, Some(C)]);
    let before = view.clone();
    view.promote(C);
    assert_eq!(view, before, "a master stays one");
}

#[test]
fn a_demoted_master_closes_the_slots_that_move() {
    let mut view = view(B);
    view.set_migrating(7, A);
    view.set_importing(8, A);
    view.promote(C);
    assert!(view.is_replica());
    assert_eq!((view.migrating(7), view.importing(8)), (None, None));
}

#[test]
fn a_move_ends_with_its_owner() {
    let mut view = view(B);
    view.set_migrating(7, A);
    view.set_owner(7..=7, Some(B));
    assert_eq!(view.migrating(7), Some(A), "a slot that stays may still move");
    view.set_owner(0..=7, Some(A));
    view.set_importing(7, A);
    view.set_owner(7..=7, Some(C));
    assert_eq!(
        (view.migrating(7), view.importing(7)),
        (None, Some(A)),
        "another node's slot may still arrive"
    );
    view.set_owner(7..=8, Some(B));
    assert_eq!(view.importing(7), None);
}

#[test]
fn a_name_has_forty_digits() {
    assert_eq!(B.to_string(), format!("{}b", "0".repeat(39)));
}

#[test]
fn a_replica_points_to_its_master_and_says_what_it_is() {
    let mut replica = node(C);
    assert_eq!(run(&mut replica, "GET k"), MOVED);
    assert_eq!(run(&mut replica, "EVALSHA 00 1 k"), MOVED, "before NOSCRIPT");
    assert_eq!(run(&mut replica, "PING"), "+PONG\r\n");
    assert!(run(&mut replica, "HELLO 2").contains("$4\r\nrole\r\n$7\r\nreplica\r\n"));
    replica.cluster_mut().unwrap().promote(C);
    assert_eq!(run(&mut replica, "GET k"), "$-1\r\n");
    assert!(run(&mut replica, "HELLO 2").contains("$4\r\nrole\r\n$6\r\nmaster\r\n"));
}

#[test]
fn a_replica_is_listed_behind_its_master() {
    let mut node = node(A);
    let listed = |(name, last)| format!("*4\r\n$8\r\n10.0.0.{last}\r\n:700{last}\r\n$40\r\n{name}\r\n*0\r\n");
    let nodes = [(B, 2), (C, 3), (D, 4)].map(listed).concat();
    assert_eq!(run(&mut node, "CLUSTER SLOTS"), format!("*1\r\n*5\r\n:0\r\n:16383\r\n{nodes}"));
}

#[test]
fn a_cluster_that_is_down_serves_no_key() {
    let mut node = node(B);
    node.cluster_mut().unwrap().set_down(true);
    assert_eq!(run(&mut node, "GET k"), "-CLUSTERDOWN The cluster is down\r\n");
    assert_eq!(run(&mut node, "EXISTS k a"), "-CROSSSLOT Keys in request don't hash to the same slot\r\n");
    assert!(run(&mut node, "EVAL x 0").contains("does not know this script"), "it has no keys");
    node.cluster_mut().unwrap().set_owner(SLOT..=SLOT, None);
    assert_eq!(run(&mut node, "GET k"), "-CLUSTERDOWN Hash slot not served\r\n");
}

#[test]
fn a_redirect_comes_before_a_server_in_trouble_and_behind_missing_rights() {
    let mut node = node(A);
    node.set_trouble(Some(Trouble::Loading));
    assert_eq!(run(&mut node, "GET k"), MOVED);
    node.set_user(b"default", User::new().without_command("get"));
    assert!(run(&mut node, "GET k").starts_with("-NOPERM"));
}

#[test]
fn asking_is_for_one_command_even_if_that_is_refused() {
    let mut node = node(A);
    node.cluster_mut().unwrap().set_importing(SLOT, B);
    assert_eq!(run(&mut node, "ASKING"), "+OK\r\n");
    assert_eq!(run(&mut node, "GET k"), "$-1\r\n");
    assert_eq!(run(&mut node, "GET k"), MOVED);
    run(&mut node, "ASKING");
    run(&mut node, "NOSUCH");
    assert_eq!(run(&mut node, "GET k"), MOVED);
}

#[test]
fn only_the_owner_of_a_slot_migrates_it() {
    let mut node = node(A);
    node.cluster_mut().unwrap().set_migrating(SLOT, C);
    assert_eq!(run(&mut node, "GET k"), MOVED);
    node.cluster_mut().unwrap().set_owner(SLOT..=SLOT, Some(A));
    assert_eq!(run(&mut node, "GET k"), "-ASK 7629 10.0.0.3:7003\r\n");
}

#[test]
fn a_host_that_nobody_knows_is_empty() {
    let mut node = node(A);
    let unknown = ClusterNode { host: None, ..ClusterNode::new("", 7002) };
    node.cluster_mut().unwrap().set_node(B, unknown);
    assert_eq!(run(&mut node, "GET k"), "-MOVED 7629 :7002\r\n");
    node.cluster_mut().unwrap().set_owner(SLOT..=SLOT, Some(NodeName(9)));
    assert_eq!(run(&mut node, "GET k"), "-MOVED 7629 :0\r\n", "a node without an address");
}
