//! What a client does when a slot has another node.

use crate::{
    cluster::{Cluster, name},
    memory::administer,
    world::{failure, fair, ms, request, waiting},
};
use redlatch::{Code, Duration, Event, Loss, Policy, Request};

#[test]
fn servers_that_contradict_each_other_are_asked_with_pauses() {
    let mut cluster = Cluster::new(2, 0);
    let (here, there) = (cluster.key_on(0), cluster.key_on(1));
    for key in [&here, &there] {
        cluster.visit(key);
    }
    cluster.set_owner(&here, 1, &[0]);
    let other = format!("{{{here}}}other");
    let waiters = [cluster.acquire(fair(&here)), cluster.acquire(fair(&other))];
    (0..2).for_each(|node| drop(cluster.heard(node)));
    cluster.run_for(ms(1_000));
    let asked: usize = (0..2).map(|node| cluster.heard(node).len()).sum();
    assert!(asked <= 250, "{asked} commands in a second");
    cluster.set_owner(&here, 1, &[1]);
    cluster.run_for(ms(2_000));
    let events = cluster.events();
    let granted = |lock| {
        events.iter().any(|event| matches!(event, Event::Granted { lock: granted, .. } if *granted == lock))
    };
    assert!(waiters.into_iter().all(granted), "{events:?}");
}

#[test]
fn a_held_lock_is_confirmed_as_soon_as_the_new_node_of_its_slot_can_be_reached() {
    let mut cluster = Cluster::new(2, 0);
    let (key, there) = (cluster.key_on(0), cluster.key_on(1));
    let lock = cluster.hold(request(key.as_str()));
    cluster.move_slot(&key, 1);
    // The node loses the lock, and refuses the connection that is made to ask for it.
    cluster.kill(1);
    cluster.acquire(Request { wait: ms(0), ..request(format!("{{{key}}}other")) });
    assert_eq!(failure(cluster.events().remove(0)).code, Code::Connection);
    cluster.resume(1);
    cluster.run_for(ms(1_000));
    cluster.acquire(request(there.as_str()));
    cluster.run_for(ms(200));
    let is_lost =
        |event: &Event| matches!(event, Event::Lost { lock: lost, loss: Loss::NotOurs, .. } if *lost == lock);
    let events = cluster.events();
    assert!(events.iter().any(is_lost), "{events:?}");
}

#[test]
fn a_command_that_waits_for_a_former_master_goes_to_the_new_one() {
    let mut cluster = Cluster::new(2, 1);
    let (key, there) = (cluster.key_on(0), cluster.key_on(1));
    let lock = cluster.hold(request(key.as_str()));
    cluster.hold(request(there.as_str()));
    cluster.promote(2, 0, &[1, 2, 3]);
    cluster.vanish(0);
    cluster.verify(lock);
    let waiting = cluster.acquire(waiting(&format!("{{{key}}}other")));
    cluster.run_for(ms(1_000));
    let events = cluster.events();
    assert!(events.iter().any(|event| matches!(event, Event::Verified { ours: true, .. })), "{events:?}");
    assert!(
        events.iter().any(|event| matches!(event, Event::Granted { lock, .. } if *lock == waiting)),
        "{events:?}"
    );
}

#[test]
fn a_held_lock_is_confirmed_with_pauses_while_servers_contradict_each_other() {
    let mut cluster = Cluster::new(2, 0);
    let (key, there) = (cluster.key_on(0), cluster.key_on(1));
    let lock = cluster.hold(Request { ttl: ms(60_000), ..request(key.as_str()) });
    cluster.hold(request(there.as_str()));
    cluster.set_owner(&key, 1, &[0]);
    (0..2).for_each(|node| drop(cluster.heard(node)));
    cluster.verify(lock);
    cluster.run_for(ms(1_000));
    let asked: usize = (0..2).map(|node| cluster.heard(node).len()).sum();
    assert!(asked <= 150, "{asked} commands in a second");
}

