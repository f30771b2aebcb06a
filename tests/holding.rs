//! Holding a lock: extending, renewing, verifying, losing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail"
)]

mod support;

use redlatch::{Code, Duration, Event, LockId, Loss, Outcome, Request};
use support::{Client, ms, request};

const VALID: u64 = 10_000 - 100 - 2;

fn held() -> (Client, LockId) {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    (client, lock)
}

#[test]
fn the_loss_is_told_once_and_before_validity_ends_though_no_server_answers() {
    let (mut client, lock) = held();
    let granted = client.now;
    let (commands, events) = client.advance_to_action();
    assert_eq!(events, [Event::Lost { lock, loss: Loss::Expired }]);
    assert_eq!(client.now.since(granted), ms(VALID - 25));
    assert_eq!(client.engine.remaining(lock, client.now), Duration::ZERO);
    assert_eq!(commands[0].name(), "exclusive_release", "what may be left is freed");
    client.run_for(ms(60_000));
    assert_eq!(client.events(), []);
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn belief_ends_by_the_clock_though_no_timer_ran() {
    let (client, lock) = held();
    assert_eq!(client.engine.remaining(lock, client.now.after(ms(1))), ms(VALID - 1));
    assert_eq!(client.engine.remaining(lock, client.now.after(ms(VALID))), Duration::ZERO);
}

#[test]
fn after_a_stall_the_loss_comes_before_the_answer_that_arrived_meanwhile() {
    let (mut client, lock) = held();
    let op = client.engine.extend(lock, ms(10_000), client.now);
    let extend = client.command();
    client.advance(ms(20_000));
    client.reply(extend.number(1));
    let events = client.events();
    assert_eq!(events[0], Event::Lost { lock, loss: Loss::Expired });
    assert!(
        matches!(&events[1], Event::OpFailed { op: failed, failure, .. } if *failed == op && failure.code == Code::Lost)
    );
    assert_eq!(events.len(), 2);
    assert_eq!(client.engine.remaining(lock, client.now), Duration::ZERO, "lost stays lost");
}

#[test]
fn an_extension_counts_from_before_it_was_sent() {
    let (mut client, lock) = held();
    client.advance(ms(4000));
    let asked = client.now;
    let op = client.engine.extend(lock, ms(20_000), client.now);
    let extend = client.command();
    assert_eq!(extend.name(), "exclusive_extend");
    assert_eq!(extend.arguments()[2], "20000");
    client.advance(ms(300));
    assert_eq!(client.engine.remaining(lock, client.now), ms(VALID - 4300), "nothing before the answer");
    client.reply(extend.number(1));
    assert_eq!(client.event(), Event::Extended { op, lock });
    assert_eq!(client.engine.remaining(lock, asked), ms(20_000 - 200 - 2));
    let (_, events) = client.advance_to_action();
    assert_eq!(events, [Event::Lost { lock, loss: Loss::Expired }]);
    assert!(client.now.since(asked) > ms(19_700));
}

#[test]
fn an_extension_never_shortens() {
    let (mut client, lock) = held();
    client.engine.extend(lock, ms(100), client.now);
    let extend = client.command();
    client.reply(extend.number(1));
    assert_eq!(client.engine.remaining(lock, client.now), ms(VALID));
}

#[test]
fn an_extension_without_answer_leaves_the_lease_as_it_was() {
    let (mut client, lock) = held();
    let granted = client.now;
    let op = client.engine.extend(lock, ms(20_000), client.now);
    client.command();
    let (_, events) = client.advance_to_action();
    assert!(
        matches!(&events[..], [Event::OpFailed { op: failed, failure, .. }] if *failed == op && failure.code == Code::Connection)
    );
    assert_eq!(client.engine.remaining(lock, granted), ms(VALID));
}

#[test]
fn a_definite_no_is_a_loss_at_once() {
    let (mut client, lock) = held();
    let op = client.engine.extend(lock, ms(20_000), client.now);
    let extend = client.command();
    client.reply(extend.number(0));
    let events = client.events();
    assert_eq!(events[0], Event::Lost { lock, loss: Loss::NotOurs });
    assert!(
        matches!(&events[1], Event::OpFailed { op: failed, failure, .. } if *failed == op && failure.code == Code::Lost)
    );
    assert_eq!(client.engine.remaining(lock, client.now), Duration::ZERO);
}

#[test]
fn questions_that_meet_one_in_flight_are_asked_together_after_it() {
    let (mut client, lock) = held();
    let first = client.engine.extend(lock, ms(11_000), client.now);
    let second = client.engine.extend(lock, ms(15_000), client.now);
    let third = client.engine.verify(lock, client.now);
    let extend = client.command();
    client.reply(extend.number(1));
    assert_eq!(client.event(), Event::Extended { op: first, lock });
    let both = client.command();
    assert_eq!(both.arguments()[2], "15000");
    client.reply(both.number(1));
    assert_eq!(
        client.events(),
        [Event::Extended { op: second, lock }, Event::Verified { op: third, lock, ours: true }]
    );
}

#[test]
fn verifying_asks_and_changes_nothing() {
    let (mut client, lock) = held();
    let op = client.engine.verify(lock, client.now);
    let verify = client.command();
    assert_eq!((verify.name(), verify.arguments()[2].as_str()), ("exclusive_extend", "0"));
    client.advance(ms(200));
    client.reply(verify.number(1));
    assert_eq!(client.event(), Event::Verified { op, lock, ours: true });
    assert_eq!(client.engine.remaining(lock, client.now), ms(VALID - 200));
    let op = client.engine.verify(lock, client.now);
    let verify = client.command();
    client.reply(verify.number(0));
    assert_eq!(
        client.events(),
        [Event::Lost { lock, loss: Loss::NotOurs }, Event::Verified { op, lock, ours: false }]
    );
}

#[test]
fn renewal_comes_at_a_third_of_the_lease_until_the_release() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, ..request("a") });
    for _ in 0..20 {
        let before = client.now;
        let (commands, events) = client.advance_to_action();
        assert_eq!((commands[0].name(), events), ("exclusive_extend", vec![]));
        assert_eq!(client.now.since(before).as_millis(), 3333);
        client.reply(commands[0].number(1));
        assert_eq!(client.engine.remaining(lock, client.now), ms(VALID));
    }
    client.engine.release(lock, client.now);
    let release = client.command();
    client.reply(release.number(1));
    assert_eq!(client.event(), Event::Released { lock, outcome: Outcome::Released });
    client.run_for(ms(60_000));
    assert_eq!(client.commands(), []);
}

