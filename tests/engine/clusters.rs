//! Locks in a cluster: where commands go, and which answers count.

use crate::{
    cluster::{Cluster, name},
    world::{failure, ms, renewed, request, waiting},
};
use redlatch::{Code, Event, Loss, ReleaseOutcome, Request};

fn released(events: &[Event]) -> bool {
    matches!(events, [Event::Released { outcome: ReleaseOutcome::Released, .. }])
}

#[test]
fn the_map_is_asked_for_once_and_each_lock_goes_to_its_node() {
    let mut cluster = Cluster::new(3, 1);
    for node in 0..3 {
        let key = cluster.key_on(node);
        let lock = cluster.hold(request(key.as_str()));
        assert!(cluster.holder(node, &key).is_some());
        cluster.release(lock);
        assert!(released(&cluster.events()));
    }
    let maps = (0..6).flat_map(|node| cluster.heard(node)).filter(|name| name == "CLUSTER").count();
    assert_eq!(maps, 1);
    assert_eq!(cluster.nodes.iter().map(|node| node.dialled).collect::<Vec<_>>(), [1, 1, 1, 0, 0, 0]);
}

#[test]
fn a_lock_follows_its_slot_to_another_node() {
    let mut cluster = Cluster::new(3, 0);
    let key = cluster.key_on(0);
    let lock = cluster.hold(renewed(&key));
    cluster.move_slot(&key, 1);
    cluster.verify(lock);
    assert!(matches!(cluster.events()[..], [Event::Verified { ours: true, .. }]));
    cluster.release(lock);
    assert!(released(&cluster.events()));
    assert_eq!((cluster.holder(0, &key), cluster.holder(1, &key)), (None, None));
}

#[test]
fn a_renewed_lock_is_held_while_its_slot_moves_key_by_key_and_a_free_one_is_granted_then() {
    let mut cluster = Cluster::new(2, 0);
    let key = cluster.key_on(0);
    let lock = cluster.hold(renewed(&key));
    cluster.begin_move(&key, 1);
    cluster.run_for(ms(20_000));
    let other = cluster.acquire(waiting(&format!("{{{key}}}other")));
    cluster.run_for(ms(1_000));
    assert!(cluster.events().is_empty(), "neither lost nor granted nor failed");
    cluster.move_keys(&key, 0, 1);
    cluster.run_for(ms(20_000));
    assert!(cluster.events().is_empty());
    cluster.set_owner(&key, 1, &[1, 0]);
    cluster.run_for(ms(1_000));
    assert!(matches!(cluster.events()[..], [Event::Granted { lock, .. }] if lock == other));
    cluster.release(lock);
    assert!(released(&cluster.events()));
}

#[test]
fn a_redirect_that_never_ends_fails_the_attempt_and_may_pass() {
    let mut cluster = Cluster::new(2, 0);
    let (here, there) = (cluster.key_on(0), cluster.key_on(1));
    for key in [&here, &there] {
        cluster.visit(key);
    }
    (0..2).for_each(|node| drop(cluster.heard(node)));
    // Each of them points to the other.
    cluster.set_owner(&here, 1, &[0]);
    cluster.acquire(Request { wait: ms(0), ..request(here.as_str()) });
    let error = failure(cluster.events().remove(0));
    assert_eq!((error.code, &*error.prefix), (Code::Server, "MOVED"));
    let heard = cluster.nodes.iter().flat_map(|node| &node.heard);
    let acquires = heard.filter(|words| words.iter().any(|word| word.starts_with("redlatch:fence:"))).count();
    assert_eq!(acquires, 6, "five redirects are followed");
    let waiting = cluster.acquire(waiting(&here));
    cluster.run_for(ms(500));
    cluster.set_owner(&here, 1, &[1]);
    cluster.run_for(ms(3_000));
    assert!(matches!(cluster.events()[..], [Event::Granted { lock, .. }] if lock == waiting));
}

