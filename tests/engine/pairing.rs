//! Pairing replies with commands: late, duplicated, foreign, cut and re-chunked replies.

use crate::world::{Client, HELLO_REPLY, LOOK, ms, one_attempt, request};
use proptest::prelude::*;
use redlatch::{Code, Duration, Event, Request};

/// The connection was closed, and the acquire that was in flight on it failed or continues over another one.
fn burned(client: &mut Client) -> bool {
    client.commands();
    client.connection.is_none() || !client.closed.is_empty()
}

#[test]
fn an_unsolicited_reply_closes_the_connection() {
    for stray in ["+OK\r\n", ":1\r\n", "_\r\n", "*0\r\n", "$-1\r\n", "-ERR x\r\n", "%0\r\n", "#t\r\n"] {
        let mut client = Client::ready();
        client.reply(stray);
        assert!(burned(&mut client), "{stray:?}");
    }
}

#[test]
fn a_push_is_not_taken_for_a_reply() {
    let mut client = Client::ready();
    let lock = client.acquire(one_attempt("a"));
    let command = client.command();
    client.reply(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n".to_owned() + &command.granted(1));
    assert!(matches!(client.event(), Event::Granted { lock: granted, .. } if granted == lock));
}

#[test]
fn a_duplicated_grant_does_not_grant_the_next_command() {
    let mut client = Client::ready();
    let (first, command) = (client.acquire(one_attempt("a")), client.command());
    let (second, _) = (client.acquire(one_attempt("b")), client.command());
    client.reply(command.granted(1) + &command.granted(1));
    let events = client.events();
    assert!(matches!(events[0], Event::Granted { lock, .. } if lock == first));
    assert!(
        matches!(&events[1], Event::Failed { lock, failure } if *lock == second && failure.code == Code::Protocol)
    );
    assert!(burned(&mut client));
    assert_eq!(client.engine.remaining(second, client.now), Duration::ZERO);
}

#[test]
fn a_dropped_reply_is_detected_at_the_next_one() {
    let mut client = Client::ready();
    let (first, _) = (client.acquire(one_attempt("a")), client.command());
    let (second, command) = (client.acquire(one_attempt("b")), client.command());
    client.reply(command.granted(1));
    let events = client.events();
    assert_eq!(events.len(), 2);
    for lock in [first, second] {
        let failed = |event: &Event| matches!(event, Event::Failed { lock: failed, failure } if *failed == lock && failure.code == Code::Protocol);
        assert!(events.iter().any(failed), "{events:?}");
    }
    assert!(burned(&mut client));
}

#[test]
fn a_late_reply_is_paired_with_its_own_command() {
    let mut client = Client::ready();
    client.acquire(Request { wait: ms(100), ..request("a") });
    let late = client.command();
    client.run_for(ms(100).plus(LOOK));
    assert!(matches!(client.event(), Event::Failed { .. }));
    let release = client.command();
    let lock = client.acquire(one_attempt("b"));
    let command = client.command();
    client.reply(late.granted(1) + &release.count(1) + &command.granted(2));
    assert!(matches!(client.event(), Event::Granted { lock: granted, fence: 2, .. } if granted == lock));
    assert_eq!(client.engine.busy(), 1);
}

#[test]
fn replies_on_an_abandoned_connection_are_ignored() {
    let mut client = Client::ready();
    client.acquire(request("a"));
    let command = client.command();
    let old = client.connection.unwrap();
    client.reply(":1\r\n");
    assert!(burned(&mut client));
    client.engine.handle_bytes(old, command.granted(1).as_bytes(), client.now);
    client.engine.handle_closed(old, "closed", client.now);
    client.engine.handle_connected(old, client.now);
    assert_eq!(client.events(), []);
}

#[test]
fn an_acquire_lost_with_its_connection_is_released_over_the_next_one() {
    let mut client = Client::ready();
    client.acquire(one_attempt("a"));
    let acquire = client.command();
    client.disconnect("reset by peer");
    client.greet();
    client.command();
    client.disconnect("reset by peer");
    assert!(
        matches!(client.event(), Event::Failed { failure, .. } if failure.code == Code::Connection && &*failure.message == "reset by peer")
    );
    client.wait_for_dial();
    client.greet();
    let release = client.command();
    assert_eq!((release.name(), release.value()), ("exclusive_release", acquire.value()));
    client.reply(release.count(1));
    assert_eq!(client.engine.busy(), 0);
}

/// A conversation with every kind of reply; returns the events. `deliver` hands a reply to the client.
fn conversation(mut deliver: impl FnMut(&mut Client, &str)) -> Vec<Event> {
    let mut client = Client::new();
    let mut events = Vec::new();
    let lock = client.acquire(Request { renew: true, ..request("a") });
    client.connect();
    client.commands();
    deliver(&mut client, HELLO_REPLY);
    client.command();
    deliver(&mut client, ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
    client.command();
    deliver(&mut client, "-NOSCRIPT No matching script. Please use EVAL.\r\n");
    let by_source = client.command();
    deliver(&mut client, &by_source.denied(3));
    let (commands, _) = client.advance_to_action();
    deliver(&mut client, &commands[0].granted(9_007_199_254_740_993));
    events.extend(client.events());
    client.engine.extend(lock, ms(20_000), client.now);
    let extend = client.command();
    deliver(&mut client, &(">2\r\n+message\r\n:1\r\n".to_owned() + &extend.count(1)));
    client.engine.release(lock, client.now);
    let release = client.command();
    deliver(&mut client, &release.count(1));
    client.acquire(one_attempt("b"));
    client.command();
    deliver(&mut client, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    client.commands();
    events.extend(client.events());
    assert_eq!(client.closed, [], "nothing was malformed");
    events
}

#[test]
fn every_reply_split_at_every_byte_gives_the_same_outcome() {
    let whole = conversation(|client, reply| client.reply(reply));
    assert_eq!(whole.len(), 4);
    for split in 0..200 {
        let cut = conversation(|client, reply| {
            let (head, tail) = reply.as_bytes().split_at(split.min(reply.len()));
            client.reply(head);
            client.reply(tail);
        });
        assert_eq!(cut, whole, "split at {split}");
    }
    let bytewise =
        conversation(|client, reply| reply.as_bytes().iter().for_each(|&byte| client.reply([byte])));
    assert_eq!(bytewise, whole);
}

#[test]
fn a_connection_cut_at_any_byte_of_a_grant_grants_nothing() {
    let mut probe = Client::ready();
    probe.acquire(one_attempt("a"));
    let length = probe.command().granted(1).len();
    for cut in 0..length {
        let mut client = Client::ready();
        let lock = client.acquire(one_attempt("a"));
        let acquire = client.command();
        client.reply(&acquire.granted(1).as_bytes()[..cut]);
        client.disconnect("reset");
        assert_eq!(client.events(), [], "cut at {cut}");
        client.greet();
        let again = client.command();
        assert_eq!((again.name(), again.value()), ("exclusive_acquire", acquire.value()));
        client.reply(again.denied(9000));
        assert!(
            matches!(client.event(), Event::Failed { lock: failed, .. } if failed == lock),
            "cut at {cut}"
        );
    }
}

proptest! {
    #[test]
    fn a_stream_of_replies_gives_the_same_events_however_it_is_split(fences in prop::collection::vec(1u64..u64::MAX, 1..20), cuts in prop::collection::vec(1usize..40, 1..60)) {
        let run = |chunks: &mut dyn Iterator<Item = usize>| {
            let mut client = Client::ready();
            for _ in &fences {
                client.acquire(one_attempt("a"));
            }
            let replies: String = client.commands().iter().zip(&fences).map(|(command, &fence)| command.granted(fence)).collect();
            let mut rest = replies.as_bytes();
            while !rest.is_empty() {
                let (chunk, others) = rest.split_at(chunks.next().unwrap().min(rest.len()));
                client.reply(chunk);
                rest = others;
            }
            client.events()
        };
        let whole = run(&mut std::iter::repeat(usize::MAX));
        prop_assert_eq!(whole.len(), fences.len());
        prop_assert_eq!(run(&mut cuts.iter().copied().cycle()), whole);
    }

    #[test]
    fn random_bytes_never_grant_a_lock_or_panic(chunks in prop::collection::vec(prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"+-:$*_#,(!=~>%|0123456789\r\n".to_vec())], 0..60), 0..12)) {
        let mut client = Client::ready();
        client.acquire(one_attempt("a"));
        client.command();
        for chunk in chunks {
            client.drain_io();
            if client.connection.is_none() {
                break;
            }
            client.reply(chunk);
            for event in client.events() {
                prop_assert!(matches!(event, Event::Failed { .. }), "{:?}", event);
            }
        }
    }
}
