//! Acquiring locks with keys in several slots of a cluster (rule 12): slot by slot, all or none, with one fence.

use std::collections::BTreeSet;

use crate::{
    cluster::{Cluster, name, slot_of},
    memory::{administer, load_scripts},
    world::{failure, ms, one_attempt, request},
};
use redlatch::{Code, Duration, Event, InvalidRequest, Policy, ReleaseOutcome, Request};

/// A request for these keys.
pub fn all(keys: &[&str]) -> Request {
    Request { keys: keys.iter().map(|key| key.as_bytes().to_vec()).collect(), ..request("") }
}

/// A cluster of so many masters, with a key on each, whose client has connections to all of them.
pub fn visited(masters: usize, replicas: usize) -> (Cluster, Vec<String>) {
    let mut cluster = Cluster::new(masters, replicas);
    let keys: Vec<_> = (0..masters).map(|node| cluster.key_on(node)).collect();
    let now = cluster.now;
    cluster.nodes.iter_mut().for_each(|node| load_scripts(&mut node.memory, now));
    for key in &keys {
        cluster.visit(key);
    }
    (0..masters).for_each(|node| cluster.nodes[node].heard.clear());
    (cluster, keys)
}

/// A command of somebody else on a node.
pub fn administered(cluster: &mut Cluster, node: usize, words: &[&str]) {
    let now = cluster.now;
    administer(&mut cluster.nodes[node].memory, words, now);
}

/// Somebody else takes a key on a node.
fn take(cluster: &mut Cluster, node: usize, key: &str) {
    administered(cluster, node, &["SET", key, "another", "PX", "600000"]);
}

pub fn fence(events: &[Event]) -> u64 {
    match events {
        [Event::Granted { fence, .. }] => *fence,
        _ => panic!("{events:?}"),
    }
}

/// The fence counter of a key's slot, which a command to the node has named.
fn counter(cluster: &Cluster, node: usize, key: &str) -> String {
    let words = cluster.nodes[node].heard.iter().flatten();
    let mut counters = words.filter(|word| word.starts_with("redlatch:fence:"));
    counters.find(|counter| slot_of(counter) == slot_of(key)).unwrap().clone()
}

/// The tokens with which commands of a script were sent to a node, in order.
fn values(cluster: &Cluster, node: usize, key: &str, at: usize) -> Vec<String> {
    let about = |words: &&Vec<String>| words.get(3).is_some_and(|first| first == key);
    cluster.nodes[node].heard.iter().filter(about).filter_map(|words| words.get(at).cloned()).collect()
}

#[test]
fn each_slot_is_asked_once_the_slots_before_it_have_granted() {
    let (mut cluster, keys) = visited(3, 0);
    cluster.stop(0);
    let lock = cluster.acquire(all(&[&keys[2], &keys[1], &keys[0], &keys[1]]));
    assert_eq!([1, 2].map(|node| cluster.heard(node).len()), [0, 0]);
    cluster.stop(1);
    cluster.resume(0);
    assert_eq!(cluster.heard(2).len(), 0);
    assert!(cluster.events().is_empty());
    cluster.resume(1);
    assert!(matches!(cluster.events()[..], [Event::Granted { lock: granted, .. }] if granted == lock));
    let tokens: BTreeSet<_> = (0..3).map(|node| cluster.holder(node, &keys[node])).collect();
    assert_eq!(tokens.len(), 1);
    assert!(!tokens.contains(&None));
    cluster.release(lock);
    assert!(matches!(cluster.events()[..], [Event::Released { outcome: ReleaseOutcome::Released, .. }]));
    assert!((0..3).all(|node| cluster.holder(node, &keys[node]).is_none()));
}

#[test]
fn keys_of_one_slot_are_one_command() {
    let (mut cluster, keys) = visited(2, 0);
    let other = format!("{{{}}}other", keys[0]);
    cluster.hold(all(&[&keys[0], &other]));
    assert_eq!(cluster.heard(0).len(), 1);
    cluster.hold(all(&[&keys[1], &format!("{{{}}}more", keys[1]), &format!("{other}2")]));
    assert_eq!((cluster.heard(0).len(), cluster.heard(1).len()), (2, 2), "the second time for the fence");
}

#[test]
fn while_it_waits_it_holds_nothing_and_a_token_is_used_for_one_attempt() {
    let (mut cluster, keys) = visited(2, 0);
    take(&mut cluster, 1, &keys[1]);
    let lock = cluster.acquire(Request { wait: ms(60_000), ..all(&[&keys[1], &keys[0]]) });
    for _ in 0..10 {
        assert_eq!(cluster.holder(0, &keys[0]), None);
        cluster.run_for(ms(300));
    }
    let tokens = values(&cluster, 1, &keys[1], 9);
    assert!(tokens.len() > 2);
    assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), tokens.len(), "{tokens:?}");
    assert!(cluster.events().is_empty());
    administered(&mut cluster, 1, &["DEL", &keys[1]]);
    cluster.run_for(ms(2000));
    assert!(matches!(cluster.events()[..], [Event::Granted { lock: granted, .. }] if granted == lock));
    cluster.release(lock);
    cluster.run_for(ms(100));
    assert_eq!(cluster.engine.busy(), 0);
}