#[test]
fn the_answer_of_a_former_master_is_no_grant() {
    let mut cluster = Cluster::new(2, 1);
    let (key, other) = (cluster.key_on(0), cluster.key_on(1));
    cluster.hold(request(other.as_str()));
    cluster.events();
    cluster.visit(&key);
    cluster.stop(0);
    let lock = cluster.acquire(Request { wait: ms(10_000), ..request(key.as_str()) });
    // The replica takes over. The client learns of it, because the silent node makes it ask.
    cluster.promote(2, 0, &[1, 2, 3]);
    cluster.run_for(ms(5_000));
    let events = cluster.events();
    assert!(matches!(events[..], [Event::Granted { lock: granted, .. }] if granted == lock), "{events:?}");
    assert!(cluster.holder(2, &key).is_some());
    cluster.release(lock);
    cluster.events();
    // What the former master did with the first command concerns nobody.
    cluster.resume(0);
    assert!(cluster.events().is_empty());
}

#[test]
fn a_held_lock_that_the_new_master_does_not_have_is_lost_at_once() {
    let mut cluster = Cluster::new(2, 1);
    let (key, other) = (cluster.key_on(0), cluster.key_on(1));
    // Replicated before the lock was granted.
    cluster.promote(2, 0, &[]);
    cluster.hold(request(other.as_str()));
    cluster.events();
    let lock = cluster.hold(renewed(&key));
    for view in 0..4 {
        cluster.nodes[view].memory.cluster_mut().unwrap().promote(name(2));
    }
    cluster.kill(0);
    cluster.run_for(ms(1_000));
    let events = cluster.events();
    assert!(
        matches!(events[..], [Event::Lost { lock: lost, loss: Loss::NotOurs, .. }] if lost == lock),
        "{events:?}"
    );
}

#[test]
fn a_master_that_is_down_costs_few_commands_and_its_waiters_are_served_when_another_takes_over() {
    let mut cluster = Cluster::new(2, 1);
    let (key, other) = (cluster.key_on(0), cluster.key_on(1));
    cluster.hold(request(other.as_str()));
    let holder = cluster.hold(request(key.as_str()));
    cluster.release(holder);
    cluster.events();
    cluster.kill(0);
    let waiters: Vec<_> = (0..100).map(|_| cluster.acquire(waiting(&key))).collect();
    (0..4).for_each(|node| drop(cluster.heard(node)));
    let dialled = cluster.nodes[0].dialled;
    cluster.run_for(ms(5_000));
    assert!(cluster.events().is_empty(), "they wait");
    let asked: usize = (0..4).map(|node| cluster.heard(node).len()).sum();
    assert!(asked <= 50, "{asked} commands in 5 s");
    assert!(cluster.nodes[0].dialled - dialled <= 40, "{} dials", cluster.nodes[0].dialled - dialled);
    cluster.promote(2, 0, &[1, 2, 3]);
    cluster.run_for(ms(3_000));
    let events = cluster.events();
    let is_served = |event: &Event| matches!(event, Event::Granted { lock, .. } if waiters.contains(lock));
    assert!(events.len() == 1 && is_served(&events[0]), "{events:?}");
}

#[test]
fn without_any_node_an_acquire_fails_and_names_the_connection() {
    let mut cluster = Cluster::new(2, 0);
    cluster.kill(0);
    cluster.acquire(Request { wait: ms(0), ..request("a") });
    let error = failure(cluster.events().remove(0));
    assert_eq!(error.code, Code::Connection);
    let lock = cluster.acquire(Request { wait: ms(10_000), ..request("a") });
    cluster.run_for(ms(1_000));
    cluster.resume(0);
    cluster.run_for(ms(3_000));
    assert!(matches!(cluster.events()[..], [Event::Granted { lock: granted, .. }] if granted == lock));
}

