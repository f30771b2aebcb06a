//! The validity of a grant: counted from before it was requested, and never empty.

use crate::world::{Client, failure, ms, one_attempt, request};
use redlatch::{Code, Duration, Event, Request};

#[test]
fn validity_counts_from_before_the_winning_attempt_was_sent() {
    let mut client = Client::ready();
    let lock = client.acquire(request("a"));
    let first = client.command();
    client.advance(ms(30));
    client.reply(first.denied(5000));
    client.advance_to_timeout();
    let sent_at = client.now;
    let second = client.command();
    client.advance(ms(123));
    client.reply(second.granted(1));
    client.event();
    assert_eq!(client.engine.remaining(lock, client.now), ms(10_000 - 100 - 2 - 123));
    assert_eq!(client.engine.remaining(lock, sent_at), ms(10_000 - 100 - 2), "not from the first attempt");
}

#[test]
fn a_grant_without_remaining_validity_is_never_reported() {
    let mut client = Client::with(
        redlatch::Policy { node_timeout: Some(ms(60_000)), ..Default::default() },
        Default::default(),
    );
    client.acquire(request("warm-up"));
    client.greet();
    let acquire = client.command();
    client.reply(acquire.granted(1));
    client.event();
    let lock = client.acquire(Request { ttl: ms(1000), wait: Duration::ZERO, ..request("a") });
    let command = client.command();
    client.advance(ms(1000 - 10 - 2));
    client.reply(command.granted(1));
    let failure = failure(client.event());
    assert_eq!(failure.code, Code::Connection, "not that another holds it");
    assert_eq!(client.engine.remaining(lock, client.now), Duration::ZERO);
    assert_eq!(client.command().name(), "exclusive_release");
}

/// The loss would be reported at once: at least 2 ms before validity ends.
#[test]
fn a_grant_with_only_the_loss_margin_left_is_rejected() {
    for (late, granted) in [(94, true), (95, false)] {
        let patient = redlatch::Policy { node_timeout: Some(ms(60_000)), ..Default::default() };
        let mut client = Client::with(patient, Default::default());
        client.acquire(Request { ttl: ms(100), ..one_attempt("a") });
        client.greet();
        let command = client.command();
        client.advance(ms(late));
        client.reply(command.granted(1));
        let event = client.event();
        assert_eq!(matches!(event, Event::Granted { .. }), granted, "after {late} ms: {event:?}");
    }
}

#[test]
fn a_grant_that_expires_before_it_is_reported_fails() {
    let mut client = Client::ready();
    let lock = client.acquire(Request { ttl: ms(100), ..request("a") });
    let command = client.command();
    client.reply(command.granted(1));
    client.advance(ms(97));
    assert_eq!(failure(client.event()).code, Code::Connection);
    assert_eq!(client.engine.remaining(lock, client.now), Duration::ZERO);
    assert_eq!(client.command().name(), "exclusive_release");
}

#[test]
fn a_grant_that_arrives_too_late_is_retried_within_the_wait() {
    let mut client = Client::with(
        redlatch::Policy { node_timeout: Some(ms(60_000)), ..Default::default() },
        Default::default(),
    );
    client.acquire(Request { ttl: ms(1000), ..request("a") });
    client.greet();
    let first = client.command();
    client.advance(ms(988));
    client.reply(first.granted(1));
    let (again, events) = client.advance_to_action();
    assert_eq!((again[0].name(), events), ("exclusive_acquire", vec![]));
    client.reply(again[0].granted(1));
    assert!(matches!(client.event(), Event::Granted { .. }));
}
