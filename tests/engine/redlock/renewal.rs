//! Holding a lock of several servers: renewals and losses.

use super::{believes, granted, set, short, warm};
use crate::{
    network::{Mode, Network},
    world::ms,
};
use redlatch::{Code, Event, Loss, Policy, Request};

#[test]
fn a_renewal_by_a_majority_keeps_the_lock_and_without_one_it_is_lost_in_time() {
    let mut world = warm(5, 1);
    let lock = world.acquire(0, Request { renew: true, ..short(0) });
    assert!(granted(world.next_event(0, ms(100))));
    set(&mut world, &[Mode::Down, Mode::Hung]);
    world.run_for(ms(20_000));
    assert!(believes(&world, 0, lock) && world.events(0).is_empty());
    set(&mut world, &[Mode::Down, Mode::Hung, Mode::Hung]);
    let (event, took) = world.next_event(0, ms(5000)).unwrap();
    let Event::Lost { lock: lost, loss: Loss::Expired, reason: Some(reason) } = event else {
        panic!("{event:?}")
    };
    assert_eq!((lost, reason.code), (lock, Code::Connection), "it says why it was not renewed");
    assert!(took < ms(2000), "{took:?}");
}

#[test]
fn a_release_at_any_moment_of_a_renewal_is_followed_by_no_extension() {
    for (servers, modes) in [
        (1, vec![Mode::Up]),
        (1, vec![Mode::Slow(90)]),
        (1, vec![Mode::Hung]),
        (3, vec![Mode::Up, Mode::Slow(40), Mode::Hung]),
    ] {
        for steps in 0..120 {
            let mut world = warm(servers, 1);
            let lock = world.acquire(0, Request { renew: true, ..short(0) });
            assert!(granted(world.next_event(0, ms(500))));
            set(&mut world, &modes);
            world.extend(0, lock, ms(3000));
            let end = world.now.after(ms(1500));
            for _ in 0..steps {
                world.step(end);
            }
            let before = world.written.len();
            world.release(0, lock);
            world.run_for(ms(6000));
            let after = &world.written[before..];
            assert!(
                !after.iter().any(|command| command.is_call() && command.call().extends()),
                "{modes:?}, {steps} steps: {after:?}"
            );
        }
    }
}

#[test]
fn the_lock_is_lost_once_a_majority_of_servers_restarted_empty() {
    let mut world = warm(5, 1);
    let lock = world.acquire(0, Request { renew: true, ..short(0) });
    assert!(granted(world.next_event(0, ms(100))));
    for emptied in [0, 1, 2] {
        world.servers[emptied].clear();
    }
    let (event, _) = world.next_event(0, ms(1500)).unwrap();
    assert_eq!(event, Event::Lost { lock, loss: Loss::NotOurs, reason: None });
}

#[test]
fn a_renewal_takes_back_the_votes_of_servers_that_restart_empty_one_after_the_other() {
    for servers in [3, 5] {
        let mut world = warm(servers, 1);
        let lock = world.acquire(0, Request { renew: true, ..short(0) });
        assert!(granted(world.next_event(0, ms(100))));
        for emptied in (0..servers).cycle().take(3 * servers) {
            world.servers[emptied].clear();
            world.run_for(ms(700));
            assert!(believes(&world, 0, lock), "{servers} servers");
            let holders = world.holders("k");
            assert_eq!(holders.iter().flatten().count(), servers, "at the next renewal, at a third of 2 s");
        }
        world.release(0, lock);
        world.run_for(ms(100));
        assert_eq!(world.holders("k").iter().flatten().count(), 0, "released like any other");
    }
}

#[test]
fn a_vote_that_another_owner_took_meanwhile_is_not_taken_back() {
    let mut world = warm(3, 1);
    let lock = world.acquire(0, Request { renew: true, ..short(0) });
    assert!(granted(world.next_event(0, ms(100))));
    world.servers[0].clear();
    let now = world.now;
    world.servers[0].take("k", "another", ms(3000), now);
    world.run_for(ms(2500));
    assert_eq!(world.holders("k")[0], Some("another"));
    assert!(believes(&world, 0, lock));
    world.run_for(ms(2000));
    assert_ne!(world.holders("k")[0], None, "requested again at later renewals");
    assert_eq!(world.holders("k")[0], world.holders("k")[1]);
}