#[test]
fn a_renewal_that_fails_is_tried_again_in_shorter_steps_and_the_loss_is_told_in_time() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, ..request("a") });
    let granted = client.now;
    let mut pauses = Vec::new();
    let lost = loop {
        let before = client.now;
        let (commands, mut events) = client.advance_to_action();
        if let Some(event) = events.pop() {
            break event;
        }
        assert_eq!(commands[0].name(), "exclusive_extend");
        pauses.push(client.now.since(before));
        client.reply("-BUSY Redis is busy running a script\r\n");
    };
    assert_eq!(lost, Event::Lost { lock, loss: Loss::Expired });
    assert!(pauses.is_sorted_by(|a, b| a >= b), "{pauses:?}");
    assert!((5..40).contains(&pauses.len()), "{pauses:?}");
    assert_eq!(client.now.since(granted), ms(VALID - 25));
}

#[test]
fn a_lost_connection_is_made_anew_for_the_renewal() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, ..request("a") });
    client.engine.handle_closed(client.connection.take().unwrap(), "reset", client.now);
    client.run_for(ms(3400));
    client.greet();
    let renewal = client.command();
    assert_eq!(renewal.name(), "exclusive_extend");
    client.reply(renewal.number(1));
    assert!(client.engine.remaining(lock, client.now) > ms(VALID - 100));
}

#[test]
fn after_a_release_no_extension_is_sent_ever() {
    // The renewal is due, in flight, or about to be sent as text, when the release is asked for.
    for reply in ["", "-NOSCRIPT No matching script.\r\n", "-BUSY Redis is busy\r\n"] {
        let mut client = Client::ready();
        let lock = client.hold(Request { renew: true, ..request("a") });
        let (renewal, _) = client.advance_to_action();
        client.engine.extend(lock, ms(20_000), client.now);
        client.engine.release(lock, client.now);
        assert_eq!(client.command().name(), "exclusive_release");
        client.reply(if reply.is_empty() { renewal[0].number(1) } else { reply.to_owned() });
        client.run_for(ms(30_000));
        let names: Vec<_> = client.commands().iter().map(|command| command.name().to_owned()).collect();
        assert!(!names.contains(&"exclusive_extend".to_owned()), "{names:?}");
    }
}

