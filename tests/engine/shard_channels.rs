//! Wake-ups on shard channels.

use crate::{
    cluster::{Cluster, slot_of},
    memory::administer,
    world::{fair, ms, request, waiting},
};
use redlatch::{Duration, Event, HandleId, Policy, Request, memory::User};

/// A cluster of two masters whose client polls once in a minute at most.
fn cluster() -> Cluster {
    Cluster::with(2, 0, &Policy { sharded: true, retry_max: ms(60_000), ..Policy::default() })
}

/// Another lock is held in the slot of a key, and the application waits for the key.
struct Contested {
    cluster: Cluster,
    key: String,
    held: HandleId,
    waiter: HandleId,
}

fn contested(is_fair: bool) -> Contested {
    let mut cluster = cluster();
    let (key, there) = (cluster.key_on(0), cluster.key_on(1));
    cluster.visit(&there);
    let of = |key: &str| if is_fair { fair(key) } else { waiting(key) };
    let held = cluster.hold(Request { ttl: ms(600_000), ..of(&key) });
    cluster.heard(0);
    let waiter = cluster.acquire(Request { wait: Duration::MAX, ..of(&key) });
    Contested { cluster, key, held, waiter }
}

impl Contested {
    /// Whether the waiter has got the lock.
    fn is_granted(&mut self) -> bool {
        let waiter = self.waiter;
        let is_granted = |event: &Event| matches!(event, Event::Granted { lock, .. } if *lock == waiter);
        self.cluster.events().iter().any(is_granted)
    }

    fn release(&mut self) {
        self.cluster.release(self.held);
    }
}

/// How many more of these commands arrived at a node than of those, since it was last asked.
fn more(cluster: &mut Cluster, node: usize, these: &str, those: &str) -> usize {
    let heard = cluster.heard(node);
    let count = |word: &str| heard.iter().filter(|name| *name == word).count();
    count(these) - count(those)
}

#[test]
fn a_waiter_is_woken_by_a_message_that_stays_in_its_shard() {
    for is_fair in [false, true] {
        let mut contested = contested(is_fair);
        assert_eq!(contested.cluster.heard(0), ["EVALSHA", "SSUBSCRIBE", "EVALSHA"]);
        contested.cluster.run_for(ms(20));
        contested.release();
        assert!(contested.is_granted());
        assert_eq!(contested.cluster.nodes[0].memory.take_broadcasts(), []);
    }
}

#[test]
fn an_acquire_that_is_granted_subscribes_to_nothing() {
    let mut cluster = cluster();
    let key = cluster.key_on(0);
    cluster.visit(&key);
    cluster.visit(&key);
    cluster.acquire(Request { wait: ms(0), ..request(key.as_str()) });
    cluster.acquire(Request { wait: ms(0), ..request(key.as_str()) });
    assert!(!cluster.heard(0).iter().any(|name| name == "SSUBSCRIBE"));
}

#[test]
fn waiters_in_one_slot_share_a_subscription() {
    let mut contested = contested(false);
    let other = format!("{{{}}}other", contested.key);
    let held = contested.cluster.acquire(Request { ttl: ms(600_000), ..request(other.as_str()) });
    contested.cluster.heard(0);
    contested.cluster.events();
    let second = contested.cluster.acquire(waiting(&other));
    assert_eq!(contested.cluster.heard(0), ["EVALSHA"]);
    contested.cluster.run_for(ms(20));
    contested.cluster.release(held);
    let events = contested.cluster.events();
    assert!(events.iter().any(|event| matches!(event, Event::Granted { lock, .. } if *lock == second)));
}

#[test]
fn a_waiter_whose_slot_moves_listens_at_the_new_node_at_once() {
    for is_fair in [false, true] {
        let mut contested = contested(is_fair);
        contested.cluster.run_for(ms(20));
        contested.cluster.heard(1);
        let key = contested.key.clone();
        contested.cluster.move_slot(&key, 1);
        contested.cluster.deliver(0);
        contested.cluster.run_for(ms(20));
        assert!(contested.cluster.heard(1).contains(&"SSUBSCRIBE".to_owned()));
        contested.release();
        assert!(contested.is_granted());
        assert_eq!(contested.cluster.nodes[0].dialled, 1, "the connection to the former node stays");
    }
}

#[test]
fn a_slot_that_comes_back_is_listened_to_again() {
    let mut contested = contested(false);
    let key = contested.key.clone();
    for (from, to) in [(0, 1), (1, 0)] {
        contested.cluster.run_for(ms(20));
        contested.cluster.move_slot(&key, to);
        contested.cluster.deliver(from);
    }
    contested.cluster.run_for(ms(20));
    contested.release();
    assert!(contested.is_granted());
}

#[test]
fn a_lock_that_was_released_while_its_slot_moved_is_taken_when_it_has_moved() {
    let mut contested = contested(false);
    contested.cluster.run_for(ms(20));
    let key = contested.key.clone();
    contested.cluster.begin_move(&key, 1);
    contested.cluster.move_keys(&key, 0, 1);
    // Nobody listens there yet.
    let now = contested.cluster.now;
    contested.cluster.nodes[1].memory.take_key(key.as_bytes(), now);
    contested.cluster.run_for(ms(1_000));
    assert!(!contested.is_granted());
    contested.cluster.set_owner(&key, 1, &[1, 0]);
    contested.cluster.deliver(0);
    contested.cluster.run_for(ms(20));
    assert!(contested.is_granted());
}