#[test]
fn a_node_that_redirects_to_itself_is_connected_to_anew() {
    let mut cluster = Cluster::new(2, 0);
    let key = cluster.key_on(0);
    let lock = cluster.hold(request(key.as_str()));
    let dialled = cluster.nodes[0].dialled;
    // Behind the address is a server that says the slot is at that address, as in a managed service that swaps servers.
    let view = cluster.nodes[0].memory.cluster_mut().unwrap();
    let twin = view.node(name(0)).unwrap().clone();
    view.set_node(name(9), twin);
    view.set_owner(0..=16_383, Some(name(9)));
    cluster.verify(lock);
    cluster.run_for(ms(100));
    assert_eq!(cluster.nodes[0].dialled, dialled + 1);
}

#[test]
fn an_idle_client_asks_for_nothing() {
    let mut cluster = Cluster::new(3, 0);
    let lock = cluster.hold(request("a"));
    cluster.release(lock);
    cluster.events();
    for node in 0..3 {
        cluster.heard(node);
    }
    cluster.run_for(ms(60_000));
    assert!((0..3).all(|node| cluster.heard(node).is_empty()));
}

#[test]
fn a_command_that_waits_for_a_dead_connection_goes_to_the_new_master() {
    let mut cluster = Cluster::new(2, 1);
    let (key, other) = (cluster.key_on(0), cluster.key_on(1));
    cluster.hold(request(other.as_str()));
    cluster.events();
    // Its kernel accepts connections, and nobody answers the handshake.
    cluster.stop(0);
    let lock = cluster.acquire(waiting(&key));
    cluster.run_for(ms(100));
    cluster.promote(2, 0, &[1, 2, 3]);
    cluster.run_for(ms(3_000));
    let events = cluster.events();
    assert!(matches!(events[..], [Event::Granted { lock: granted, .. }] if granted == lock), "{events:?}");
    // The dial fails in the end, which concerns nobody any more.
    cluster.run_for(ms(6_000));
    assert!(cluster.events().is_empty());
}

#[test]
fn while_a_slot_moves_its_keys_are_found_at_the_target_behind_asking() {
    let mut cluster = Cluster::new(2, 0);
    let (key, other) = (cluster.key_on(0), cluster.key_on(1));
    cluster.hold(request(other.as_str()));
    let lock = cluster.hold(request(key.as_str()));
    cluster.begin_move(&key, 1);
    cluster.move_keys(&key, 0, 1);
    for node in 0..2 {
        cluster.heard(node);
    }
    cluster.verify(lock);
    assert!(matches!(cluster.events()[..], [Event::Verified { ours: true, .. }]));
    // The target does not know the script. ASKING counts for one command, so it comes again before the source of the script.
    assert_eq!(cluster.heard(1), ["ASKING", "EVALSHA", "ASKING", "EVAL"]);
    assert_eq!(cluster.heard(0), ["EVALSHA", "EVALSHA"], "the slot is still its own");
}

#[test]
fn an_answer_of_a_former_server_that_comes_late_does_not_count() {
    let mut cluster = Cluster::new(2, 1);
    let (key, twin) = (cluster.key_on(0), cluster.key_on(1));
    cluster.hold(request(twin.as_str()));
    cluster.visit(&key);
    cluster.stop(0);
    let lock = cluster.acquire(waiting(&key));
    cluster.promote(2, 0, &[1, 2, 3]);
    // A redirect elsewhere makes the client ask for the map, before the old master has been silent for too long.
    cluster.set_owner(&twin, 2, &[1, 2, 3]);
    cluster.acquire(waiting(&twin));
    cluster.run_for(ms(200));
    assert_eq!(cluster.holder(0, &key), None);
    cluster.resume(0);
    assert!(cluster.holder(0, &key).is_some(), "the old master grants what is queued");
    cluster.run_for(ms(10));
    let is_granted =
        |event: &Event| matches!(event, Event::Granted { lock: granted, .. } if *granted == lock);
    assert!(cluster.events().iter().any(is_granted));
    assert!(cluster.holder(2, &key).is_some(), "only the new master counts");
}
