//! A client of a master that sentinels name.

use crate::{
    sentinels::Sentinels,
    world::{failure, ms, one_attempt, renewed, request, waiting},
};
use redlatch::{Code, Event, Loss, Policy, Request};

/// How many questions arrived at a sentinel since the last call.
fn asked(group: &mut Sentinels, number: usize) -> usize {
    let node = group.sentinel(number);
    group.heard(node).len()
}

#[test]
fn the_server_that_most_sentinels_name_is_the_master() {
    let mut group = Sentinels::new(2, 3);
    group.name(0, 1);
    group.nodes[1].memory.set_replica(false);
    let lock = group.hold(request("a"));
    assert!(group.holder(0, "a").is_some());
    group.release(lock);
    assert_eq!(group.nodes[1].dialled, 0, "only a sentinel that is behind names it");
}

#[test]
fn sentinels_get_no_command_but_the_question() {
    let mut group = Sentinels::new(1, 3);
    group.visit("a");
    for number in 0..3 {
        let node = group.sentinel(number);
        assert_eq!(group.heard(node), ["SENTINEL"], "{number}");
    }
}

#[test]
fn one_sentinel_that_can_be_reached_suffices() {
    let mut group = Sentinels::new(1, 3);
    for number in [0, 2] {
        let node = group.sentinel(number);
        group.kill(node);
    }
    group.hold(request("a"));
}

#[test]
fn a_sentinel_that_does_not_answer_delays_the_first_lock_by_a_second_at_most() {
    let mut group = Sentinels::new(1, 2);
    let silent = group.sentinel(0);
    group.stop(silent);
    group.acquire(request("a"));
    group.run_for(ms(1_010));
    let events = group.events();
    assert!(events.iter().any(|event| matches!(event, Event::Granted { .. })), "{events:?}");
}

#[test]
fn the_first_lock_waits_until_one_sentinel_can_be_reached() {
    let mut group = Sentinels::new(1, 3);
    for number in 0..3 {
        let node = group.sentinel(number);
        group.kill(node);
    }
    group.acquire(one_attempt("a"));
    assert_eq!(failure(group.events().remove(0)).code, Code::Connection);
    group.acquire(waiting("a"));
    group.run_for(ms(5_000));
    let found = group.sentinel(1);
    group.resume(found);
    group.run_for(ms(2_000));
    let events = group.events();
    assert!(events.iter().any(|event| matches!(event, Event::Granted { .. })), "{events:?}");
}

#[test]
fn an_unknown_name_is_a_permanent_error() {
    let mut group = Sentinels::new(1, 2);
    for number in 0..2 {
        let node = group.sentinel(number);
        group.nodes[node].memory = redlatch::memory::Server::new();
        group.nodes[node].memory.watch("another", "10.0.0.1", 7000);
    }
    group.acquire(waiting("a"));
    let failure = failure(group.events().remove(0));
    assert_eq!((failure.code, &*failure.prefix), (Code::Server, "NOMASTER"));
    assert!(failure.message.contains("\"mymaster\""), "{}", failure.message);
}

#[test]
fn a_server_that_is_no_sentinel_is_reported() {
    let mut group = Sentinels::new(1, 1);
    let node = group.sentinel(0);
    group.nodes[node].memory = redlatch::memory::Server::new();
    group.acquire(waiting("a"));
    let failure = failure(group.events().remove(0));
    assert_eq!((failure.code, &*failure.prefix), (Code::Server, "ERR"), "{}", failure.message);
}

#[test]
fn while_sentinels_name_different_masters_nobody_is_believed() {
    let mut group = Sentinels::new(2, 2);
    group.name(1, 1);
    group.nodes[1].memory.set_replica(false);
    group.acquire(waiting("a"));
    group.run_for(ms(3_000));
    assert_eq!((group.nodes[0].dialled, group.nodes[1].dialled), (0, 0));
    group.name(0, 1);
    group.run_for(ms(1_500));
    assert!(group.holder(1, "a").is_some());
}

#[test]
fn a_switch_moves_held_locks_to_the_new_master_at_once() {
    let mut group = Sentinels::new(2, 3);
    let lock = group.hold(renewed("a"));
    group.heard(1);
    group.promote(1, 0);
    group.announce(2, 1);
    assert_eq!(group.heard(1), ["EVALSHA", "EVAL"], "the lock is confirmed");
    assert_eq!(group.connections_to(0), 0, "the former master is left");
    (0..2).for_each(|number| group.name(number, 1));
    group.run_for(ms(30_000));
    let lost = |event: &Event| matches!(event, Event::Lost { .. });
    assert!(!group.events().iter().any(lost));
    group.release(lock);
    assert_eq!(group.holder(1, "a"), None);
}

#[test]
fn a_lock_that_the_new_master_does_not_have_is_lost_at_once() {
    let mut group = Sentinels::new(2, 3);
    let lock = group.hold(Request { ttl: ms(60_000), ..request("a") });
    group.nodes[1].memory.set_replica(false);
    group.announce(0, 1);
    group.run_for(ms(150));
    let is_lost =
        |event: &Event| matches!(event, Event::Lost { lock: lost, loss: Loss::NotOurs, .. } if *lost == lock);
    assert!(group.events().iter().any(is_lost));
}