#[test]
fn the_longest_hold_ends_a_renewed_lock() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, max_hold: ms(7000), ..request("a") });
    let granted = client.now;
    loop {
        let (commands, events) = client.advance_to_action();
        if let [Event::Lost { lock: lost, loss }] = events[..] {
            assert_eq!((lost, loss, commands[0].name()), (lock, Loss::MaxHold, "exclusive_release"));
            break;
        }
        client.reply(commands[0].number(1));
    }
    assert_eq!(client.now.since(granted), ms(7000));
}

#[test]
fn questions_about_a_lock_that_is_not_held_fail_as_lost() {
    let (mut client, lock) = held();
    client.engine.release(lock, client.now);
    client.command();
    let op = client.engine.extend(lock, ms(1000), client.now);
    assert!(
        matches!(client.event(), Event::OpFailed { op: failed, failure, .. } if failed == op && failure.code == Code::Lost)
    );
    assert_eq!(client.commands(), []);
}

#[test]
fn an_answer_to_an_earlier_extension_does_not_serve_the_next() {
    let (mut client, lock) = held();
    client.engine.extend(lock, ms(10_000), client.now);
    let first = client.command();
    client.run_for(ms(500));
    client.events();
    let op = client.engine.extend(lock, ms(60_000), client.now);
    let second = client.command();
    client.reply(first.number(1));
    assert_eq!(client.events(), []);
    assert!(client.engine.remaining(lock, client.now) <= ms(VALID));
    client.reply(second.number(1));
    assert_eq!(client.event(), Event::Extended { op, lock });
}

#[test]
fn an_extensions_answer_is_no_releases() {
    let (mut client, lock) = held();
    client.engine.extend(lock, ms(20_000), client.now);
    let extend = client.command();
    client.engine.release(lock, client.now);
    let release = client.command();
    client.events();
    client.reply(extend.number(1));
    assert_eq!(client.events(), []);
    client.reply(release.number(1));
    assert_eq!(client.event(), Event::Released { lock, outcome: Outcome::Released });
}

#[test]
fn after_a_stall_the_loss_comes_before_what_is_asked_then() {
    let (mut client, lock) = held();
    client.advance(ms(20_000));
    let op = client.engine.extend(lock, ms(10_000), client.now);
    let names: Vec<_> = client.commands().iter().map(|c| c.name().to_owned()).collect();
    assert_eq!(names, ["exclusive_release"]);
    assert!(
        matches!(&client.events()[..], [Event::Lost { .. }, Event::OpFailed { op: failed, .. }] if *failed == op)
    );

    let (mut client, lock) = held();
    client.advance(ms(20_000));
    client.engine.release(lock, client.now);
    assert_eq!(client.events(), [Event::Lost { lock, loss: Loss::Expired }]);
}

#[test]
fn after_a_stall_the_loss_comes_before_a_closed_connection() {
    let (mut client, lock) = held();
    client.engine.extend(lock, ms(10_000), client.now);
    client.command();
    client.advance(ms(20_000));
    client.engine.handle_closed(client.connection.take().unwrap(), "reset", client.now);
    assert_eq!(client.events()[0], Event::Lost { lock, loss: Loss::Expired });
}

#[test]
fn belief_ends_when_the_loss_is_told_though_no_timer_ran() {
    let (client, lock) = held();
    assert!(client.engine.remaining(lock, client.now.after(ms(VALID - 26))) > Duration::ZERO);
    assert_eq!(client.engine.remaining(lock, client.now.after(ms(VALID - 25))), Duration::ZERO);
}

