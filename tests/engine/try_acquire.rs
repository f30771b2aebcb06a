//! Single attempts: they wait for the reply and for nothing else.

use crate::world::{Client, LOOK, failure, fair, ms, one_attempt, request};
use redlatch::{Code, Event, LockError, Request};

#[test]
fn a_single_attempt_sends_one_acquire_and_leaves_nothing() {
    for request in [one_attempt("a"), Request { wait: ms(0), ..fair("a") }] {
        let (mut client, _) = Client::woken();
        client.acquire(request);
        let command = client.command();
        client.reply(command.denied(5000));
        let event = client.event();
        assert!(
            matches!(&event, Event::Failed { failure, .. } if failure.code == Code::Timeout && failure.attempts == 1),
            "{event:?}"
        );
        assert_eq!((client.commands(), client.engine.busy()), (vec![], 0));
    }
}

#[test]
fn only_a_fair_acquire_that_waits_joins_the_queue() {
    for (wait, join) in [(0, "0"), (1, "1"), (u64::MAX, "1")] {
        let (mut client, _) = Client::woken();
        client.acquire(Request { wait: ms(wait), ..fair("a") });
        assert_eq!(client.command().arguments()[5], join, "a wait of {wait} ms");
    }
}

#[test]
fn a_single_attempt_to_reenter_waits_for_the_reply() {
    let mut client = Client::ready();
    let mine = || Request { token: Some(b"mine".to_vec()), ..request("a") };
    client.hold(mine());
    let inner = client.acquire(Request { wait: ms(0), ..mine() });
    let verify = client.command();
    client.advance(ms(10));
    client.engine.handle_timeout(client.now);
    assert_eq!(client.events(), []);
    client.reply(verify.count(1));
    let event = client.event();
    assert!(matches!(event, Event::Granted { lock, .. } if lock == inner), "{event:?}");
}

#[test]
fn contention_is_counted_once_per_acquire() {
    let mut client = Client::ready();
    client.wait_for(request("a"));
    for _ in 0..3 {
        let (commands, _) = client.advance_to_action();
        client.reply(commands[0].denied(60_000));
    }
    let counters = client.engine.inspect().counters;
    assert_eq!((counters.attempts, counters.contended), (1 + 4, 1 + 1), "with the one that warms up");
}

#[test]
fn the_error_message_has_the_number_of_attempts_and_the_one_that_failed() {
    let next_failure = |client: &mut Client| loop {
        for event in client.advance_to_action().1 {
            if let Event::Failed { failure, .. } = event {
                return failure.message;
            }
        }
    };
    let mut client = Client::ready();
    client.acquire(one_attempt("a"));
    let command = client.command();
    client.reply(command.denied(5000));
    let Event::Failed { failure, .. } = client.event() else { panic!("granted") };
    assert_eq!(&*failure.message, "not acquired within 0 ms (1 attempt; another owner holds it)");

    client.wait_for(Request { wait: ms(300), ..request("a") });
    let (commands, _) = client.advance_to_action();
    client.reply(commands[0].denied(5000));
    let message = next_failure(&mut client);
    assert!(
        message.starts_with("not acquired within 300 ms (2 attempts; another owner holds it)"),
        "{message}"
    );

    client.acquire(one_attempt("a"));
    client.command();
    let alone = next_failure(&mut client);
    assert!(alone.contains("no new one was ready in time"), "{alone}");
    client.acquire(Request { wait: ms(1000), ..request("b") });
    let repeated = next_failure(&mut client);
    assert_eq!(&*repeated, "not acquired within 1000 ms (1 attempt; no connection yet)");
}

/// What ends a wait that is over before the first attempt is decided.
fn undecided(before_the_end: impl FnOnce(&mut Client)) -> LockError {
    let mut client = Client::ready();
    client.acquire(Request { wait: ms(500), ..request("a") });
    client.command();
    before_the_end(&mut client);
    client.run_for(ms(500).plus(LOOK));
    failure(client.event())
}

#[test]
fn a_wait_that_is_over_before_the_answer_of_a_far_server_is_a_timeout() {
    let error = undecided(|_| {});
    assert_eq!(error.code, Code::Timeout);
    assert_eq!(&*error.message, "not acquired within 500 ms (1 attempt; no answer yet)");
    assert_eq!(error.reason, None, "the time alone");
}

#[test]
fn a_fault_before_the_end_of_the_wait_is_the_error() {
    let cut = undecided(|client| client.disconnect("reset by peer"));
    assert_eq!((cut.code, &*cut.message), (Code::Connection, "no connection within the wait of 500 ms"));
    let refused = undecided(|client| {
        client.disconnect("reset by peer");
        client.drain_io();
        client.disconnect("connect ECONNREFUSED");
    });
    assert_eq!(refused.code, Code::Connection);
    assert!(refused.message.starts_with("connect ECONNREFUSED"), "{}", refused.message);
}

#[test]
fn waiting_held_and_releasing_locks_are_counted_apart() {
    let mut client = Client::ready();
    let held = client.hold(request("a"));
    client.wait_for(request("b"));
    let counts = |client: &Client| {
        let snapshot = client.engine.inspect();
        (snapshot.held, snapshot.waiting, snapshot.releasing)
    };
    assert_eq!(counts(&client), (1, 1, 0));
    client.engine.release(held, client.now);
    assert_eq!(counts(&client), (0, 1, 1));
}
