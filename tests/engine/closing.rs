//! Closing: what becomes of held locks, of waiters and of operations, and of calls after it.

use crate::world::{Client, failure, ms, request};
use redlatch::{Code, Duration, Event, Loss, ReleaseOutcome, Request};

#[test]
fn held_locks_are_lost_and_released_with_their_outcome() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    client.engine.close(&[], client.now);
    assert_eq!(client.events(), [Event::Lost { lock, loss: Loss::Closed, reason: None }]);
    assert_eq!(client.engine.remaining(lock, client.now), Duration::ZERO);
    let release = client.command();
    assert_eq!(release.name(), "exclusive_release");
    client.reply(release.count(1));
    assert_eq!(client.events(), [Event::Released { lock, outcome: ReleaseOutcome::Released }]);
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn a_lock_that_is_being_released_is_not_lost() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    client.engine.release(lock, client.now);
    let release = client.command();
    client.engine.close(&[], client.now);
    assert_eq!((client.events(), client.commands()), (vec![], vec![]));
    client.reply(release.count(1));
    assert_eq!(client.events(), [Event::Released { lock, outcome: ReleaseOutcome::Released }]);
}

#[test]
fn waits_fail_and_are_cleaned_up_after() {
    let mut client = Client::ready();
    let lock = client.acquire(Request { wait: ms(5000), ..request("a") });
    let acquire = client.command();
    client.engine.close(&[], client.now);
    let event = client.event();
    assert!(matches!(&event, Event::Failed { lock: failed, .. } if *failed == lock));
    assert_eq!(failure(event).code, Code::Closed);
    let release = client.command();
    assert_eq!(release.name(), "exclusive_release", "the acquire may have succeeded");
    client.reply(acquire.denied(1000));
    client.reply(release.count(0));
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn a_grant_that_the_application_has_not_seen_becomes_a_failure() {
    let mut client = Client::ready();
    client.acquire(request("a"));
    let acquire = client.command();
    client.reply(acquire.granted(1));
    client.engine.close(&[], client.now);
    assert_eq!(failure(client.event()).code, Code::Closed);
    assert_eq!(client.command().name(), "exclusive_release");
}

#[test]
fn all_handles_of_a_lock_are_lost_and_its_pending_reentries_fail() {
    let mut client = Client::ready();
    let mine = Request { token: Some(b"mine".to_vec()), ..request("a") };
    let outer = client.hold(mine.clone());
    let inner = client.acquire(mine.clone());
    let question = client.command();
    client.reply(question.count(1));
    client.event();
    let third = client.acquire(mine);
    let question = client.command();
    client.engine.close(&[], client.now);
    let events = client.events();
    assert!(
        matches!(&events[0], Event::Failed { lock, failure } if *lock == third && failure.code == Code::Closed)
    );
    let loss = Loss::Closed;
    let released = |lock| Event::Released { lock, outcome: ReleaseOutcome::Released };
    assert_eq!(
        events[1..],
        [
            Event::Lost { lock: outer, loss, reason: None },
            released(outer),
            Event::Lost { lock: inner, loss, reason: None }
        ]
    );
    let release = client.command();
    client.reply(question.count(1));
    client.reply(release.count(1));
    assert_eq!(client.events(), [released(inner)]);
}

#[test]
fn operations_in_flight_fail_with_the_loss() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    let op = client.engine.verify(lock, client.now);
    client.command();
    client.engine.close(&[], client.now);
    let events = client.events();
    assert_eq!(events[0], Event::Lost { lock, loss: Loss::Closed, reason: None });
    assert!(
        matches!(&events[1], Event::OperationFailed { op: failed, failure, .. } if *failed == op && failure.code == Code::Lost)
    );
}

#[test]
fn after_it_no_lock_is_acquired_and_nothing_is_sent() {
    let mut client = Client::ready();
    client.engine.close(&[], client.now);
    let lock = client.acquire(request("a"));
    assert_eq!(client.commands(), []);
    let event = client.event();
    assert!(matches!(&event, Event::Failed { lock: failed, .. } if *failed == lock));
    assert_eq!(failure(event).code, Code::Closed);
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn a_release_in_flight_is_reported_as_a_release() {
    for is_grant_polled in [true, false] {
        let mut client = Client::ready();
        let lock = client.acquire(request("a"));
        let acquire = client.command();
        client.reply(acquire.granted(7));
        if is_grant_polled {
            client.event();
        }
        client.engine.release(lock, client.now);
        let release = client.command();
        client.engine.close(&[], client.now);
        assert_eq!(client.events(), []);
        client.reply(release.count(1));
        assert_eq!(client.events(), [Event::Released { lock, outcome: ReleaseOutcome::Released }]);
    }
}

#[test]
fn an_occupied_lock_stays_held_and_renewed_until_its_release() {
    let mut client = Client::ready();
    let occupied = client.hold(Request { renew: true, ..request("a") });
    let other = client.hold(request("b"));
    client.engine.close(&[occupied], client.now);
    let loss = Loss::Closed;
    assert_eq!(
        client.events(),
        [Event::Closing { lock: occupied }, Event::Lost { lock: other, loss, reason: None }]
    );
    let release = client.command();
    client.reply(release.count(1));
    client.event();
    assert!(client.engine.remaining(occupied, client.now) > Duration::ZERO);
    let (renewals, events) = client.advance_to_action();
    assert_eq!((renewals[0].name(), events), ("extend", vec![]));
    client.reply(renewals[0].count(1));
    assert_eq!(client.engine.busy(), 1);
    client.engine.release(occupied, client.now);
    let release = client.command();
    client.reply(release.count(1));
    let outcome = ReleaseOutcome::Released;
    assert_eq!(client.events(), [Event::Released { lock: occupied, outcome }]);
    assert_eq!(client.engine.busy(), 0);
}