#[test]
fn a_vote_is_not_taken_back_unless_a_majority_confirms_the_lock() {
    let mut world = warm(3, 1);
    let lock = world.acquire(0, short(0));
    assert!(granted(world.next_event(0, ms(100))));
    world.servers[0].clear();
    set(&mut world, &[Mode::Slow(300), Mode::Refusing, Mode::Refusing]);
    world.extend(0, lock, ms(2000));
    let (event, took) = world.next_event(0, ms(1000)).unwrap();
    assert!(matches!(event, Event::OperationFailed { .. }) && took < ms(200), "{event:?} after {took:?}");
    world.run_for(ms(300));
    assert_eq!(world.holders("k")[0], None, "it has answered that it lost the lock, and the others nothing");
    assert!(believes(&world, 0, lock), "they may still have it");
}

#[test]
fn a_server_that_has_not_answered_gets_no_further_command_of_the_lock() {
    for (mode, later) in [(Mode::Hung, 1), (Mode::Slow(300), 2)] {
        let mut world = warm(3, 1);
        let lock = world.acquire(0, Request { ttl: ms(30_000), ..short(0) });
        assert!(granted(world.next_event(0, ms(100))));
        world.servers[0].mode = mode;
        let before = world.servers[0].commands;
        for _ in 0..10 {
            world.extend(0, lock, ms(30_000));
            assert!(matches!(world.next_event(0, ms(100)), Some((Event::Extended { .. }, _))));
        }
        assert_eq!(world.servers[0].commands - before, 1, "{mode:?}");
        world.run_for(ms(500));
        assert_eq!(world.servers[0].commands - before, later, "{mode:?}: the last extension follows");
        world.release(0, lock);
        world.run_for(ms(10));
        assert_eq!(world.servers[0].commands - before, later + 1, "{mode:?}: the release waits for nothing");
    }
}

#[test]
fn an_extension_waits_for_answers_as_long_as_the_lock_is_valid() {
    let extended = |modes: [Mode; 3], recovers: Option<usize>| {
        let mut world = warm(3, 1);
        let lock = world.acquire(0, Request { ttl: ms(200), ..short(0) });
        assert!(granted(world.next_event(0, ms(10))));
        set(&mut world, &modes);
        world.extend(0, lock, ms(200));
        world.run_for(ms(50));
        assert!(world.events(0).is_empty(), "{modes:?}: a nodeTimeout of 20 ms ends no extension");
        if let Some(server) = recovers {
            world.servers[server].mode = Mode::Up;
        }
        matches!(world.next_event(0, ms(100)), Some((Event::Extended { .. }, _)))
    };
    assert!(extended([Mode::Slow(90); 3], None));
    assert!(
        extended([Mode::Up, Mode::Refusing, Mode::Hung], Some(1)),
        "the server that failed is asked again"
    );
    assert!(!extended([Mode::Up, Mode::Refusing, Mode::Hung], None));
}

#[test]
fn grants_after_the_majority_count() {
    let mut world = warm(3, 1);
    set(&mut world, &[Mode::Up, Mode::Up, Mode::Slow(50)]);
    let lock = world.acquire(0, short(0));
    assert!(granted(world.next_event(0, ms(100))));
    world.run_for(ms(100));
    // Without the third server's grant, the lock would be lost now.
    world.servers[0].clear();
    world.clients[0].engine.verify(lock, world.now);
    world.run_for(ms(300));
    assert!(believes(&world, 0, lock));
}

#[test]
fn validity_that_has_ended_does_not_come_back() {
    let mut world = warm(3, 1);
    let lock = world.acquire(0, short(0));
    assert!(granted(world.next_event(0, ms(100))));
    world.run_for(ms(100));
    set(&mut world, &[Mode::Up, Mode::Up, Mode::Slow(90)]);
    world.servers[0].clear();
    world.servers[1].clear();
    world.clients[0].engine.extend(lock, ms(20_000), world.now);
    let mut gone = false;
    let end = world.now.after(ms(5000));
    world.run_for(ms(0));
    while world.step(end) {
        let believed = believes(&world, 0, lock);
        assert!(!(gone && believed));
        gone |= !believed;
    }
    assert!(gone);
}

#[test]
fn a_late_grant_of_the_third_server_does_not_lengthen_validity() {
    let mut world = Network::new(3, 1, &Policy::default());
    set(&mut world, &[Mode::Up, Mode::Up, Mode::Slow(550)]);
    let lock = world.acquire(0, Request { ttl: ms(2730), ..short(2000) });
    assert!(granted(world.next_event(0, ms(2000))));
    let end = world.now.after(world.clients[0].engine.remaining(lock, world.now));
    world.run_for(ms(2300));
    assert_eq!(world.holders("k").iter().flatten().count(), 3, "it has granted since");
    assert_eq!(world.now.after(world.clients[0].engine.remaining(lock, world.now)), end);
    let (event, took) = world.next_event(0, ms(2000)).unwrap();
    assert_eq!(event, Event::Lost { lock, loss: Loss::Expired, reason: None });
    assert!(took <= ms(420), "{took:?}");
}