#[test]
fn a_new_connection_listens_again() {
    let mut contested = contested(false);
    contested.cluster.run_for(ms(20));
    contested.cluster.kill(0);
    contested.cluster.resume(0);
    contested.cluster.run_for(ms(1_000));
    let key = contested.key.clone();
    let now = contested.cluster.now;
    administer(&mut contested.cluster.nodes[0].memory, &["SET", &key, "token", "PX", "600000"], now);
    contested.cluster.heard(0);
    // Something else leads to a connection.
    contested.cluster.acquire(request(format!("{{{key}}}other")));
    contested.cluster.run_for(ms(1_000));
    assert!(contested.cluster.heard(0).contains(&"SSUBSCRIBE".to_owned()));
}

#[test]
fn subscriptions_without_a_waiter_are_few() {
    let mut cluster = cluster();
    let now = cluster.now;
    let keys: Vec<_> =
        (0..200).map(|number| format!("key:{number}")).filter(|key| cluster.owner(key) == 0).collect();
    let mut slots: Vec<_> = keys.iter().map(|key| slot_of(key)).collect();
    slots.sort_unstable();
    slots.dedup();
    for key in &keys {
        administer(&mut cluster.nodes[0].memory, &["SET", key, "token", "PX", "600000"], now);
    }
    let waiters: Vec<_> = keys.iter().map(|key| cluster.acquire(waiting(key))).collect();
    assert_eq!(more(&mut cluster, 0, "SSUBSCRIBE", "SUNSUBSCRIBE"), slots.len(), "one in each slot");
    for waiter in waiters {
        cluster.cancel(waiter);
    }
    cluster.run_for(ms(100));
    assert_eq!(slots.len() - more(&mut cluster, 0, "SUNSUBSCRIBE", "SSUBSCRIBE"), 16);
    cluster.visit(&format!("{{{}}}other", keys[0]));
    assert_eq!(cluster.nodes[0].dialled, 1, "every reply was expected");
}

/// The node says that the slot has left, and then refuses a SUNSUBSCRIBE that was on its way: no other command must be
/// answered by that.
#[test]
fn the_end_of_a_subscription_and_the_request_to_end_it_may_meet() {
    let mut cluster = cluster();
    let now = cluster.now;
    let mut keys: Vec<String> = Vec::new();
    for number in 0.. {
        let key = format!("key:{number}");
        if cluster.owner(&key) == 0 && keys.iter().all(|other| slot_of(other) != slot_of(&key)) {
            keys.push(key);
        }
        if keys.len() == 18 {
            break;
        }
    }
    for key in &keys {
        administer(&mut cluster.nodes[0].memory, &["SET", key, "token", "PX", "600000"], now);
    }
    let waiters: Vec<_> = keys[..17].iter().map(|key| cluster.acquire(waiting(key))).collect();
    let there = cluster.key_on(1);
    cluster.visit(&there);
    cluster.visit(&format!("{{{}}}other", keys[0]));
    for &waiter in &waiters[..16] {
        cluster.cancel(waiter);
    }
    cluster.run_for(ms(20));
    cluster.heard(0);
    cluster.stop(0);
    // One idle slot too many: the first one.
    cluster.cancel(waiters[16]);
    let last = cluster.acquire(request(format!("{{{}}}other", keys[17])));
    cluster.set_owner(&keys[0], 1, &[0, 1]);
    cluster.resume(0);
    cluster.run_for(ms(50));
    assert!(cluster.heard(0).contains(&"SUNSUBSCRIBE".to_owned()));
    assert_eq!(cluster.nodes[0].dialled, 1, "every reply was expected");
    let events = cluster.events();
    assert!(
        events.iter().any(|event| matches!(event, Event::Granted { lock, .. } if *lock == last)),
        "{events:?}"
    );
}

#[test]
fn without_the_right_to_subscribe_waiters_poll() {
    for user in [User::new().without_command("ssubscribe"), User::new().without_channels()] {
        let mut cluster = Cluster::with(2, 0, &Policy { sharded: true, ..Policy::default() });
        let key = cluster.key_on(0);
        cluster.nodes[0].memory.set_user(b"default", user);
        let held = cluster.hold(Request { ttl: ms(600_000), ..request(key.as_str()) });
        cluster.acquire(waiting(&key));
        cluster.run_for(ms(1_000));
        let heard = cluster.heard(0);
        assert_eq!(heard.iter().filter(|name| *name == "SSUBSCRIBE").count(), 1, "{heard:?}");
        assert!((5..30).contains(&heard.len()), "{heard:?}");
        cluster.release(held);
        cluster.run_for(ms(300));
        assert!(cluster.events().iter().any(|event| matches!(event, Event::Granted { .. })));
        assert_eq!(cluster.nodes[0].dialled, 1);
    }
}

#[test]
fn each_waiter_is_woken_in_the_way_in_which_it_listens() {
    let mut contested = contested(false);
    let (key, now) = (contested.key.clone(), contested.cluster.now);
    // A client that does not use shard channels has registered before.
    let first = ["ZADD", &format!("redlatch:waiters:{{{key}}}"), "1", "c1:7"];
    administer(&mut contested.cluster.nodes[0].memory, &first, now);
    contested.cluster.run_for(ms(20));
    contested.release();
    assert!(contested.is_granted(), "an expired registration is passed over");
    let waits = ["ZADD", &format!("redlatch:waiters:{{{key}}}"), "90000000000000", "c1:7"];
    administer(&mut contested.cluster.nodes[0].memory, &waits, now);
    contested.cluster.release(contested.waiter);
    let channel = b"redlatch:wake:c1".to_vec();
    assert_eq!(contested.cluster.nodes[0].memory.take_broadcasts(), [(channel, b"7".to_vec())]);
}