#[test]
fn a_denial_by_the_first_slot_leaves_the_others_alone() {
    let (mut cluster, keys) = visited(2, 0);
    take(&mut cluster, 0, &keys[0]);
    cluster.acquire(Request { wait: Duration::ZERO, ..all(&[&keys[0], &keys[1]]) });
    assert_eq!(failure(cluster.events().remove(0)).code, Code::Timeout);
    assert_eq!((cluster.heard(0).len(), cluster.heard(1).len()), (1, 0));
    assert_eq!(cluster.engine.busy(), 0);
}

#[test]
fn a_waiter_is_woken_by_the_slot_that_denied_it() {
    let seldom = Policy { retry_max: ms(60_000), ..Policy::default() };
    let mut cluster = Cluster::with(2, 0, &seldom);
    let keys = [cluster.key_on(0), cluster.key_on(1)];
    for key in &keys {
        let other = cluster.hold(request(key.as_str()));
        let waiting = cluster.acquire(Request { wait: ms(60_000), ..all(&[&keys[0], &keys[1]]) });
        assert!(cluster.events().is_empty());
        cluster.run_for(ms(10));
        cluster.release(other);
        cluster.run_for(ms(10));
        let events = cluster.events();
        let is_granted = |event: &Event| matches!(event, Event::Granted { lock, .. } if *lock == waiting);
        assert!(events.iter().any(is_granted), "{events:?}");
        cluster.release(waiting);
        cluster.events();
    }
}

#[test]
fn a_waiter_that_gives_up_leaves_nothing_in_any_slot() {
    let (mut cluster, keys) = visited(2, 0);
    take(&mut cluster, 1, &keys[1]);
    cluster.acquire(Request { wait: ms(1000), ..all(&[&keys[0], &keys[1]]) });
    cluster.run_for(ms(1200));
    assert_eq!(failure(cluster.events().remove(0)).code, Code::Timeout);
    assert_eq!(cluster.engine.busy(), 0);
    let left = |node: usize, key: &str| cluster.nodes[node].memory.keys_in_slot(slot_of(key)).len();
    assert_eq!(left(0, &keys[0]), 1, "the fence counter");
    assert_eq!(left(1, &keys[1]), 2, "and the key of the other");
}

#[test]
fn the_fence_is_the_largest_and_the_next_holder_of_any_key_gets_a_larger_one() {
    let (mut cluster, keys) = visited(3, 0);
    let ahead = (cluster.now.as_micros() + 1_000_000).to_string();
    for key in &keys {
        cluster.visit(key);
    }
    let counter = counter(&cluster, 1, &keys[1]);
    administered(&mut cluster, 1, &["SET", &counter, &ahead]);
    let lock = cluster.acquire(all(&[&keys[0], &keys[1], &keys[2]]));
    let fence_of_all = fence(&cluster.events());
    assert_eq!(fence_of_all.to_string(), (ahead.parse::<u64>().unwrap() + 1).to_string());
    cluster.release(lock);
    cluster.events();
    for key in &keys {
        cluster.acquire(request(key.as_str()));
        let next = fence(&cluster.events());
        assert!(next > fence_of_all, "{key}: {next} after {fence_of_all}");
    }
}

#[test]
fn a_fence_that_is_larger_already_is_not_lowered() {
    let (mut cluster, keys) = visited(2, 0);
    cluster.visit(&keys[0]);
    let other = format!("{{{}}}other", keys[0]);
    let ahead = cluster.now.as_micros() + 1_000_000;
    let counter = counter(&cluster, 0, &keys[0]);
    cluster.stop(1);
    cluster.acquire(all(&[&keys[0], &keys[1]]));
    // Another lock of the first slot gets a larger one meanwhile.
    administered(&mut cluster, 0, &["SET", &counter, &ahead.to_string()]);
    cluster.resume(1);
    let of_both = fence(&cluster.events());
    cluster.acquire(request(other.as_str()));
    assert_eq!(fence(&cluster.events()), ahead + 1);
    assert!(of_both < ahead);
}

#[test]
fn keys_that_are_gone_before_their_fence_is_raised_are_no_grant() {
    let (mut cluster, keys) = visited(2, 0);
    cluster.visit(&keys[0]);
    cluster.stop(1);
    let lock = cluster.acquire(all(&[&keys[0], &keys[1]]));
    administered(&mut cluster, 0, &["DEL", &keys[0]]);
    take(&mut cluster, 0, &keys[0]);
    cluster.run_for(ms(5));
    cluster.resume(1);
    assert!(cluster.events().is_empty());
    cluster.run_for(ms(1000));
    assert!(cluster.events().is_empty());
    assert_eq!(cluster.holder(1, &keys[1]), None);
    administered(&mut cluster, 0, &["DEL", &keys[0]]);
    cluster.run_for(ms(2000));
    assert!(matches!(cluster.events()[..], [Event::Granted { lock: granted, .. }] if granted == lock));
}