#[test]
fn what_a_former_master_answers_after_the_switch_grants_nothing() {
    let mut group = Sentinels::new(2, 3);
    group.visit("a");
    group.stop(0);
    group.acquire(waiting("a"));
    group.promote(1, 0);
    group.announce(0, 1);
    assert!(group.holder(1, "a").is_some(), "it was asked anew");
    assert_eq!(group.events().len(), 1);
    group.resume(0);
    assert_eq!(group.events(), []);
}

#[test]
fn sentinels_that_have_not_heard_of_a_switch_are_not_believed() {
    let mut group = Sentinels::new(2, 3);
    group.hold(renewed("a"));
    group.promote(1, 0);
    group.announce(0, 1);
    let before = group.nodes[0].dialled;
    group.kill(1);
    group.resume(1);
    group.run_for(ms(500));
    group.events();
    group.hold(renewed("b"));
    group.run_for(ms(9_000));
    assert_eq!(group.nodes[0].dialled, before, "two of three still name it");
    group.run_for(ms(12_000));
    assert!(group.nodes[0].dialled > before, "by now it must have been named master again");
}

#[test]
fn a_switch_that_is_known_already_still_says_whom_not_to_believe() {
    let mut group = Sentinels::new(2, 5);
    group.promote(1, 0);
    (0..3).for_each(|number| group.name(number, 1));
    group.hold(renewed("a"));
    group.announce(3, 1);
    // The only one that can be reached is behind.
    for number in 0..4 {
        let node = group.sentinel(number);
        group.kill(node);
    }
    group.kill(1);
    group.acquire(waiting("b"));
    group.run_for(ms(5_000));
    assert_eq!(group.nodes[0].dialled, 0);
}

#[test]
fn a_switch_back_that_was_not_heard_of_is_believed_if_sentinels_have_named_another_server_meanwhile() {
    let mut group = Sentinels::new(2, 3);
    group.hold(renewed("a"));
    group.promote(1, 0);
    (0..3).for_each(|number| group.announce(number, 1));
    group.run_for(ms(1_000));
    group.kill(1);
    group.promote(0, 1);
    (0..3).for_each(|number| group.name(number, 0));
    let before = group.nodes[0].dialled;
    group.acquire(waiting("b"));
    group.run_for(ms(2_000));
    assert!(group.nodes[0].dialled > before);
}

#[test]
fn a_switch_back_is_followed_at_once() {
    let mut group = Sentinels::new(2, 3);
    group.hold(renewed("a"));
    group.promote(1, 0);
    group.announce(0, 1);
    group.promote(0, 1);
    group.announce(0, 0);
    group.run_for(ms(1_000));
    assert_eq!((group.connections_to(0), group.connections_to(1)), (1, 0));
}

#[test]
fn after_a_dead_master_the_next_one_is_asked_for_with_pauses() {
    let mut group = Sentinels::new(2, 3);
    group.hold(renewed("a"));
    group.kill(0);
    group.acquire(waiting("b"));
    asked(&mut group, 0);
    group.run_for(ms(4_000));
    let questions = asked(&mut group, 0);
    assert!((4..=12).contains(&questions), "{questions} questions in 4 s");
    group.promote(1, 0);
    (0..3).for_each(|number| group.name(number, 1));
    group.run_for(ms(1_100));
    assert!(group.holder(1, "b").is_some());
}

#[test]
fn an_announcement_that_is_lost_is_made_up_for_while_locks_are_renewed() {
    let mut group = Sentinels::new(2, 3);
    group.hold(renewed("a"));
    group.promote(1, 0);
    (0..3).for_each(|number| group.name(number, 1));
    group.run_for(ms(10_100));
    assert_eq!((group.connections_to(0), group.connections_to(1)), (0, 1));
}

#[test]
fn a_sentinel_that_comes_back_is_asked_for_what_it_announced_meanwhile() {
    let mut group = Sentinels::new(2, 1);
    group.hold(renewed("a"));
    let node = group.sentinel(0);
    group.promote(1, 0);
    group.kill(node);
    group.name(0, 1);
    group.resume(node);
    group.run_for(ms(3_000));
    assert_eq!((group.connections_to(0), group.connections_to(1)), (0, 1));
}

#[test]
fn a_client_that_does_nothing_asks_nobody() {
    let mut group = Sentinels::new(1, 3);
    group.visit("a");
    let asked_all = |group: &mut Sentinels| (0..3).map(|number| asked(group, number)).sum::<usize>();
    assert!(asked_all(&mut group) > 0);
    group.run_for(ms(4 * 60_000));
    assert_eq!(asked_all(&mut group), 0);
}