#[test]
fn a_waiter_asks_at_once_when_its_slot_has_another_node() {
    let seldom = Policy { retry_max: ms(60_000), ..Policy::default() };
    let mut cluster = Cluster::with(2, 1, &seldom);
    let key = cluster.key_on(0);
    let other = format!("{{{key}}}other");
    // The key belongs to somebody else, and the replica never hears of that.
    let taken = ["SET", key.as_str(), "token", "PX", "600000"];
    administer_moved(&mut cluster, &taken);
    let waiter = cluster.acquire(Request { wait: Duration::MAX, ..request(key.as_str()) });
    let held = cluster.hold(Request { ttl: ms(600_000), ..request(other.as_str()) });
    cluster.run_for(ms(1_000));
    for view in 0..4 {
        cluster.nodes[view].memory.cluster_mut().unwrap().promote(name(2));
    }
    cluster.verify(held);
    cluster.run_for(ms(500));
    let events = cluster.events();
    let is_granted = |event: &Event| matches!(event, Event::Granted { lock, .. } if *lock == waiter);
    assert!(events.iter().any(is_granted), "{events:?}");
}

#[test]
fn a_wake_up_counts_if_it_comes_from_the_node_of_the_slot() {
    let seldom = Policy { retry_max: ms(60_000), ..Policy::default() };
    let mut cluster = Cluster::with(2, 0, &seldom);
    let (key, there) = (cluster.key_on(0), cluster.key_on(1));
    cluster.hold(request(there.as_str()));
    administer_moved(&mut cluster, &["SET", key.as_str(), "token", "PX", "600000"]);
    cluster.acquire(Request { wait: Duration::MAX, ..request(key.as_str()) });
    cluster.run_for(ms(100));
    let words = |node: usize, word: &str| {
        let heard = cluster.nodes[node].heard.iter().rev();
        heard.flatten().find(|each| each.contains(word)).unwrap().clone()
    };
    let channel = words(0, "redlatch:wake:");
    let id = words(0, &format!("{}:", channel.rsplit(':').next().unwrap()));
    let number = id.rsplit(':').next().unwrap();
    (0..2).for_each(|node| drop(cluster.heard(node)));
    cluster.message(1, &channel, number);
    cluster.run_for(ms(100));
    assert_eq!(cluster.heard(0), [""; 0]);
    cluster.message(0, &channel, number);
    cluster.run_for(ms(100));
    assert_eq!(cluster.heard(0).len(), 1);
}

/// A command of somebody else on the first node.
fn administer_moved(cluster: &mut Cluster, words: &[&str]) {
    let now = cluster.now;
    administer(&mut cluster.nodes[0].memory, words, now);
}

#[test]
fn a_redirect_counts_even_if_its_lock_is_over() {
    let patient = Policy { node_timeout: Some(ms(1000)), ..Policy::default() };
    let mut cluster = Cluster::with(2, 0, &patient);
    let (key, there) = (cluster.key_on(0), cluster.key_on(1));
    cluster.hold(request(there.as_str()));
    let lock = cluster.hold(Request { ttl: ms(100), ..request(key.as_str()) });
    cluster.stop(0);
    cluster.release(lock);
    cluster.run_for(ms(150));
    assert_eq!(cluster.engine.busy(), 1, "the release was given up");
    cluster.set_owner(&key, 1, &[0, 1]);
    cluster.resume(0);
    (0..2).for_each(|node| drop(cluster.heard(node)));
    cluster.events();
    cluster.hold(request(format!("{{{key}}}other")));
    assert!(!cluster.heard(0).iter().any(|name| name.starts_with("EVAL")));
}

#[test]
fn a_slot_that_has_moved_on_is_found_though_its_first_node_has_not_heard_of_it() {
    let mut cluster = Cluster::new(3, 0);
    let keys: Vec<_> = (0..3).map(|node| cluster.key_on(node)).collect();
    for key in &keys {
        cluster.hold(request(key.as_str()));
    }
    // The first node believes that the slot is on its way to the second one, which has it no more.
    let key = format!("{{{}}}other", keys[0]);
    cluster.begin_move(&key, 1);
    cluster.move_keys(&key, 0, 1);
    cluster.set_owner(&key, 1, &[1]);
    cluster.set_owner(&key, 2, &[1, 2]);
    cluster.move_keys(&key, 1, 2);
    let lock = cluster.acquire(waiting(&key));
    cluster.run_for(ms(2_000));
    let events = cluster.events();
    assert!(matches!(events[..], [Event::Granted { lock: granted, .. }] if granted == lock), "{events:?}");
}
