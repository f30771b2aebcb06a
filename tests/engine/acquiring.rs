//! Acquiring a lock: attempts, waiting, giving up.

use crate::world::{Client, Command, LOOK, NO_CHANNELS, at, failure, ms, one_attempt, request};
use redlatch::{Duration, Endpoint, Event, InvalidRequest, Policy, Request, Transport};

#[test]
fn a_free_lock_is_granted_with_its_fence_and_token() {
    let mut client = Client::ready();
    let lock = client.acquire(request("lock:a"));
    let command = client.command();
    assert_eq!(command.name(), "exclusive_acquire");
    assert_eq!(command.keys(), ["lock:a", "redlatch:fence"]);
    assert_eq!(command.lease(), 10_000);
    client.reply(command.granted(1_700_000_000_000_000));
    match client.event() {
        Event::Granted { lock: granted, fence, token, .. } => {
            assert_eq!((granted, fence), (lock, 1_700_000_000_000_000));
            assert_eq!(token.unwrap().to_hex(), *command.value().as_bytes());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_waiter_polls_with_jitter_until_its_wait_ends() {
    let mut client = Client::ready();
    client.acquire(request("a"));
    let begun = client.now;
    let mut pauses = Vec::new();
    let mut tokens = std::collections::BTreeSet::new();
    let mut command = client.command();
    let failure = loop {
        tokens.insert(command.token());
        client.reply(command.denied(60_000));
        let sent_at = client.now;
        let (mut commands, mut events) = client.advance_to_action();
        if let Some(event) = events.pop() {
            break failure(event);
        }
        command = commands.remove(0);
        pauses.push(client.now.since(sent_at));
    };
    assert_eq!(client.now, begun.after(ms(5000)).after(LOOK));
    assert_eq!(usize::try_from(failure.attempts).unwrap(), pauses.len() + 1);
    assert!(pauses.iter().all(|pause| (ms(50)..=ms(250)).contains(pause)), "{pauses:?}");
    assert!(
        pauses.iter().max().unwrap().minus(*pauses.iter().min().unwrap()) > ms(100),
        "spread over the range"
    );
    assert_eq!(tokens.len(), 1, "one acquire asks with one token");
    assert!(
        failure.message.contains("within 5000 ms") && failure.message.contains("another owner holds it"),
        "{}",
        failure.message
    );
    assert_eq!(client.engine.busy(), 0, "nothing was written, nothing is left");
}

#[test]
fn a_lease_about_to_end_is_retried_before_the_shortest_pause() {
    let mut client = Client::ready();
    client.acquire(request("a"));
    let command = client.command();
    client.reply(command.denied(7));
    let before = client.now;
    client.advance_to_timeout();
    assert!((ms(8)..=ms(57)).contains(&client.now.since(before)));
}

#[test]
fn an_infinite_wait_never_times_out() {
    let mut client = Client::ready();
    client.acquire(Request { wait: Duration::MAX, ..request("a") });
    let mut command = client.command();
    for _ in 0..1000 {
        client.reply(command.denied(60_000));
        let (mut commands, events) = client.advance_to_action();
        assert_eq!(events, []);
        command = commands.remove(0);
    }
    assert!(client.now > at(50_000));
}

#[test]
fn a_key_that_never_expires_is_named_in_the_error() {
    let mut client = Client::ready();
    client.acquire(one_attempt("a"));
    let command = client.command();
    client.reply(command.denied(-1));
    assert!(failure(client.event()).message.contains("has no TTL"));
}

#[test]
fn several_keys_are_sorted_deduplicated_and_sent_in_one_command() {
    let mut client = Client::ready();
    let keys = ["b", "a", "b"].map(|key| key.as_bytes().to_vec()).to_vec();
    client.acquire(Request { keys, ..request("") });
    assert_eq!(client.command().keys(), ["a", "b", "redlatch:fence"]);
}

#[test]
fn invalid_requests_are_refused_and_nothing_is_sent() {
    let mut client = Client::ready();
    let keyed = |keys: &[&str]| Request {
        keys: keys.iter().map(|key| key.as_bytes().to_vec()).collect(),
        ..request("")
    };
    let refused = [
        (keyed(&[]), InvalidRequest::EmptyKey),
        (keyed(&["a", ""]), InvalidRequest::EmptyKey),
        (keyed(&["a"; 1001]), InvalidRequest::TooManyKeys),
        (keyed(&["redlatch:fence"]), InvalidRequest::ReservedKey),
        (keyed(&["p:redlatch:queue:{p:a}"]), InvalidRequest::ReservedKey),
        (Request { ttl: ms(99), ..request("a") }, InvalidRequest::BadLease),
    ];
    for (request, misuse) in refused {
        assert_eq!(client.engine.acquire(request, client.now), Err(misuse));
    }
    assert!(client.commands().is_empty() && client.engine.busy() == 0);
}

#[test]
fn cancelling_at_any_moment_leaves_no_key_and_reports_nothing() {
    // Before the connection is made, on the wire, between attempts, and just granted.
    let mut dialing = Client::new();
    let lock = dialing.acquire(request("a"));
    dialing.engine.cancel(lock, dialing.now);
    assert_eq!(dialing.engine.busy(), 0);
    dialing.greet();
    assert!(dialing.commands().is_empty());

    let mut between = Client::ready();
    let lock = between.acquire(request("a"));
    let command = between.command();
    between.reply(command.denied(5000));
    between.engine.cancel(lock, between.now);
    assert_eq!(between.engine.busy(), 0);

    for granted_first in [false, true] {
        let mut client = Client::ready();
        let lock = client.acquire(request("a"));
        let acquire = client.command();
        if granted_first {
            client.reply(acquire.granted(1));
        }
        client.engine.cancel(lock, client.now);
        let release = client.command();
        assert_eq!(release.value(), acquire.value());
        if !granted_first {
            client.reply(acquire.granted(1));
        }
        client.reply(release.count(1));
        assert!(client.events().is_empty(), "granted first: {granted_first}");
        assert_eq!(client.engine.busy(), 0);
    }
}

#[test]
fn keys_that_an_earlier_attempt_may_have_written_are_released_in_the_end() {
    let mut client = Client::ready();
    let lock = client.acquire(request("a"));
    client.command();
    client.disconnect("reset");
    client.greet();
    client.command();
    client.disconnect("reset again");
    client.wait_for_dial();
    client.greet();
    let second = client.command();
    client.reply(second.denied(60_000));
    client.engine.cancel(lock, client.now);
    assert_eq!(client.command().name(), "exclusive_release", "the first attempt may still be carried out");
}

/// A slot's fence counter has a hash tag of that slot.
#[test]
fn in_a_cluster_each_slot_has_a_fence_counter() {
    let in_slot = |acquire: &Command, name: &str| {
        let counter = &acquire.keys()[1];
        assert!(counter.starts_with("redlatch:fence:{"), "{counter}");
        assert_eq!(
            redis_protocol::redis_keyslot(counter.as_bytes()),
            redis_protocol::redis_keyslot(name.as_bytes())
        );
    };
    let mut client = Client::new();
    client.acquire(one_attempt("a"));
    client.connect();
    client.commands();
    client.reply("%1\r\n$4\r\nmode\r\n$7\r\ncluster\r\n");
    client.commands();
    client.reply(NO_CHANNELS);
    in_slot(&client.command(), "a");

    // A server that has not said so refuses keys in different slots.
    let mut client = Client::ready();
    client.acquire(one_attempt("a"));
    assert_eq!(client.command().keys()[1], "redlatch:fence");
    let refusal = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
    client.reply(refusal);
    in_slot(&client.command(), "a");
    client.reply(refusal);
    assert_eq!(&*failure(client.event()).prefix, "CROSSSLOT", "asked again once");
    client.commands();
    client.acquire(one_attempt("b"));
    in_slot(&client.command(), "b");

    // Nor does another client's connection: all that is in flight when it is learnt is asked again.
    let mut client =
        Client::with(Policy::default(), Endpoint { transport: Transport::Commands, ..Endpoint::default() });
    let keys: Vec<_> = (0..5).map(|at| format!("key {at}")).collect();
    for key in &keys {
        client.acquire(one_attempt(key));
    }
    client.connect();
    assert_eq!(client.commands().len(), 5);
    client.reply(refusal.repeat(5));
    let again = client.commands();
    for (command, key) in again.iter().zip(&keys) {
        in_slot(command, key);
    }
    client.reply(refusal.repeat(5));
    let failures = client.events();
    assert_eq!((again.len(), failures.len()), (5, 5), "each is asked again once");
}