#[test]
fn a_replica_that_sentinels_name_is_not_used() {
    let mut group = Sentinels::with(2, 3, &Policy::default());
    (0..3).for_each(|number| group.name(number, 1));
    group.acquire(one_attempt("a"));
    let failure = failure(group.events().remove(0));
    assert_eq!((failure.code, &*failure.prefix), (Code::Server, "READONLY"));
    (0..3).for_each(|number| group.name(number, 0));
    group.acquire(waiting("a"));
    group.run_for(ms(2_000));
    assert!(group.holder(0, "a").is_some());
}

#[test]
fn of_two_sentinels_the_one_that_names_no_replica_is_right() {
    let mut group = Sentinels::new(2, 2);
    group.hold(renewed("a"));
    group.promote(1, 0);
    group.nodes[0].memory.set_replica(true);
    group.name(1, 1);
    group.run_for(ms(5_000));
    assert_eq!((group.connections_to(0), group.connections_to(1)), (0, 1));
}

#[test]
fn a_minority_of_the_sentinels_replaces_no_master_that_lives() {
    let mut group = Sentinels::new(2, 3);
    group.hold(renewed("a"));
    group.nodes[1].memory.set_replica(false);
    group.name(2, 1);
    for number in 0..2 {
        let node = group.sentinel(number);
        group.vanish(node);
    }
    group.run_for(ms(30_000));
    assert_eq!((group.connections_to(0), group.nodes[1].dialled), (1, 0));
    // Now it is gone, and the last sentinel is all there is.
    group.kill(0);
    group.run_for(ms(12_000));
    assert!(group.nodes[1].dialled > 0);
}

#[test]
fn after_a_long_pause_the_sentinels_are_asked_before_the_master_is_connected_to() {
    let mut group = Sentinels::new(2, 3);
    group.visit("a");
    group.run_for(ms(11 * 60_000));
    assert_eq!(group.connections_to(0), 0);
    let before = group.nodes[0].dialled;
    group.promote(1, 0);
    (0..3).for_each(|number| group.name(number, 1));
    group.hold(request("a"));
    assert!(group.holder(1, "a").is_some());
    assert_eq!(group.nodes[0].dialled, before, "it may still take itself for the master");
}

#[test]
fn a_master_that_vanished_is_not_waited_for() {
    let mut group = Sentinels::new(2, 3);
    group.hold(renewed("a"));
    group.vanish(0);
    group.run_for(ms(1_000));
    group.acquire(one_attempt("b"));
    group.promote(1, 0);
    group.announce(1, 1);
    let events = group.events();
    assert!(events.iter().any(|event| matches!(event, Event::Granted { .. })), "{events:?}");
}

#[test]
fn while_the_master_cannot_be_reached_the_sentinels_are_asked_again_and_again() {
    let mut group = Sentinels::new(2, 3);
    group.hold(renewed("a"));
    group.vanish(0);
    group.run_for(ms(1_000));
    group.promote(1, 0);
    // Nobody announces it.
    (0..3).for_each(|number| group.name(number, 1));
    group.run_for(ms(1_100));
    assert_eq!((group.connections_to(0), group.connections_to(1)), (0, 1));
}

#[test]
fn without_any_sentinel_the_master_that_was_known_is_connected_to_again() {
    let mut group = Sentinels::new(1, 3);
    group.hold(renewed("a"));
    for number in 0..3 {
        let node = group.sentinel(number);
        group.kill(node);
    }
    group.kill(0);
    group.run_for(ms(500));
    group.resume(0);
    group.acquire(waiting("b"));
    group.run_for(ms(3_000));
    assert!(group.holder(0, "b").is_some());
}

#[test]
fn of_five_sentinels_two_that_agree_suffice_if_the_others_are_gone() {
    let mut group = Sentinels::new(1, 5);
    for number in 0..3 {
        let node = group.sentinel(number);
        group.kill(node);
    }
    group.hold(request("a"));
}

#[test]
fn the_idle_connections_to_sentinels_last_as_long_as_that_to_the_master() {
    let mut group = Sentinels::new(2, 3);
    group.visit("a");
    for _ in 0..4 {
        group.run_for(ms(4 * 60_000));
        group.visit("a");
    }
    let node = group.sentinel(1);
    assert_eq!(group.nodes[node].dialled, 1);
    group.promote(1, 0);
    group.announce(1, 1);
    assert_eq!(group.connections_to(0), 0);
}

#[test]
fn odd_announcements_change_nothing() {
    let mut group = Sentinels::new(2, 3);
    group.hold(renewed("a"));
    let node = group.sentinel(0);
    for odd in [
        "",
        "mymaster",
        "mymaster 10.0.0.1 7000",
        "mymaster 10.0.0.1 7000 10.0.0.1",
        "mymaster 10.0.0.1 7000 10.0.0.1 0",
        "mymaster 10.0.0.1 7000 10.0.0.1 70000",
        "mymaster 10.0.0.1 7000 ?host 7001",
        "mymaster2 10.0.0.1 7000 10.0.0.1 7001",
        "other 10.0.0.1 7000 10.0.0.1 7001",
        "mymaster 10.0.0.9 7000 10.0.0.1 7001",
    ] {
        group.message(node, "+switch-master", odd);
        assert_eq!((group.connections_to(0), group.nodes[1].dialled), (1, 0), "{odd}");
    }
}
