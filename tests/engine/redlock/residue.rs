//! The residue of failed attempts on several servers: it is released, without a flood of releases.

use super::{failure, granted, set, short, warm};
use crate::{network::Mode, world::ms};
use redlatch::{Code, Event, Request};

#[test]
fn the_residue_of_an_attempt_is_released_under_its_own_token() {
    let mut world = warm(3, 1);
    world.servers[0].take("k", "another", ms(1000), world.now);
    world.servers[1].mode = Mode::Refusing;
    let lock = world.acquire(0, short(10_000));
    world.run_for(ms(1));
    let first = world.holders("k")[2].unwrap().to_owned();
    world.run_for(ms(3));
    assert_eq!(world.holders("k")[2], None, "in the way of others until the next attempt");
    world.servers[1].mode = Mode::Up;
    let (event, _) = world.next_event(0, ms(5000)).unwrap();
    assert!(matches!(event, Event::Granted { lock: granted, .. } if granted == lock));
    assert_ne!(world.holders("k")[2].unwrap(), first, "a released token is not acquired again");
}

#[test]
fn a_grant_whose_reply_was_lost_is_released() {
    let mut world = warm(3, 1);
    set(&mut world, &[Mode::Up, Mode::Down, Mode::Up]);
    world.servers[0].loses_reply = true;
    world.acquire(0, short(0));
    assert_eq!(failure(world.next_event(0, ms(5000))).code, Code::Quorum);
    world.run_for(ms(1500));
    assert_eq!(world.holders("k"), [None, None, None]);
}

#[test]
fn servers_that_were_never_reached_get_no_releases() {
    let mut world = warm(3, 1);
    set(&mut world, &[Mode::Up, Mode::Down, Mode::Down]);
    world.acquire(0, short(10_000));
    world.run_for(ms(8000));
    assert!(world.clients[0].engine.busy() <= 3, "{} clean-ups", world.clients[0].engine.busy());
}

#[test]
fn a_server_that_answers_with_errors_gets_no_release_for_every_attempt() {
    let mut world = warm(3, 2);
    let held = world.acquire(1, Request { renew: true, ..short(0) });
    assert!(granted(world.next_event(1, ms(100))));
    world.servers[0].clear();
    world.servers[0].mode = Mode::Refusing;
    world.acquire(0, Request { ttl: ms(30_000), ..short(60_000) });
    world.run_for(ms(20_000));
    assert!(world.clients[0].engine.busy() <= 2, "{} clean-ups", world.clients[0].engine.busy());
    let before = world.servers[0].commands;
    world.run_for(ms(10_000));
    // Two in three seconds are the other client's renewals.
    let sent = world.servers[0].commands - before;
    assert!(sent <= 10_000 / 50 + 70, "{sent} commands in 10 s");
    world.servers[0].mode = Mode::Up;
    world.release(1, held);
    assert!(granted(world.next_event(0, ms(1000))));
}

#[test]
fn a_server_that_has_not_answered_gets_no_further_attempt() {
    let mut world = warm(3, 2);
    let held = world.acquire(1, Request { ttl: ms(30_000), ..short(0) });
    assert!(granted(world.next_event(1, ms(100))));
    world.servers[0].mode = Mode::Hung;
    let before = world.servers[0].commands;
    world.acquire(0, Request { ttl: ms(30_000), ..short(60_000) });
    world.run_for(ms(3000));
    assert_eq!(world.servers[0].commands - before, 2, "the first attempt and its release");
    world.release(1, held);
    assert!(granted(world.next_event(0, ms(1000))), "of the other two");
}

#[test]
fn a_grant_without_a_reply_is_released_before_the_next_attempt() {
    let mut world = warm(3, 1);
    world.servers[0].loses_reply = true;
    world.servers[2].take("k", "another", ms(60_000), world.now);
    world.acquire(0, Request { ttl: ms(30_000), ..short(20_000) });
    let (event, took) = world.next_event(0, ms(20_000)).unwrap();
    assert!(matches!(event, Event::Granted { .. }), "{event:?}");
    assert!(took < ms(5000), "in our own way for {took:?}");
}