#[test]
fn every_question_is_answered_when_the_lock_ends() {
    let (mut client, lock) = held();
    let asked = client.engine.extend(lock, ms(20_000), client.now);
    let queued = [client.engine.extend(lock, ms(20_000), client.now), client.engine.verify(lock, client.now)];
    client.command();
    client.engine.release(lock, client.now);
    let failed: Vec<_> = client
        .events()
        .into_iter()
        .map(|event| match event {
            Event::OpFailed { op, failure, .. } if failure.code == Code::Lost => op,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(failed, [asked, queued[0], queued[1]]);
}

#[test]
fn a_late_no_is_a_loss_at_once() {
    let (mut client, lock) = held();
    client.engine.extend(lock, ms(10_000), client.now);
    let extend = client.command();
    client.run_for(ms(600));
    assert!(matches!(client.event(), Event::OpFailed { .. }));
    client.reply(extend.number(0));
    assert_eq!(client.events(), [Event::Lost { lock, loss: Loss::NotOurs }]);
}

#[test]
fn a_no_to_a_question_long_before_the_last_is_a_loss_at_once_too() {
    let (mut client, lock) = held();
    let asked: Vec<_> = (0..3)
        .map(|_| {
            client.engine.extend(lock, ms(10_000), client.now);
            let extend = client.command();
            client.advance(ms(500));
            client.engine.handle_timeout(client.now);
            assert!(matches!(client.event(), Event::OpFailed { .. }));
            extend
        })
        .collect();
    client.reply(asked[0].number(0));
    assert_eq!(client.events(), [Event::Lost { lock, loss: Loss::NotOurs }]);
}

#[test]
fn renewals_that_are_always_answered_late_still_renew() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, ..request("a") });
    let end = client.now.after(ms(60_000));
    let mut answers = std::collections::VecDeque::new();
    while client.now < end {
        for command in client.commands() {
            answers.push_back((client.now.after(ms(600)), command.number(1)));
        }
        assert_eq!(client.events(), [], "every extension was carried out");
        let timer = client.engine.poll_timeout().unwrap();
        match answers.front() {
            Some((when, _)) if *when <= timer => {
                let (when, answer) = answers.pop_front().unwrap();
                client.now = client.now.max(when);
                client.reply(answer);
            }
            _ => client.advance_to_timeout(),
        }
    }
    assert!(client.engine.remaining(lock, client.now) > Duration::ZERO);
}

#[test]
fn a_verification_that_fails_does_not_put_the_renewal_off() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, ..request("a") });
    let held_at = client.now;
    loop {
        client.engine.verify(lock, client.now);
        if client.commands().iter().any(|command| command.arguments()[2] != "0") {
            break;
        }
        client.reply("-BUSY Redis is busy running a script\r\n");
        client.events();
        client.advance(ms(100));
        client.engine.handle_timeout(client.now);
    }
    assert!(client.now.since(held_at) <= ms(3500), "{:?}", client.now.since(held_at));
}

#[test]
fn after_a_stall_the_loss_comes_before_a_dial_that_took_too_long() {
    let policy = redlatch::Policy { connect_timeout: ms(500), ..Default::default() };
    let mut client = Client::with(policy, redlatch::Endpoint::default());
    client.acquire(request("a"));
    client.greet();
    let acquire = client.command();
    client.reply(acquire.granted(1));
    let Event::Granted { lock, .. } = client.event() else { panic!() };
    client.engine.handle_closed(client.connection.take().unwrap(), "reset", client.now);
    client.engine.verify(lock, client.now);
    client.advance(ms(20_000));
    client.engine.handle_timeout(client.now);
    assert_eq!(client.events()[0], Event::Lost { lock, loss: Loss::Expired });
}

#[test]
fn the_renewal_comes_a_third_of_the_lease_after_the_last_was_asked_for() {
    let mut client = Client::ready();
    let asked = client.now;
    client.acquire(Request { renew: true, ttl: ms(9000), ..request("a") });
    let mut command = client.command();
    for round in 1..=3 {
        client.advance(ms(300));
        client.reply(if round == 1 { command.granted(1) } else { command.number(1) });
        client.events();
        command = client.advance_to_action().0.remove(0);
        assert_eq!(command.name(), "exclusive_extend");
        assert_eq!(client.now.since(asked), ms(round * 3000));
    }
}

#[test]
fn a_question_that_fails_tells_why() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    let op = client.engine.extend(lock, ms(20_000), client.now);
    client.command();
    client.reply("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    let event = client.event();
    let Event::OpFailed { op: failed, failure, .. } = event else { panic!("{event:?}") };
    assert_eq!((failed, failure.code, &*failure.prefix), (op, Code::Server, "OOM"));

    let op = client.engine.verify(lock, client.now);
    client.command();
    let (_, events) = client.advance_to_action();
    let [Event::OpFailed { op: failed, failure, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((*failed, failure.code), (op, Code::Connection));
    assert_eq!(&*failure.message, "no answer within 500 ms (nodeTimeout)");
}
