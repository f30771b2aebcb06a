//! What a client knows of a cluster: maps, redirects, and servers that contradict each other.

use crate::{
    cluster::{Cluster, name, slot_of},
    world::{Seeded, failure, ms, request, waiting},
};
use redlatch::{
    Code, Endpoint, Engine, Event, Policy, Request,
    memory::{ClusterNode, ClusterView, NodeName},
};

#[test]
fn a_slot_that_no_server_has_fails_a_try_at_once() {
    let mut cluster = Cluster::new(2, 0);
    let (key, other) = (cluster.key_on(1), cluster.key_on(0));
    for view in 0..2 {
        let view = cluster.nodes[view].memory.cluster_mut().unwrap();
        view.set_owner(8_192..=16_383, None);
    }
    cluster.hold(request(other.as_str()));
    cluster.acquire(Request { wait: ms(0), ..request(key.as_str()) });
    let error = failure(cluster.events().remove(0));
    assert_eq!((error.code, &*error.prefix), (Code::Server, "CLUSTERDOWN"));
    let lock = cluster.acquire(waiting(&key));
    cluster.run_for(ms(3_000));
    cluster.set_owner(&key, 0, &[0, 1]);
    cluster.run_for(ms(3_000));
    assert!(matches!(cluster.events()[..], [Event::Granted { lock: granted, .. }] if granted == lock));
}

#[test]
fn a_map_of_another_cluster_is_refused() {
    let mut cluster = Cluster::new(2, 0);
    let keys = [cluster.key_on(0), cluster.key_on(1)];
    let [lock, other] = keys.map(|key| cluster.hold(Request { ttl: ms(60_000), ..request(key.as_str()) }));
    // Behind the address of the first server is one of another cluster.
    let view = cluster.nodes[0].memory.cluster_mut().unwrap();
    view.set_node(NodeName(99), ClusterNode::new("10.9.9.9", 7099));
    view.set_owner(0..=16_383, Some(NodeName(99)));
    // The second server says nothing for as long as the map is asked for.
    cluster.stop(1);
    cluster.verify(lock);
    cluster.run_for(ms(3_000));
    cluster.resume(1);
    cluster.events();
    cluster.verify(other);
    assert!(matches!(cluster.events()[..], [Event::Verified { ours: true, .. }]), "where it was");
}

#[test]
fn a_replica_as_the_only_seed_is_enough() {
    let mut cluster = Cluster::knowing("10.0.0.1:7002", 2, 1, &Policy::default());
    let key = cluster.key_on(1);
    cluster.hold(request(key.as_str()));
    assert!(cluster.holder(1, &key).is_some());
}

#[test]
fn a_redirect_to_an_unknown_address_may_pass() {
    let mut cluster = Cluster::new(2, 0);
    let key = cluster.key_on(0);
    cluster.visit(&key);
    let view = cluster.nodes[0].memory.cluster_mut().unwrap();
    view.set_node(NodeName(9), ClusterNode::new("?", 7009));
    view.set_owner(slot_of(&key)..=slot_of(&key), Some(NodeName(9)));
    let lock = cluster.acquire(waiting(&key));
    cluster.run_for(ms(500));
    assert!(cluster.events().is_empty() && cluster.strangers.is_empty());
    cluster.set_owner(&key, 0, &[0]);
    cluster.run_for(ms(3_000));
    assert!(matches!(cluster.events()[..], [Event::Granted { lock: granted, .. }] if granted == lock));
}

#[test]
fn seeds_have_whole_addresses_one_for_each() {
    let mut engine = Engine::new(Policy::default(), Seeded(1));
    engine.add_node(Endpoint::default());
    for odd in ["", "a", ":7000", "a:0", "a:1\nb:2", "a b:1"] {
        assert!(!engine.form_cluster(odd), "{odd:?}");
    }
    assert!(engine.form_cluster("::1:7000"));
    assert_eq!(engine.address(redlatch::NodeId(0)).as_deref(), Some("::1:7000"));
    assert_eq!(engine.address(redlatch::NodeId(1)), None);
}

#[test]
fn a_map_in_which_every_replica_has_taken_over_is_one_of_the_same_cluster() {
    let mut cluster = Cluster::new(2, 1);
    let keys = [cluster.key_on(0), cluster.key_on(1)];
    for key in &keys {
        cluster.visit(key);
    }
    // While the client is idle, both masters end, and one of them is back as a replica.
    for master in 0..2 {
        cluster.promote(master + 2, master, &[0, 1, 2, 3]);
        cluster.kill(master);
    }
    cluster.resume(1);
    for key in &keys {
        let lock = cluster.acquire(waiting(key));
        cluster.run_for(ms(3_000));
        let events = cluster.events();
        assert!(
            matches!(events[..], [Event::Granted { lock: granted, .. }] if granted == lock),
            "{events:?}"
        );
        cluster.release(lock);
        cluster.events();
    }
}

#[test]
fn the_map_is_asked_for_ten_times_a_second_at_most_while_servers_contradict_each_other() {
    let mut cluster = Cluster::new(2, 0);
    let (here, there) = (cluster.key_on(0), cluster.key_on(1));
    for key in [&here, &there] {
        cluster.visit(key);
    }
    // Each of them points to the other.
    cluster.set_owner(&here, 1, &[0]);
    for _ in 0..20 {
        cluster.acquire(waiting(&here));
    }
    for _ in 0..5 {
        (0..2).for_each(|node| drop(cluster.heard(node)));
        cluster.run_for(ms(1_000));
        let maps = (0..2).flat_map(|node| cluster.heard(node)).filter(|name| name == "CLUSTER").count();
        assert!(maps <= 10, "{maps}");
    }
}

#[test]
fn the_map_of_another_cluster_is_refused() {
    let mut cluster = Cluster::new(2, 0);
    let (key, there) = (cluster.key_on(0), cluster.key_on(1));
    for key in [&key, &there] {
        cluster.visit(key);
    }
    // Another cluster has the address of a node, and says that all slots are its own and those of a stranger.
    let mut other = ClusterView::new(name(20));
    other.set_node(name(20), ClusterNode::new("10.0.0.1", 7001));
    other.set_node(name(21), ClusterNode::new("10.0.0.9", 7021));
    other.set_owner(0..=16_383, Some(name(21)));
    cluster.kill(0);
    cluster.nodes[1].memory.set_cluster(Some(other));
    let lock = cluster.acquire(waiting(&key));
    cluster.run_for(ms(5_000));
    assert!(cluster.heard(1).iter().any(|name| name == "CLUSTER"));
    assert_eq!(cluster.strangers, [""; 0]);
    cluster.resume(0);
    cluster.run_for(ms(3_000));
    assert!(matches!(cluster.events()[..], [Event::Granted { lock: granted, .. }] if granted == lock));
}

#[test]
fn locks_that_wait_for_the_same_map_ask_for_it_once() {
    let mut cluster = Cluster::new(2, 0);
    let keys: Vec<String> = (0..4).map(|at| format!("{}:{at}", cluster.key_on(0))).collect();
    cluster.stop(0);
    for key in &keys {
        cluster.acquire(waiting(key));
    }
    cluster.resume(0);
    cluster.run_for(ms(5_000));
    let maps = |node: usize| cluster.nodes[node].heard.iter().filter(|words| words[0] == "CLUSTER").count();
    assert_eq!([maps(0), maps(1)], [1, 0]);
}
