//! Waiting with wake-ups: messages are hints, and polling is the safety net.

use crate::world::{Client, HELLO_REPLY, fair, ms, request};
use redlatch::{Event, Request};

#[test]
fn a_waiter_registers_with_its_wake_up_channel() {
    let (mut client, channel) = Client::woken();
    let (lock, acquire) = client.wait_for(request("a"));
    let client_name = channel.strip_prefix("redlatch:wake:").unwrap();
    assert_eq!(acquire.waiter(), format!("{client_name}:{}", lock.0));
    assert_eq!(acquire.arguments()[2], "-3000", "three of the longest pauses, and nothing to remove yet");
    assert!(!acquire.waiter().contains(&acquire.token()), "not the token: messages are seen by others");
}

#[test]
fn a_wake_up_causes_an_attempt_and_never_a_grant() {
    let (mut client, channel) = Client::woken();
    let (lock, acquire) = client.wait_for(request("a"));
    client.advance(ms(10));
    client.message(&channel, acquire.waiter_number());
    assert_eq!(client.events(), []);
    let again = client.command();
    assert_eq!(again.name(), "exclusive_acquire");
    assert_eq!(again.arguments()[2], "3000", "the first attempt registered");
    client.reply(again.granted(5));
    assert!(matches!(client.event(), Event::Granted { lock: granted, fence: 5, .. } if granted == lock));
}

#[test]
fn a_flood_of_wake_ups_causes_few_attempts_one_at_a_time() {
    let (mut client, channel) = Client::woken();
    let (_, acquire) = client.wait_for(request("a"));
    let begun = client.now;
    let mut attempts = 0;
    for _ in 0..10_000 {
        client.message(&channel, acquire.waiter_number());
        client.run_for(redlatch::Duration::from_micros(10));
        for command in client.commands() {
            attempts += 1;
            client.reply(command.denied(60_000));
        }
    }
    assert_eq!(client.now.since(begun), ms(100));
    assert!((10..=50).contains(&attempts), "{attempts} attempts in 100 ms");
}

#[test]
fn foreign_and_malformed_messages_are_ignored() {
    let (mut client, channel) = Client::woken();
    let (_, acquire) = client.wait_for(request("a"));
    client.advance(ms(10));
    for (on, text) in [
        ("redlatch:wake:else", acquire.waiter_number()),
        (channel.as_str(), ""),
        (&channel, "x"),
        (&channel, "-1"),
        (&channel, "99999999999"),
        (&channel, "4294967295"),
        (&channel, "0"),
    ] {
        client.message(on, text);
    }
    client.reply(">1\r\n$7\r\nmessage\r\n>0\r\n>2\r\n+message\r\n_\r\n");
    assert_eq!((client.commands(), client.events(), client.closed.len()), (vec![], vec![], 0));
}

#[test]
fn a_wake_up_during_an_attempt_causes_another_attempt_after_it() {
    let (mut client, channel) = Client::woken();
    let (_, acquire) = client.wait_for(request("a"));
    let (again, _) = client.advance_to_action();
    client.message(&channel, acquire.waiter_number());
    assert_eq!(client.commands(), []);
    client.reply(again[0].denied(60_000));
    let before = client.now;
    let (third, _) = client.advance_to_action();
    assert_eq!(third[0].name(), "exclusive_acquire");
    assert!(client.now.since(before) <= ms(2));
}

#[test]
fn with_wake_ups_waiters_still_poll_but_less_often() {
    let (mut client, _) = Client::woken();
    let (_, _) = client.wait_for(Request { wait: ms(60_000), ..request("a") });
    for _ in 0..20 {
        let before = client.now;
        let (commands, _) = client.advance_to_action();
        assert!((ms(250)..=ms(1000)).contains(&client.now.since(before)));
        client.reply(commands[0].denied(60_000));
    }
}

#[test]
fn a_waiter_that_gives_up_removes_its_registration() {
    let (mut client, _) = Client::woken();
    let (lock, acquire) = client.wait_for(request("a"));
    client.engine.cancel(lock, client.now);
    let release = client.command();
    assert_eq!((release.name(), release.waiter()), ("exclusive_release", acquire.waiter()));
    client.reply(release.count(0));
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn a_single_attempt_leaves_no_registration() {
    let (mut client, _) = Client::woken();
    let (_, acquire) = client.wait_for(Request { wait: ms(0), ..request("a") });
    assert_eq!(acquire.waiter(), "");
    client.acquire(Request { wait: ms(0), ..fair("a") });
    let attempt = client.command();
    assert_eq!((attempt.name(), attempt.arguments()[5].as_str()), ("fair_acquire", "0"));
}

#[test]
fn every_new_connection_subscribes_to_wake_ups() {
    let (mut client, channel) = Client::woken();
    client.wait_for(Request { wait: ms(60_000), ..request("a") });
    client.disconnect("reset");
    client.wait_for_dial();
    client.connect();
    client.command();
    client.reply(HELLO_REPLY);
    assert_eq!(client.command().words, ["SUBSCRIBE", &channel]);
    client.reply(">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
    assert_eq!(client.command().name(), "exclusive_acquire", "and the acquire is sent at once");
}

#[test]
fn one_of_a_clients_plain_waiters_polls_for_all() {
    let (mut client, channel) = Client::woken();
    let waiters = [0, 1, 2].map(|_| client.wait_for(Request { wait: ms(60_000), ..request("a") }));
    let end = client.now.after(ms(10_000));
    let mut attempts = 0;
    while client.now < end {
        for attempt in client.advance_to_action().0 {
            assert_eq!(attempt.value(), waiters[0].1.value(), "the leader's");
            client.reply(attempt.denied(60_000));
            attempts += 1;
        }
    }
    assert!((10..=40).contains(&attempts), "{attempts} in 10 s");

    // Another one is woken, and takes the lock: the leader stays the leader.
    client.message(&channel, waiters[1].1.waiter_number());
    let attempt = client.command();
    client.reply(attempt.granted(1));
    assert!(matches!(client.event(), Event::Granted { lock, .. } if lock == waiters[1].0));
    assert_eq!(client.commands(), []);

    // The leader leaves: the next one attempts at once, because its registration may have ended.
    client.engine.cancel(waiters[0].0, client.now);
    client.engine.handle_timeout(client.now);
    let commands = client.commands();
    assert_eq!(
        commands.iter().map(|command| command.name()).collect::<Vec<_>>(),
        ["exclusive_release", "exclusive_acquire"]
    );
    assert_eq!(commands[1].value(), waiters[2].1.value());
}
