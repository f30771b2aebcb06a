//! Extending and verifying a held lock.

use crate::world::{Client, ms, request};
use redlatch::{Code, Event, HandleId, Loss, ReleaseOutcome};

pub const VALID: u64 = 10_000 - 100 - 2;

pub fn held() -> (Client, HandleId) {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    (client, lock)
}

#[test]
fn an_extension_counts_from_before_it_was_sent() {
    let (mut client, lock) = held();
    client.advance(ms(4000));
    let sent_at = client.now;
    let op = client.engine.extend(lock, ms(20_000), client.now);
    let extend = client.command();
    assert_eq!(extend.name(), "extend");
    assert_eq!(extend.lease(), 20_000);
    client.advance(ms(300));
    assert_eq!(client.engine.remaining(lock, client.now), ms(VALID - 4300), "nothing before the answer");
    client.reply(extend.count(1));
    assert_eq!(client.event(), Event::Extended { op, lock });
    assert_eq!(client.engine.remaining(lock, sent_at), ms(20_000 - 200 - 2));
    let (_, events) = client.advance_to_action();
    assert_eq!(events, [Event::Lost { lock, loss: Loss::Expired, reason: None }]);
    assert!(client.now.since(sent_at) > ms(19_700));
}

#[test]
fn an_extension_never_shortens_the_lease() {
    let (mut client, lock) = held();
    client.engine.extend(lock, ms(100), client.now);
    let extend = client.command();
    client.reply(extend.count(1));
    assert_eq!(client.engine.remaining(lock, client.now), ms(VALID));
}

#[test]
fn an_extension_without_a_reply_leaves_the_lease_unchanged() {
    let (mut client, lock) = held();
    let granted = client.now;
    let op = client.engine.extend(lock, ms(20_000), client.now);
    client.command();
    let (_, events) = client.advance_to_action();
    assert!(
        matches!(&events[..], [Event::OperationFailed { op: failed, failure, .. }] if *failed == op && failure.code == Code::Connection)
    );
    assert_eq!(client.engine.remaining(lock, granted), ms(VALID));
}

#[test]
fn operations_during_one_in_flight_are_sent_together_after_it() {
    let (mut client, lock) = held();
    let first = client.engine.extend(lock, ms(11_000), client.now);
    let second = client.engine.extend(lock, ms(15_000), client.now);
    let third = client.engine.verify(lock, client.now);
    let extend = client.command();
    client.reply(extend.count(1));
    assert_eq!(client.event(), Event::Extended { op: first, lock });
    let both = client.command();
    assert_eq!(both.lease(), 15_000);
    client.reply(both.count(1));
    assert_eq!(
        client.events(),
        [Event::Extended { op: second, lock }, Event::Verified { op: third, lock, ours: true }]
    );
}

#[test]
fn verifying_does_not_change_the_lease() {
    let (mut client, lock) = held();
    let op = client.engine.verify(lock, client.now);
    let verify = client.command();
    assert_eq!((verify.name(), verify.lease()), ("extend", 0));
    client.advance(ms(200));
    client.reply(verify.count(1));
    assert_eq!(client.event(), Event::Verified { op, lock, ours: true });
    assert_eq!(client.engine.remaining(lock, client.now), ms(VALID - 200));
    let op = client.engine.verify(lock, client.now);
    let verify = client.command();
    client.reply(verify.count(0));
    assert_eq!(
        client.events(),
        [Event::Lost { lock, loss: Loss::NotOurs, reason: None }, Event::Verified { op, lock, ours: false }]
    );
}

#[test]
fn operations_on_a_lock_that_is_not_held_fail_as_lost() {
    let (mut client, lock) = held();
    client.engine.release(lock, client.now);
    client.command();
    let op = client.engine.extend(lock, ms(1000), client.now);
    assert!(
        matches!(client.event(), Event::OperationFailed { op: failed, failure, .. } if failed == op && failure.code == Code::Lost)
    );
    assert_eq!(client.commands(), []);
}

#[test]
fn the_reply_to_an_extension_does_not_confirm_a_release() {
    let (mut client, lock) = held();
    client.engine.extend(lock, ms(20_000), client.now);
    let extend = client.command();
    client.engine.release(lock, client.now);
    let release = client.command();
    client.events();
    client.reply(extend.count(1));
    assert_eq!(client.events(), []);
    client.reply(release.count(1));
    assert_eq!(client.event(), Event::Released { lock, outcome: ReleaseOutcome::Released });
}

#[test]
fn every_operation_is_settled_when_the_lock_ends() {
    let (mut client, lock) = held();
    let in_flight = client.engine.extend(lock, ms(20_000), client.now);
    let queued = [client.engine.extend(lock, ms(20_000), client.now), client.engine.verify(lock, client.now)];
    client.command();
    client.engine.release(lock, client.now);
    let failed: Vec<_> = client
        .events()
        .into_iter()
        .map(|event| match event {
            Event::OperationFailed { op, failure, .. } if failure.code == Code::Lost => op,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(failed, [in_flight, queued[0], queued[1]]);
}

#[test]
fn a_failed_operation_reports_its_cause() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    let op = client.engine.extend(lock, ms(20_000), client.now);
    client.command();
    client.reply("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    let event = client.event();
    let Event::OperationFailed { op: failed, failure, .. } = event else { panic!("{event:?}") };
    assert_eq!((failed, failure.code, &*failure.prefix), (op, Code::Server, "OOM"));

    let op = client.engine.verify(lock, client.now);
    client.command();
    client.disconnect("reset");
    client.drain_io();
    client.disconnect("connect ECONNREFUSED");
    let event = client.event();
    let Event::OperationFailed { op: failed, failure, .. } = event else { panic!("{event:?}") };
    assert_eq!((failed, failure.code), (op, Code::Connection));
    assert_eq!(&*failure.message, "connect ECONNREFUSED");
}
