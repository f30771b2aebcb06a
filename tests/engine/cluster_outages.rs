//! Servers of a cluster that hang, come back, or are all replaced.

use crate::{
    cluster::Cluster,
    world::{ms, renewed, request},
};
use redlatch::{
    Event, Loss, Request,
    memory::{ClusterNode, ClusterView, NodeName},
};

/// The client learns that the slots of the server 0 are now those of its replica 2, without a word of the server 0.
fn learn_of_failover(cluster: &mut Cluster, twin: &str) {
    cluster.promote(2, 0, &[1, 2, 3]);
    cluster.set_owner(twin, 2, &[1, 2, 3]);
    cluster.acquire(Request { wait: ms(60_000), ..request(twin) });
    cluster.run_for(ms(200));
}

#[test]
fn an_ask_of_a_former_server_is_not_followed() {
    let mut cluster = Cluster::new(2, 1);
    let (key, twin) = (cluster.key_on(0), cluster.key_on(1));
    cluster.hold(request(twin.as_str()));
    let lock = cluster.hold(request(key.as_str()));
    // The slot is on its way to server 1, with the lock, when server 0 hangs. Its replica has neither.
    cluster.begin_move(&key, 1);
    cluster.move_keys(&key, 0, 1);
    cluster.stop(0);
    cluster.verify(lock);
    learn_of_failover(&mut cluster, &twin);
    cluster.events();
    cluster.resume(0);
    cluster.run_for(ms(200));
    let events = cluster.events();
    let is_lost =
        |event: &Event| matches!(event, Event::Lost { lock: lost, loss: Loss::NotOurs, .. } if *lost == lock);
    assert!(events.iter().any(is_lost), "server 2 has the slot, and not the lock: {events:?}");
}

#[test]
fn while_a_master_hangs_the_map_is_asked_for_until_another_has_its_slots() {
    let mut cluster = Cluster::new(2, 1);
    let (key, other) = (cluster.key_on(0), cluster.key_on(1));
    let lock = cluster.hold(renewed(&key));
    cluster.hold(renewed(&other));
    cluster.stop(0);
    // Its silence is noticed at the first renewal; the connection that is made then gets no answer for five seconds.
    cluster.run_for(ms(6_000));
    cluster.promote(2, 0, &[1, 2, 3]);
    cluster.heard(2);
    cluster.run_for(ms(1_000));
    assert!(cluster.heard(2).iter().any(|name| name.starts_with("EVAL")), "the lock is confirmed there");
    cluster.run_for(ms(10_000));
    assert!(cluster.events().is_empty(), "and renewed");
    cluster.release(lock);
}

#[test]
fn a_cluster_whose_servers_were_all_replaced_is_known_again_after_a_minute() {
    let mut cluster = Cluster::new(3, 0);
    let key = cluster.key_on(1);
    cluster.visit(&key);
    cluster.kill(1);
    for node in [0, 2] {
        let mut view = ClusterView::new(NodeName(node + 50));
        for other in [0, 2] {
            view.set_node(NodeName(other + 50), ClusterNode::new("10.0.0.1", 7000 + other as u16));
        }
        view.set_owner(0..=16_383, Some(NodeName(52)));
        cluster.nodes[node as usize].memory.set_cluster(Some(view));
    }
    let lock = cluster.acquire(Request { wait: ms(120_000), ..request(key.as_str()) });
    cluster.run_for(ms(50_000));
    assert!(cluster.events().is_empty(), "it might be another cluster");
    cluster.run_for(ms(15_000));
    assert!(matches!(cluster.events()[..], [Event::Granted { lock: granted, .. }] if granted == lock));
}
