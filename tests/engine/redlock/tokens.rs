//! A token of the application on several servers.

use super::{believes, failure, granted, set, short, warm};
use crate::{network::Mode, world::ms};
use redlatch::{Code, Request};

#[test]
fn a_token_of_the_application_is_not_acquired_again_after_its_release() {
    let mut world = warm(3, 1);
    set(&mut world, &[Mode::Up, Mode::Refusing, Mode::Refusing]);
    world.acquire(0, Request { token: Some(b"mine".to_vec()), ..short(10_000) });
    let failure = failure(world.next_event(0, ms(5000)));
    assert_eq!((failure.code, failure.attempts), (Code::Quorum, 1));
}

#[test]
fn a_token_of_the_application_waits_for_a_held_lock() {
    let mut world = warm(3, 2);
    let held = world.acquire(0, short(0));
    assert!(granted(world.next_event(0, ms(100))));
    let lock = world.acquire(1, Request { token: Some(b"mine".to_vec()), ..short(10_000) });
    world.run_for(ms(500));
    assert_eq!(world.events(1), []);
    world.release(0, held);
    assert!(granted(world.next_event(1, ms(1000))));
    assert!(believes(&world, 1, lock));
}

#[test]
fn a_token_of_the_application_is_retried_after_a_transient_error() {
    let mut world = warm(3, 1);
    set(&mut world, &[Mode::Refusing, Mode::Refusing, Mode::Refusing]);
    let lock = world.acquire(0, Request { token: Some(b"mine".to_vec()), ..short(10_000) });
    world.run_for(ms(500));
    assert_eq!(world.events(0), []);
    set(&mut world, &[Mode::Up, Mode::Up, Mode::Up]);
    assert!(granted(world.next_event(0, ms(1000))));
    assert!(believes(&world, 0, lock));
}
