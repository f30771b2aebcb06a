//! Closing a client of several servers: it waits for no server that cannot be reached.

use super::{granted, set, short, warm};
use crate::{
    network::{Mode, Network},
    world::ms,
};
use redlatch::{Duration, Request};

/// How long it takes until a closed client has nothing left to do.
fn closes_in(world: &mut Network, within: Duration) -> Duration {
    let begun = world.now;
    world.close(0);
    while world.clients[0].engine.busy() > 0 {
        assert!(world.step(begun.after(within)), "{:?}", world.clients[0].engine.inspect());
    }
    world.now.since(begun)
}

fn holding(modes: &[Mode]) -> Network {
    let mut world = warm(modes.len(), 1);
    world.acquire(0, Request { ttl: ms(60_000), ..short(0) });
    assert!(granted(world.next_event(0, ms(1000))));
    set(&mut world, modes);
    world.cut();
    world
}

#[test]
fn a_server_that_refuses_connections_is_not_waited_for() {
    let mut world = holding(&[Mode::Up, Mode::Up, Mode::Down]);
    let took = closes_in(&mut world, ms(30_000));
    assert!(took < ms(20), "{took:?}");
    assert_eq!(world.holders("k")[..2], [None, None]);
}

#[test]
fn a_server_that_does_not_answer_a_dial_is_waited_for_as_long_as_a_vote_waits() {
    let mut world = holding(&[Mode::Up, Mode::Up, Mode::Unreachable]);
    let took = closes_in(&mut world, ms(30_000));
    assert!(took <= ms(3010), "{took:?}");
    assert_eq!(world.holders("k")[..2], [None, None]);
}

#[test]
fn a_server_that_is_back_gets_the_release_though_dialling_it_has_to_pause() {
    let mut world = holding(&[Mode::Up, Mode::Up, Mode::Down]);
    // Verifications fail there, and each makes the pause longer.
    for _ in 0..8 {
        let lock = world.acquire(0, Request { ttl: ms(60_000), keys: vec![b"other".to_vec()], ..short(0) });
        world.run_for(ms(200));
        world.release(0, lock);
        world.run_for(ms(200));
    }
    world.servers[2].mode = Mode::Up;
    let took = closes_in(&mut world, ms(30_000));
    assert!(took < ms(50), "{took:?}");
    assert_eq!(world.holders("k"), [None, None, None]);
}

#[test]
fn a_clean_up_that_has_begun_before_gives_up_too() {
    let mut world = holding(&[Mode::Up, Mode::Down, Mode::Down]);
    world.acquire(0, Request { ttl: ms(60_000), keys: vec![b"other".to_vec()], ..short(0) });
    world.run_for(ms(2000));
    assert!(world.clients[0].engine.busy() > 0);
    let took = closes_in(&mut world, ms(30_000));
    assert!(took < ms(20), "{took:?}");
    assert_eq!(world.holders("other"), [None, None, None]);
}
