//! Taking a lock: one attempt, waiting, giving up.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail"
)]

mod support;

use redlatch::{Code, Duration, Event, Misuse, Request};
use support::{Client, at, ms, one_try, request};

fn failure(event: Event) -> redlatch::Failure {
    match event {
        Event::Failed { failure, .. } => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_free_lock_is_granted_with_its_fence_and_token() {
    let mut client = Client::ready();
    let lock = client.acquire(request("lock:a"));
    let command = client.command();
    assert_eq!(command.name(), "exclusive_acquire");
    assert_eq!(
        command.keys(),
        ["lock:a", "{lock:a}:redlatch:fence:lock:a", "{lock:a}:redlatch:waiters:lock:a"]
    );
    assert_eq!(command.arguments()[2], "10000");
    client.reply(command.granted(1_700_000_000_000_000));
    match client.event() {
        Event::Granted { lock: granted, fence, token } => {
            assert_eq!((granted, fence), (lock, 1_700_000_000_000_000));
            assert_eq!(token.unwrap().to_hex(), command.arguments()[1].as_bytes());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn validity_counts_from_before_the_winning_attempt_was_sent() {
    let mut client = Client::ready();
    let lock = client.acquire(request("a"));
    let first = client.command();
    client.advance(ms(30));
    client.reply(first.taken(5000));
    client.advance_to_timeout();
    let asked = client.now;
    let second = client.command();
    client.advance(ms(123));
    client.reply(second.granted(1));
    client.event();
    assert_eq!(client.engine.remaining(lock, client.now), ms(10_000 - 100 - 2 - 123));
    assert_eq!(client.engine.remaining(lock, asked), ms(10_000 - 100 - 2), "not from the first attempt");
}

#[test]
fn a_grant_with_nothing_left_is_never_handed_out() {
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

/// The loss would be told at once: 2 ms, at least, before validity ends.
#[test]
fn a_grant_with_no_more_left_than_the_notice_of_its_loss_is_none() {
    for (late, granted) in [(94, true), (95, false)] {
        let patient = redlatch::Policy { node_timeout: Some(ms(60_000)), ..Default::default() };
        let mut client = Client::with(patient, Default::default());
        client.acquire(Request { ttl: ms(100), ..one_try("a") });
        client.greet();
        let command = client.command();
        client.advance(ms(late));
        client.reply(command.granted(1));
        let event = client.event();
        assert_eq!(matches!(event, Event::Granted { .. }), granted, "after {late} ms: {event:?}");
    }
}

#[test]
fn a_grant_that_runs_out_before_it_is_told_is_not_told() {
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
fn waiting_polls_with_jitter_until_the_wait_is_over() {
    let mut client = Client::ready();
    client.acquire(request("a"));
    let begun = client.now;
    let mut pauses = Vec::new();
    let mut tokens = std::collections::BTreeSet::new();
    let mut command = client.command();
    let failure = loop {
        tokens.insert(command.arguments()[1].clone());
        client.reply(command.taken(60_000));
        let asked = client.now;
        let (mut commands, mut events) = client.advance_to_action();
        if let Some(event) = events.pop() {
            break failure(event);
        }
        command = commands.remove(0);
        pauses.push(client.now.since(asked));
    };
    assert_eq!(client.now, begun.after(ms(5000)));
    assert_eq!(usize::try_from(failure.attempts).unwrap(), pauses.len() + 1);
    assert!(pauses.iter().all(|pause| (ms(50)..=ms(250)).contains(pause)), "{pauses:?}");
    assert!(
        pauses.iter().max().unwrap().minus(*pauses.iter().min().unwrap()) > ms(100),
        "spread over the range"
    );
    assert_eq!(tokens.len(), 1, "one acquire asks with one token");
    assert!(
        failure.message.contains("within 5000 ms") && failure.message.contains("another holds it"),
        "{}",
        failure.message
    );
    assert_eq!(client.engine.busy(), 0, "nothing was written, nothing is left");
}

#[test]
fn a_lease_about_to_end_is_asked_for_sooner_than_the_shortest_pause() {
    let mut client = Client::ready();
    client.acquire(request("a"));
    let command = client.command();
    client.reply(command.taken(7));
    let before = client.now;
    client.advance_to_timeout();
    assert!((ms(8)..=ms(57)).contains(&client.now.since(before)));
}

#[test]
fn waiting_for_ever_has_no_end() {
    let mut client = Client::ready();
    client.acquire(Request { wait: Duration::MAX, ..request("a") });
    let mut command = client.command();
    for _ in 0..1000 {
        client.reply(command.taken(60_000));
        let (mut commands, events) = client.advance_to_action();
        assert_eq!(events, []);
        command = commands.remove(0);
    }
    assert!(client.now > at(50_000));
}

#[test]
fn a_key_that_never_expires_is_told_apart() {
    let mut client = Client::ready();
    client.acquire(one_try("a"));
    let command = client.command();
    client.reply(command.taken(-1));
    assert!(failure(client.event()).message.contains("never expires"));
}

#[test]
fn several_keys_are_asked_for_in_one_command_sorted_and_once() {
    let mut client = Client::ready();
    let keys = ["b", "a", "b"].map(|key| key.as_bytes().to_vec()).to_vec();
    client.acquire(Request { keys, ..request("") });
    let fences = ["{a}:redlatch:fence:a", "{b}:redlatch:fence:b"];
    let waiters = ["{a}:redlatch:waiters:a", "{b}:redlatch:waiters:b"];
    assert_eq!(client.command().keys(), [["a", "b"], fences, waiters].concat());
}

#[test]
fn an_answer_that_was_lost_blocks_nobody() {
    let mut client = Client::ready();
    let lock = client.acquire(request("a"));
    let first = client.command();
    client.advance_to_timeout();
    assert_eq!(client.now, at(1500), "5 % of the lease");
    client.advance_to_timeout();
    let second = client.command();
    assert_eq!(second.name(), "exclusive_acquire", "nothing is released between attempts");
    assert_eq!(second.arguments()[1], first.arguments()[1], "already mine is a yes");
    assert_ne!(second.nonce(), first.nonce());
    let asked = client.now;
    client.advance(ms(5));
    client.reply(first.granted(1) + &second.granted(1));
    client.event();
    assert_eq!(
        client.engine.remaining(lock, asked),
        ms(10_000 - 102),
        "from the attempt that was waited for"
    );
}

#[test]
fn an_attempt_without_answer_ends_as_a_connection_error_and_is_released() {
    let mut client = Client::ready();
    client.acquire(one_try("a"));
    let acquire = client.command();
    client.advance_to_timeout();
    let failure = failure(client.event());
    assert_eq!(failure.code, Code::Connection);
    assert!(failure.message.contains("no answer within 500 ms"), "{}", failure.message);
    let release = client.command();
    assert_eq!(release.name(), "exclusive_release");
    assert_eq!(release.arguments()[1], acquire.arguments()[1]);
    client.reply(acquire.granted(1) + &release.number(1));
    assert!(client.events().is_empty(), "settled once");
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn errors_that_may_pass_are_retried_within_the_wait_and_told_at_its_end() {
    for line in [
        "LOADING Redis is loading",
        "BUSY Redis is busy",
        "OOM command not allowed",
        "MASTERDOWN Link",
        "TRYAGAIN x",
    ] {
        let mut client = Client::ready();
        client.acquire(Request { wait: ms(400), ..request("a") });
        for _ in 0..3 {
            client.command();
            client.reply(format!("-{line}\r\n"));
            assert!(client.events().is_empty(), "{line}");
            client.advance_to_timeout();
            if client.now >= at(1400) {
                break;
            }
        }
        client.run_for(ms(400));
        client.commands();
        let failure = failure(client.event());
        assert_eq!(failure.code, Code::Server, "{line}");
        assert!(line.starts_with(&*failure.prefix) && failure.message.starts_with(line), "{failure:?}");
    }
}

#[test]
fn final_errors_are_told_at_once() {
    for line in [
        "NOPERM no permission",
        "WRONGTYPE Operation",
        "NOAUTH Authentication required.",
        "CROSSSLOT Keys",
        "ERR unknown command",
    ] {
        let mut client = Client::ready();
        client.acquire(request("a"));
        client.command();
        client.reply(format!("-{line}\r\n"));
        let failure = failure(client.event());
        assert_eq!((failure.code, failure.attempts), (Code::Server, 1), "{line}");
        assert_eq!(&*failure.message, line);
    }
}

#[test]
fn requests_out_of_order_are_refused_with_nothing_sent() {
    let mut client = Client::ready();
    let keyed = |keys: &[&str]| Request {
        keys: keys.iter().map(|key| key.as_bytes().to_vec()).collect(),
        ..request("")
    };
    let refused = [
        (keyed(&[]), Misuse::EmptyKey),
        (keyed(&["a", ""]), Misuse::EmptyKey),
        (keyed(&["{a}:redlatch:fence:a"]), Misuse::ReservedKey),
        (Request { ttl: ms(99), ..request("a") }, Misuse::BadLease),
    ];
    for (request, misuse) in refused {
        assert_eq!(client.engine.acquire(request, client.now), Err(misuse));
    }
    assert!(client.commands().is_empty() && client.engine.busy() == 0);
}

#[test]
fn cancelling_at_any_moment_leaves_no_key_and_says_nothing() {
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
    between.reply(command.taken(5000));
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
        assert_eq!(release.arguments()[1], acquire.arguments()[1]);
        if !granted_first {
            client.reply(acquire.granted(1));
        }
        client.reply(release.number(1));
        assert!(client.events().is_empty(), "granted first: {granted_first}");
        assert_eq!(client.engine.busy(), 0);
    }
}

#[test]
fn an_answer_to_an_earlier_attempt_does_not_decide_the_next() {
    let mut client = Client::ready();
    let lock = client.acquire(request("a"));
    let first = client.command();
    client.run_for(ms(500)); // nodeTimeout
    let (mut commands, _) = client.advance_to_action();
    let (second, asked) = (commands.remove(0), client.now);
    client.advance(ms(5));
    client.reply(first.granted(1));
    assert_eq!(client.events(), [], "its lease began earlier than the second attempt's would");
    client.reply(second.granted(1));
    client.event();
    assert_eq!(client.engine.remaining(lock, asked), ms(10_000 - 102));
}

#[test]
fn a_grant_that_comes_too_late_is_asked_for_again_within_the_wait() {
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

#[test]
fn what_an_earlier_attempt_may_have_written_is_released_in_the_end() {
    let mut client = Client::ready();
    let lock = client.acquire(request("a"));
    client.command();
    client.engine.handle_closed(client.connection.take().unwrap(), "reset", client.now);
    while client.connection.is_none() {
        client.advance_to_timeout();
        client.drain_connections();
    }
    client.greet();
    let second = client.command();
    client.reply(second.taken(60_000));
    client.engine.cancel(lock, client.now);
    assert_eq!(client.command().name(), "exclusive_release", "the first attempt may still be carried out");
}

#[test]
fn every_error_that_may_pass_is_retried() {
    for prefix in [
        "READONLY",
        "LOADING",
        "BUSY",
        "TRYAGAIN",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "OOM",
        "MISCONF",
        "NOREPLICAS",
    ] {
        let mut client = Client::ready();
        client.acquire(request("a"));
        client.command();
        client.reply(format!("-{prefix} x\r\n"));
        assert_eq!(client.events(), [], "{prefix}");
    }
}
