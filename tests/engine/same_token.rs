//! Several acquires with one token: they share a lock, or wait for each other.

use crate::reentry::{held, mine};
use crate::world::{Client, ms, request};
use redlatch::{Code, Duration, Event, Request};

#[test]
fn a_token_is_not_acquired_again_before_its_release_is_confirmed() {
    let (mut client, first) = held(mine());
    client.engine.release(first, client.now);
    client.command();
    client.disconnect("reset");
    let second = client.acquire(mine());
    client.wait_for_dial();
    client.greet();
    let release = client.command();
    assert_eq!(release.name(), "exclusive_release", "and nothing else: it could free what is taken after it");
    client.events();
    client.reply(release.count(1));
    let acquire = client.command();
    client.reply(acquire.granted(2));
    assert!(
        client.events().iter().any(|event| matches!(event, Event::Granted { lock, .. } if *lock == second))
    );
}

#[test]
fn two_acquires_with_one_token_share_one_lock() {
    let mut client = Client::ready();
    let (first, second) = (client.acquire(mine()), client.acquire(mine()));
    let acquire = client.command();
    client.reply(acquire.granted(1));
    let verify = client.command();
    assert_eq!(verify.name(), "extend");
    client.reply(verify.count(1));
    let granted: Vec<_> = client
        .events()
        .iter()
        .map(|event| match event {
            Event::Granted { lock, .. } => *lock,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(granted, [first, second]);
    client.engine.release(first, client.now);
    assert_eq!(client.commands(), []);
    assert!(client.engine.remaining(second, client.now) > Duration::ZERO);
}

#[test]
fn an_overlapping_lock_of_the_same_token_waits_for_the_first_within_its_wait() {
    let (mut client, first) = held(mine());
    let both = || Request { keys: vec![b"a".to_vec(), b"b".to_vec()], wait: ms(500), ..mine() };
    let second = client.acquire(both());
    let (commands, events) = client.advance_to_action();
    assert_eq!(commands, []);
    assert!(
        matches!(&events[..], [Event::Failed { lock, failure }] if *lock == second && failure.code == Code::Timeout)
    );
    let third = client.acquire(both());
    client.engine.release(first, client.now);
    let release = client.command();
    client.reply(release.count(1));
    let acquire = client.command();
    client.reply(acquire.granted(2));
    assert!(
        client.events().iter().any(|event| matches!(event, Event::Granted { lock, .. } if *lock == third))
    );
    client.acquire(Request { wait: ms(0), ..both() });
    let verify = client.command();
    assert_eq!(verify.name(), "extend");
}

#[test]
fn a_wake_up_does_not_start_a_lock_that_waits_for_its_own_token() {
    let mut client = Client::new();
    client.acquire(Request { wait: ms(0), ..request("warm-up") });
    let channel = client.greet_with_wakes();
    let acquire = client.command();
    client.reply(acquire.denied(1));
    client.events();
    let first = client.hold(mine());
    client.engine.release(first, client.now);
    client.command();
    let second = client.acquire(mine());
    client.advance(ms(10));
    client.message(&channel, &second.0.to_string());
    assert_eq!(client.commands(), []);
}

#[test]
fn thousands_of_acquires_may_share_one_token() {
    let mut client = Client::ready();
    let handles: Vec<_> = (0..5000).map(|_| client.acquire(mine())).collect();
    let acquire = client.command();
    client.reply(acquire.granted(1));
    // The first re-entry is sent at once, the others together after its reply.
    for _ in 0..2 {
        let verify = client.command();
        client.reply(verify.count(1));
    }
    let granted = client.events().into_iter().map(|event| match event {
        Event::Granted { lock, .. } => lock,
        other => panic!("{other:?}"),
    });
    assert_eq!(granted.collect::<Vec<_>>(), handles);
}