#[test]
fn a_fence_that_cannot_be_raised_fails_the_attempt() {
    let (mut cluster, keys) = visited(2, 0);
    cluster.stop(1);
    let lock = cluster.acquire(all(&[&keys[0], &keys[1]]));
    cluster.kill(0);
    cluster.run_for(ms(5));
    cluster.resume(1);
    cluster.run_for(ms(500));
    assert!(cluster.events().is_empty());
    assert_eq!(cluster.holder(1, &keys[1]), None);
    cluster.resume(0);
    cluster.run_for(ms(2000));
    let events = cluster.events();
    assert!(matches!(events[..], [Event::Granted { lock: granted, .. }] if granted == lock), "{events:?}");
}

#[test]
fn a_slot_that_gets_another_server_before_the_grant_is_reported_is_asked_again() {
    let (mut cluster, keys) = visited(2, 1);
    // Replicated before the lock was granted.
    cluster.promote(3, 1, &[]);
    cluster.stop(1);
    let lock = cluster.acquire(all(&[&keys[0], &keys[1]]));
    cluster.stop(0);
    cluster.resume(1);
    // Both have granted, and the first has not said yet that it still has the key.
    for view in 0..4 {
        cluster.nodes[view].memory.cluster_mut().unwrap().promote(name(3));
    }
    let other = cluster.hold(request(format!("{{{}}}other", keys[1])));
    cluster.resume(0);
    assert!(cluster.events().is_empty(), "the new server does not have the key");
    cluster.run_for(ms(500));
    let events = cluster.events();
    assert!(matches!(events[..], [Event::Granted { lock: granted, .. }] if granted == lock && lock != other));
    assert!(cluster.holder(3, &keys[1]).is_some());
}

#[test]
fn validity_is_the_smallest_of_all_slots() {
    for slow in 0..2 {
        let (mut cluster, keys) = visited(2, 0);
        cluster.stop(slow);
        let lock = cluster.acquire(all(&[&keys[0], &keys[1]]));
        cluster.run_for(ms(1500));
        cluster.resume(slow);
        cluster.run_for(ms(200));
        assert_eq!(cluster.events().len(), 1);
        let remaining = cluster.engine.remaining(lock, cluster.now);
        assert_eq!(remaining, ms(10_000 - 102 - 1700), "from when the first slot was asked");
    }
}

#[test]
fn a_grant_of_all_that_comes_too_late_is_none() {
    let (mut cluster, keys) = visited(2, 0);
    cluster.stop(1);
    cluster.acquire(Request { ttl: ms(100), ..all(&[&keys[0], &keys[1]]) });
    cluster.run_for(ms(99));
    cluster.resume(1);
    assert!(cluster.events().is_empty());
    cluster.run_for(ms(1000));
    let events = cluster.events();
    assert!(matches!(events[..], [Event::Granted { .. }, Event::Lost { .. }]), "{events:?}");
}

#[test]
fn a_lock_on_slots_that_nobody_knows_yet_waits_for_the_map() {
    let mut cluster = Cluster::new(3, 0);
    let keys: Vec<_> = (0..3).map(|node| cluster.key_on(node)).collect();
    cluster.hold(all(&[&keys[2], &keys[0], &keys[1]]));
    assert_eq!(cluster.nodes.iter().map(|node| node.dialled).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn what_cannot_be_a_lock_is_refused_before_a_byte_is_sent() {
    let mut cluster = Cluster::new(2, 0);
    let keys = [cluster.key_on(0), cluster.key_on(1)];
    let now = cluster.now;
    let mut refusal = |request: Request| cluster.engine.acquire(request, now).unwrap_err();
    assert_eq!(refusal(Request { fair: true, ..all(&[&keys[0], &keys[1]]) }), InvalidRequest::FairInSlots);
    let names: Vec<_> = (0..65).map(|number| format!("slot:{number}")).collect();
    let many: Vec<_> = names.iter().map(String::as_str).collect();
    assert_eq!(many.iter().map(|key| slot_of(key)).collect::<BTreeSet<_>>().len(), 65);
    assert_eq!(refusal(all(&many)), InvalidRequest::TooManySlots);
    assert!(cluster.engine.poll_connect().is_none());
    let tagged = format!("{{{}}}other", keys[0]);
    cluster.hold(Request { fair: true, ..all(&[&keys[0], &tagged]) });
    cluster.hold(all(&many[..64]));
    cluster.hold(one_attempt("another"));
}
