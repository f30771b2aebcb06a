//! Losing a lock: the loss is reported once, before validity ends and before any other event.

use crate::extend_verify::{VALID, held};
use crate::world::{Client, ms, request};
use redlatch::{Code, Duration, Event, Loss};

#[test]
fn the_loss_is_reported_once_and_before_validity_ends_even_if_no_server_answers() {
    let (mut client, lock) = held();
    let granted = client.now;
    let (commands, events) = client.advance_to_action();
    assert_eq!(events, [Event::Lost { lock, loss: Loss::Expired, reason: None }]);
    assert_eq!(client.now.since(granted), ms(VALID - 25));
    assert_eq!(client.engine.remaining(lock, client.now), Duration::ZERO);
    assert_eq!(commands[0].name(), "exclusive_release", "what may be left is freed");
    client.run_for(ms(60_000));
    assert_eq!(client.events(), []);
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn validity_ends_by_the_clock_even_if_no_timer_ran() {
    let (client, lock) = held();
    assert_eq!(client.engine.remaining(lock, client.now.after(ms(1))), ms(VALID - 1));
    assert_eq!(client.engine.remaining(lock, client.now.after(ms(VALID))), Duration::ZERO);
}

#[test]
fn after_a_stall_the_loss_is_reported_before_the_reply_that_arrived_meanwhile() {
    let (mut client, lock) = held();
    let op = client.engine.extend(lock, ms(10_000), client.now);
    let extend = client.command();
    client.advance(ms(20_000));
    client.reply(extend.count(1));
    let events = client.events();
    assert!(matches!(events[0], Event::Lost { lock: lost, loss: Loss::Expired, .. } if lost == lock));
    assert!(
        matches!(&events[1], Event::OperationFailed { op: failed, failure, .. } if *failed == op && failure.code == Code::Lost)
    );
    assert_eq!(events.len(), 2);
    assert_eq!(client.engine.remaining(lock, client.now), Duration::ZERO, "lost stays lost");
}

#[test]
fn a_reply_that_denies_ownership_is_a_loss_at_once() {
    let (mut client, lock) = held();
    let op = client.engine.extend(lock, ms(20_000), client.now);
    let extend = client.command();
    client.reply(extend.count(0));
    let events = client.events();
    assert_eq!(events[0], Event::Lost { lock, loss: Loss::NotOurs, reason: None });
    assert!(
        matches!(&events[1], Event::OperationFailed { op: failed, failure, .. } if *failed == op && failure.code == Code::Lost)
    );
    assert_eq!(client.engine.remaining(lock, client.now), Duration::ZERO);
}

#[test]
fn after_a_stall_the_loss_is_reported_before_a_new_operation() {
    let (mut client, lock) = held();
    client.advance(ms(20_000));
    let op = client.engine.extend(lock, ms(10_000), client.now);
    let names: Vec<_> = client.commands().iter().map(|c| c.name().to_owned()).collect();
    assert_eq!(names, ["exclusive_release"]);
    assert!(
        matches!(&client.events()[..], [Event::Lost { .. }, Event::OperationFailed { op: failed, .. }] if *failed == op)
    );

    let (mut client, lock) = held();
    client.advance(ms(20_000));
    client.engine.release(lock, client.now);
    assert_eq!(client.events(), [Event::Lost { lock, loss: Loss::Expired, reason: None }]);
}

#[test]
fn after_a_stall_the_loss_is_reported_before_a_closed_connection() {
    let (mut client, lock) = held();
    client.engine.extend(lock, ms(10_000), client.now);
    client.command();
    client.advance(ms(20_000));
    client.disconnect("reset");
    let events = client.events();
    assert!(matches!(events[0], Event::Lost { lock: lost, loss: Loss::Expired, .. } if lost == lock));
}

#[test]
fn validity_ends_when_the_loss_is_reported_even_if_no_timer_ran() {
    let (client, lock) = held();
    assert!(client.engine.remaining(lock, client.now.after(ms(VALID - 26))) > Duration::ZERO);
    assert_eq!(client.engine.remaining(lock, client.now.after(ms(VALID - 25))), Duration::ZERO);
}

#[test]
fn after_a_stall_the_loss_is_reported_before_a_dial_timeout() {
    let policy = redlatch::Policy { connect_timeout: ms(500), ..Default::default() };
    let mut client = Client::with(policy, redlatch::Endpoint::default());
    client.acquire(request("a"));
    client.greet();
    let acquire = client.command();
    client.reply(acquire.granted(1));
    let Event::Granted { lock, .. } = client.event() else { panic!() };
    client.disconnect("reset");
    client.engine.verify(lock, client.now);
    client.advance(ms(20_000));
    client.engine.handle_timeout(client.now);
    let events = client.events();
    assert!(matches!(events[0], Event::Lost { lock: lost, loss: Loss::Expired, .. } if lost == lock));
}
